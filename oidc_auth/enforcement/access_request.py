"""What a request wants, read from the value that the server gives to a handler.

Each reader below reads the facts of one kind of event. ``event_rules.py`` names the reader of each event.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .steering import Steering

Value = dict[str, Any]
"""The value of an event. The server reads back what a handler writes into it."""

SCHEDULE_KEYS = frozenset({"schedule", "enabled", "end_time", "timezone", "on_run_completed"})
"""The keys of a PATCH that change when a cron runs. Only its owner may change other keys."""

ID_KEYS = ("thread_id", "run_id", "assistant_id", "cron_id")
MAX_ID_LENGTH = 200
"""Longer ids are cut for the observer, because a client chooses them."""


NO_LISTS: Mapping[str, object] = MappingProxyType({})


class MalformedError(Exception):
    """A value does not have the shape that the server documents, so the event must fail."""


class AccessRequest(NamedTuple):
    """What a request wants, as far as a decision depends on it.

    Attributes:
        event: such as ``threads:create_run``; also an event that this library does not know.
        controls_run: a ``threads:update`` that cancels, interrupts or rolls back runs.
        bulk: a ``threads:update`` without a thread: all own runs, or those of an assistant that is being deleted.
        deletes_run: a ``threads:delete`` that deletes a run and not the thread.
        copies_thread: a ``threads:create`` that copies a thread. It has no metadata, so it cannot be stamped.
        creates_cron: a ``threads:read`` that is the second event of a new cron on a thread.
        writes_cron: a cron is created or changed.
        edits_payload: a ``crons:update`` that changes what runs, and not only when.
        assistant: the graph or assistant of a run or cron, or the graph of an assistant.
        metadata_graphs: the graphs and assistants that metadata name. The server runs those of a thread.
        changes_state: a ``threads:update`` that changes a thread's state, which runs a part of its graph.
        webhooks: the webhook addresses of a run or cron.
        delays: the values of ``after_seconds`` of a run or cron.
        for_copy: a ``threads:read`` that is the first event of a copy.
        lists: the lists of people that a thread gets. Read only while sharing is on.
        changes_more: a change of a thread has more than lists.
        steering: how a run, cron or assistant moves a paused graph. None if no rule needs it.
    """

    event: str
    controls_run: bool = False
    bulk: bool = False
    deletes_run: bool = False
    copies_thread: bool = False
    creates_cron: bool = False
    writes_cron: bool = False
    edits_payload: bool = False
    assistant: str | None = None
    metadata_graphs: tuple[str, ...] = ()
    changes_state: bool = False
    webhooks: tuple[object, ...] = ()
    delays: tuple[object, ...] = ()
    for_copy: bool = False
    lists: Mapping[str, object] = NO_LISTS
    changes_more: bool = False
    steering: Steering | None = None


def read_event(event: str, value: Value) -> AccessRequest:
    """Return a request of which only the event matters."""
    del value
    return AccessRequest(event)


def read_new_thread(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:create``."""
    return AccessRequest(
        event,
        # Only a copy comes without metadata. The server copies those of the original.
        copies_thread="metadata" not in value,
        metadata_graphs=_metadata_graphs(_holders(value)),
    )


def read_thread_access(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:read``; with metadata it belongs to a new cron."""
    return AccessRequest(event, creates_cron="metadata" in value)


def read_thread_change(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:update``: of metadata, of state, or an action on runs."""
    controls_run = value.get("action") is not None
    names_thread = value.get("thread_id") is not None
    return AccessRequest(
        event,
        controls_run=controls_run,
        bulk=not names_thread,
        # For a change of state the server shows the thread's id alone: neither the change nor the graph.
        changes_state=names_thread and not controls_run and "metadata" not in value,
        metadata_graphs=_metadata_graphs(_holders(value), is_stored_thread=True),
    )


def read_thread_deletion(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:delete``: of a thread or of one of its runs."""
    return AccessRequest(event, deletes_run=value.get("run_id") is not None)


def read_run(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:create_run``."""
    holders = _holders(value)
    return AccessRequest(
        event,
        # The server gives a UUID or text. A missing id becomes text that matches no allowed graph.
        assistant=str(value.get("assistant_id")),
        metadata_graphs=_metadata_graphs(holders),
        webhooks=_members(holders, "webhook"),
        delays=_members(holders, "after_seconds"),
    )


def read_assistant(event: str, value: Value) -> AccessRequest:
    """Read an ``assistants:create`` or ``assistants:update``."""
    # The server names an older version by its number and does not show its graph. "" is never an allowed graph.
    graph = value.get("graph_id") or ("" if "version" in value else None)
    return AccessRequest(
        event, assistant=None if graph is None else str(graph), metadata_graphs=_metadata_graphs(_holders(value))
    )


def read_new_cron(event: str, value: Value) -> AccessRequest:
    """Read a ``crons:create``."""
    return _read_cron(event, value, str(get_payload(value).get("assistant_id")))


def read_cron_change(event: str, value: Value) -> AccessRequest:
    """Read a ``crons:update``; its payload is the whole body of the PATCH."""
    payload: object = value.get("payload")
    assistant = get_payload(value).get("assistant_id")
    request = _read_cron(event, value, None if assistant is None else str(assistant))
    # Fail closed: any key that is not only about time counts as a change of what runs.
    edits = not isinstance(payload, dict) or not SCHEDULE_KEYS.issuperset(cast("Value", payload))
    return request._replace(edits_payload=edits)


def _read_cron(event: str, value: Value, assistant: str | None) -> AccessRequest:
    holders = _holders(value)
    return AccessRequest(
        event,
        writes_cron=True,
        assistant=assistant,
        metadata_graphs=_metadata_graphs(holders),
        webhooks=_members(holders, "webhook"),
        delays=_members(holders, "after_seconds"),
    )


def get_payload(value: Value) -> Value:
    """Return the run that a cron will start, or an empty one."""
    payload = value.get("payload")
    return cast("Value", payload) if isinstance(payload, dict) else {}


def read_ids(value: Value) -> dict[str, str]:
    """Return the ids that a value names, for the observer."""
    found = {key: value.get(key) or _member(value.get("payload"), key) for key in ID_KEYS}
    if "method" in value:
        # A command on Aegra. The server ignores an assistant that is not in its params.
        found["assistant_id"] = _member(value.get("params"), "assistant_id")
    return {key: str(member)[:MAX_ID_LENGTH] for key, member in found.items() if member is not None}


def _holders(value: Value) -> list[Value]:
    """Return what may hold parts of a run: the value, a run's ``kwargs`` and a cron's ``payload``."""
    found = (value, value.get("kwargs"), value.get("payload"))
    return [holder for holder in found if isinstance(holder, dict)]


def _members(holders: list[Value], key: str) -> tuple[object, ...]:
    return tuple([holder[key] for holder in holders if holder.get(key) is not None])


def _metadata_graphs(holders: list[Value], *, is_stored_thread: bool = False) -> tuple[str, ...]:
    """Return the graphs and assistants that a client's metadata name.

    ``metadata.graph_id`` of a thread names the graph that a change of its state runs. ``metadata.assistant_id`` names
    the assistant that resumes it. The metadata of a run, also in its config, become those of a new thread
    (langgraph_runtime_inmem 0.36.7).
    """
    found: list[str] = []
    for holder in holders:
        for metadata in (holder.get("metadata"), _member(holder.get("config"), "metadata")):
            if not isinstance(metadata, dict):
                continue
            named = cast("Value", metadata)
            if "graph_id" in named:
                found.append(_graph_name(named["graph_id"]))
            if "assistant_id" in named:
                # The server writes it together with graph_id. On a stored thread, a client could hide the graph_id.
                found.append("" if is_stored_thread else _graph_name(named["assistant_id"]))
    return tuple(found)


def _graph_name(name: object) -> str:
    # A name that is not text matches no allowed graph.
    return name if isinstance(name, str) else ""


def _member(holder: object, key: str) -> object:
    return cast("Value", holder).get(key) if isinstance(holder, dict) else None
