"""Ownership in metadata: stamped on what is new, kept on what is changed, cleaned on every way in.

Always in place. The server keeps its own reference to ``value["metadata"]``: a new dict put there is silently dropped
and the object belongs to nobody (measured).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..errors import Code
from ..permissions.decide import AUTHORIZED_UNTIL, CREATED_BY, OWNER, RESERVED, SYSTEM, TEMPORARY, TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.caller import Caller

Value = dict[str, Any]
Metadata = dict[str, Any]


class MalformedError(Exception):
    """A value is not of the shape the server documents: nothing can be stamped, so nothing may happen."""


def metadata_of(value: Value) -> Metadata:
    """Return the metadata of a value, to be changed in place; an absent one is made."""
    metadata: object = value.get("metadata")
    if metadata is None:
        metadata = value["metadata"] = {}
    if not isinstance(metadata, dict):
        raise MalformedError("metadata is not an object")
    return cast("Metadata", metadata)


def claims_system(metadata: object) -> bool:
    """Tell whether somebody passes an object off as the server's own, which everybody can see."""
    return isinstance(metadata, dict) and cast("Metadata", metadata).get(CREATED_BY) == SYSTEM


def clean(metadata: object) -> None:
    """Take the reserved keys out, whoever sent them."""
    if isinstance(metadata, dict):
        found = cast("Metadata", metadata)
        for key in RESERVED:
            found.pop(key, None)
        if claims_system(found):
            del found[CREATED_BY]


RUN_CONFIG = frozenset(
    {"tags", "metadata", "callbacks", "run_name", "max_concurrency", "recursion_limit", "configurable", "run_id"}
)
"""The keys of langchain's ``RunnableConfig``.

LangGraph moves every other key into ``configurable`` when a run starts, over the ``thread_id`` and
``langgraph_auth_user`` that the server put there (measured on langgraph 1.2).
"""


def clean_config(holder: object) -> None:
    """Take out of ``config`` what would make a run another's: unknown keys, and reserved keys of its metadata.

    The server merges ``config.metadata`` into a new thread's metadata.
    """
    config = cast("Value", holder).get("config") if isinstance(holder, dict) else None
    if not isinstance(config, dict):
        return
    known = cast("Value", config)
    for key in known.keys() - RUN_CONFIG:
        del known[key]
    metadata: object = known.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise MalformedError("config.metadata is not an object")
    clean(cast("object", metadata))


def configurable_of(value: Value) -> Value:
    """Return the ``configurable`` of a run's config, to be changed in place: the server keeps its own reference."""
    configurable = _configurable_in(value.get("kwargs"))
    if not configurable:
        # The server always writes a run's user there: to write into another dict would lose it.
        raise MalformedError("kwargs.config.configurable has no user")
    return configurable


RUN_USER = ("langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions")
"""The keys of ``configurable`` by which the server keeps who a run belongs to (langgraph_api 0.16.7, models/run.py)."""


def _configurable_in(holder: object) -> Value:
    """Return the ``config.configurable`` of a run or a cron's payload; an empty one where there is none."""
    found = holder
    for key in ("config", "configurable"):
        found = cast("Value", found).get(key) if isinstance(found, dict) else None
    return cast("Value", found) if isinstance(found, dict) else {}


def stamp_new(value: Value, stamp: Mapping[str, Any]) -> None:
    """Write who owns a new object, over whatever the client sent."""
    if value.get("metadata") is None:
        # A dict put there now would be ours alone, and the object nobody's.
        raise MalformedError("there is no metadata to stamp")
    metadata = metadata_of(value)
    clean(metadata)
    metadata.update(stamp)


def stamp_run(value: Value, stamp: Mapping[str, Any]) -> None:
    """Write who owns a run and the thread it may create; a temporary thread is marked, so that it can be removed."""
    kwargs: object = value.get("kwargs")
    clean_config(kwargs)
    temporary = isinstance(kwargs, dict) and bool(cast("Value", kwargs).get("temporary"))
    stamp_new(value, {**stamp, TEMPORARY: True} if temporary else stamp)


def refuse_change(value: Value, caller: Caller, *, own_only: bool) -> Code | None:
    """Take the reserved keys out of a change; return the refusal when somebody tries to give an object away.

    What is stored stays, so that reading metadata and writing it back works. An administrator who writes back what he
    read sends another's name: that is no attempt, and changes nothing either.
    """
    metadata = metadata_of(value) if value.get("metadata") is not None else {}
    mine = {OWNER: caller.identity, TENANT: None if caller.tenancy is None else caller.tenancy.tenant}
    foreign = any(key in metadata and metadata[key] != name for key, name in mine.items())
    if claims_system(metadata) or (own_only and foreign):
        return Code.RESERVED_METADATA
    clean(metadata)
    return None


def _payload_metadata(value: Value) -> Metadata | None:
    payload: object = value.get("payload")
    metadata: object = cast("Value", payload).get("metadata") if isinstance(payload, dict) else None
    return cast("Metadata", metadata) if isinstance(metadata, dict) else None


def _reserved_in(metadata: Metadata | None) -> Metadata:
    return {key: metadata[key] for key in RESERVED if key in metadata} if metadata else {}


def _replace_run_user(configurable: Value, user: Value) -> None:
    for key in RUN_USER:
        configurable.pop(key, None)
    configurable.update(user)


class Kept:
    """The reserved part of a value, remembered across a function that is not ours."""

    def __init__(self, value: Value) -> None:
        metadata: object = value.get("metadata")
        self._had = isinstance(metadata, dict)
        self._metadata = cast("Metadata", metadata) if isinstance(metadata, dict) else {}
        self._reserved = _reserved_in(self._metadata)
        self._payload_reserved = _reserved_in(_payload_metadata(value))
        self._was_system = claims_system(self._metadata)
        self._configurable = _configurable_in(value.get("kwargs"))
        self._run_user = {key: self._configurable[key] for key in RUN_USER if key in self._configurable}
        self._namespace: object = value.get("namespace")
        self._has_namespace = "namespace" in value

    def restore(self, value: Value) -> None:
        """Put the reserved part back; every other edit stays."""
        if self._has_namespace:
            value["namespace"] = self._namespace
        clean_config(value.get("kwargs"))
        clean_config(value.get("payload"))
        self._restore_run_user(value)
        # What stands in a cron's payload wins over the cron's own metadata at each fire, the tenant too.
        if (payload_metadata := _payload_metadata(value)) is not None:
            clean(payload_metadata)
            payload_metadata.update(self._payload_reserved)
        if self._had:
            metadata = value.get("metadata")
            if not isinstance(metadata, dict):
                metadata = value["metadata"] = self._metadata
            # Both: the server may hold the one dict or read the other.
            self._put_back(self._metadata)
            self._put_back(cast("Metadata", metadata))

    def _restore_run_user(self, value: Value) -> None:
        # A cron's payload has none: what stood there would be the user, with all permissions, of each of its runs.
        for configurable in (self._configurable, _configurable_in(value.get("kwargs"))):
            _replace_run_user(configurable, self._run_user)
        _replace_run_user(_configurable_in(value.get("payload")), {})

    def _put_back(self, metadata: Metadata) -> None:
        was_system = self._was_system
        clean(metadata)
        metadata.update(self._reserved)
        if was_system:
            metadata[CREATED_BY] = SYSTEM


def is_current(until: object, now: float) -> bool:
    """Tell whether ``authorized_until`` lies ahead; absent, text or bool is no time."""
    return isinstance(until, (int, float)) and not isinstance(until, bool) and until > now


__all__ = [
    "AUTHORIZED_UNTIL",
    "Kept",
    "MalformedError",
    "claims_system",
    "clean",
    "clean_config",
    "configurable_of",
    "is_current",
    "metadata_of",
    "refuse_change",
    "stamp_new",
    "stamp_run",
]
