"""Ownership in metadata: stamp new objects, keep the owner of changed ones.

``stamp_object`` writes the owner of a thread, assistant or cron. ``stamp_run`` writes the owner of a run.

All functions change the metadata in place. The server keeps its own reference to ``value["metadata"]``. It ignores a
new dict there, and the object would have no owner (measured).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..errors import ErrorCode
from ..permissions.names import Reach
from .access_request import MalformedError, Value, get_payload
from .decision import Decision, deny
from .filters import own_objects
from .reserved_keys import CREATED_BY, OWNER, RESERVED, SYSTEM, TEMPORARY, TENANT, remove_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.caller import Caller
    from .access_request import AccessRequest
    from .decision import AllowedAccess

Metadata = dict[str, Any]


def make_stamp(caller: Caller) -> Metadata:
    """Return the metadata that mark an object as the caller's."""
    stamp: Metadata = {OWNER: caller.identity}
    return stamp if caller.tenancy is None else {**stamp, TENANT: caller.tenancy.tenant}


def stamp_object(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into a new object, over what the client sent."""
    if access.request.copies_thread:
        # The server copies the metadata of the original, with its owner. It shows none that could be stamped.
        return access.decision
    # All callers can use the objects of the system. A client must not publish its own object in this way.
    if claims_system(value.get("metadata")) or claims_system(get_payload(value).get("metadata")):
        return deny(access.request.event, ErrorCode.RESERVED_METADATA)
    clean_payload(value)
    clean_config(value)
    write_stamp(value, access.decision.stamp)
    return access.decision


def stamp_run(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into a run and into the thread that it may create."""
    write_run_stamp(value, access.decision.stamp)
    return access.decision


def write_run_stamp(value: Value, stamp: Mapping[str, Any]) -> None:
    """Write the owner of a run, and mark a temporary thread, so that its owner can delete it."""
    kwargs: object = value.get("kwargs")
    clean_config(kwargs)
    temporary = isinstance(kwargs, dict) and bool(cast("Value", kwargs).get("temporary"))
    write_stamp(value, {**stamp, TEMPORARY: True} if temporary else stamp)


def write_stamp(value: Value, stamp: Mapping[str, Any]) -> None:
    """Replace the reserved keys of ``value["metadata"]`` with the stamp.

    Raises:
        MalformedError: the value has no metadata, so that its object would have no owner.
    """
    if value.get("metadata") is None:
        # The server does not see a dict that is added now.
        raise MalformedError("metadata is missing")
    metadata = get_metadata(value)
    clean(metadata)
    # The keys of the client are removed first, so that the stamp alone decides.
    metadata.update(stamp)


def clean_change(value: Value, access: AllowedAccess) -> Decision:
    """Remove the reserved keys from a change; deny a change of the owner."""
    if access.request.controls_run:
        # Cancelling runs changes no metadata.
        return access.decision
    is_own = access.decision.filter == own_objects(access.caller)
    for holder in (value, get_payload(value)):
        if (code := check_change(holder, access.caller, own_only=is_own)) is not None:
            return deny(access.request.event, code)
    clean_payload(value)
    clean_config(value)
    return access.decision


def check_change(value: Value, caller: Caller, *, own_only: bool) -> ErrorCode | None:
    """Remove the reserved keys from changed metadata; return the code if a client changes the owner.

    The stored keys stay, so that a client can read metadata and write them back. An administrator who does this sends
    another user's identity. This is allowed, because it changes nothing.

    Args:
        value: what has the metadata.
        caller: who changes it.
        own_only: whether the caller reaches only own objects, and so must not send another identity.
    """
    metadata = get_metadata(value) if value.get("metadata") is not None else {}
    own = {OWNER: caller.identity, TENANT: None if caller.tenancy is None else caller.tenancy.tenant}
    foreign = any(key in metadata and metadata[key] != name for key, name in own.items())
    if claims_system(metadata) or (own_only and foreign):
        return ErrorCode.RESERVED_METADATA
    clean(metadata)
    return None


def check_copy(caller: Caller, request: AccessRequest) -> Decision | None:
    """Return the denial if a caller copies a thread and reads more than own threads.

    A copy belongs to the owner of the original. Such a caller could add threads to another user's list.
    """
    if request.copies_thread and caller.rights.get("threads:read", Reach.OWN) is not Reach.OWN:
        return deny(request.event, ErrorCode.COPY_NOT_ALLOWED)
    return None


def get_metadata(value: Value) -> Metadata:
    """Return the metadata of a value, to change in place; create it if absent.

    Raises:
        MalformedError: it is not an object.
    """
    metadata: object = value.get("metadata")
    if metadata is None:
        metadata = value["metadata"] = {}
    if not isinstance(metadata, dict):
        raise MalformedError("metadata is not an object")
    return cast("Metadata", metadata)


def claims_system(metadata: object) -> bool:
    """Return whether metadata mark an object as the server's own, which all callers can see."""
    return isinstance(metadata, dict) and cast("Metadata", metadata).get(CREATED_BY) == SYSTEM


def clean(metadata: object) -> None:
    """Remove the reserved keys from metadata."""
    if isinstance(metadata, dict):
        found = cast("Metadata", metadata)
        for key in RESERVED:
            found.pop(key, None)
        if claims_system(found):
            del found[CREATED_BY]


def clean_config(holder: object) -> None:
    """Remove unknown keys from ``config`` and reserved keys from its metadata.

    The server merges ``config.metadata`` into the metadata of a new thread.
    """
    clean(remove_unknown_keys(holder))


def clean_payload(value: Value) -> None:
    """Remove the reserved keys from the run of a cron.

    At each fire, the server prefers the metadata of the payload to those of the cron.
    """
    payload = get_payload(value)
    clean(payload.get("metadata"))
    clean_config(payload)
