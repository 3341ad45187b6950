"""Keys that clients cannot set in the configuration of a run.

Aegra writes the user into ``configurable["langgraph_auth_user"]``. The client sets all other keys that
look like a user, and a graph that was written for LangGraph servers trusts them (measured on aegra-api 0.11.0).

A client can send them in ``config.configurable``, in ``checkpoint``, in ``context`` of an assistant, and as unknown
keys of ``config``, which LangGraph copies into ``configurable``. Aegra reads a changed ``configurable`` of a run. It
reads no other change, so the rest is denied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..enforcement.decision import Decision, deny
from ..enforcement.reserved_keys import RUN_CONFIG
from ..errors import ErrorCode
from ..json_values import is_object
from ..quoting import quote

if TYPE_CHECKING:
    from ..enforcement.access_request import Value

PREFIX = "langgraph_auth_"
SERVER_KEYS = frozenset({"user_id", "user_display_name"})
"""Aegra writes them only if the client did not."""


def drop_user_keys(run: Value) -> None:
    """Remove the keys from ``config.configurable`` and ``config.metadata`` of a run, in place."""
    config = _member(run, "config")
    configurable, metadata = _member(config, "configurable"), _member(config, "metadata")
    for key in _user_keys(configurable):
        del configurable[key]
    # A trace may have a user_id.
    for key in [key for key in metadata if key.startswith(PREFIX)]:
        del metadata[key]


def find_reserved(event: str, value: Value, *holders: str) -> Decision | None:
    """Return the denial if a value has keys that clients cannot set, or None.

    Args:
        event: The event.
        value: A run, a cron, an assistant, or a change of state.
        holders: What may contain the keys, such as ``checkpoint``, or ``configurable`` for that of ``config``.
    """
    config = _member(value, "config")
    # They would replace the thread and the user of the run. Measured on aegra-api 0.11.0: a run with config.thread_id
    # reads and changes the thread of another user.
    found = {f"config.{key}" for key in config if key not in RUN_CONFIG}
    for holder in holders:
        place = config if holder == "configurable" else value
        found |= {f"{holder}.{key}" for key in _user_keys(_member(place, holder))}
    if not found:
        return None
    return deny(event, ErrorCode.RESERVED_CONFIG, found=quote(sorted(found)))


def _user_keys(holder: Value) -> list[str]:
    return [key for key in holder if key.startswith(PREFIX) or key in SERVER_KEYS]


def _member(holder: Value, key: str) -> Value:
    # Aegra shows the body of some requests before it checks the types.
    found: object = holder.get(key)
    return cast("Value", found) if is_object(found) else {}
