"""What moves a paused graph: read from the values of runs and crons, and removed from assistants.

A graph pauses at an ``interrupt()`` or at a breakpoint. *Steering* is all that moves it other than new input. The rules
that decide about it are in ``approvals``. Measured on langgraph 1.2 and langgraph_api 0.16.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast

from .access_request import get_payload
from .ownership import clean_change, stamp_object
from .reserved_keys import find_configurable

if TYPE_CHECKING:
    from .access_request import Value
    from .decision import AllowedAccess, Decision

INTERNAL_PREFIX = "__pregel"
"""How the keys begin by which LangGraph controls a run, such as ``__pregel_resuming``."""
CHECKPOINT_KEYS = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""The keys of ``configurable`` that name a checkpoint. Empty values name none."""
BREAKPOINTS = ("interrupt_before", "interrupt_after")
"""They replace the breakpoints of the graph, also with those that it never reaches."""
INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")
"""LangGraph takes a mapping with any other key as one value, which answers any pending question."""
PROTOCOL_KEYS = frozenset({"__event_streaming_v2", "thread_id"})
"""What v2 commands add to the ``configurable`` of a run (langgraph_api 0.16.7, event_streaming/service.py)."""


class Steering(NamedTuple):
    """How a run or cron moves a paused graph.

    Attributes:
        steers: it moves, or could move, a paused graph.
        continues: it uses the stored state of the thread, and not only new input.
        is_resume: a pure resume: a command with ``resume`` and nothing else that steers.
        names_interrupts: the resume has a value for each of its interrupt ids.
        is_bare: the run has no input, configuration or context.
    """

    steers: bool = False
    continues: bool = False
    is_resume: bool = False
    names_interrupts: bool = False
    is_bare: bool = False


def read_run_steering(value: Value) -> Steering:
    """Read the steering of a ``threads:create_run``."""
    kwargs = _table(value.get("kwargs"))
    on_thread = value.get("thread_id") is not None
    command = kwargs.get("command")
    # LangGraph passes an empty command like null input. A stateless run has no state that could continue.
    commands = command is not None and (bool(command) or on_thread)
    continues = on_thread and not command and kwargs.get("input") is None
    controls, breaks = _controls_graph(kwargs), _sets_breakpoints(kwargs)
    return Steering(
        steers=commands or continues or controls or breaks,
        continues=commands or continues or controls,
        # Without a thread there is nothing to resume, and the graph could run from its beginning.
        is_resume=on_thread and not controls and not breaks and _is_resume(command),
        names_interrupts=_names_interrupts(_table(command).get("resume")),
        is_bare=_is_bare(kwargs),
    )


def read_cron_steering(value: Value) -> Steering:
    """Read the steering of a new or changed cron, also by keys that its schema does not declare."""
    payload = get_payload(value)
    # A PATCH does not show whether the cron has a thread. It keeps the input that it does not name.
    on_thread = value.get("thread_id") is not None or "input" in payload
    steers = (
        any(payload.get(key) is not None for key in ("command", "checkpoint", "checkpoint_id"))
        or (on_thread and payload.get("input") is None)
        or _sets_breakpoints(payload)
        or _controls_graph(payload)
    )
    return Steering(steers=steers)


def stamp_assistant(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into a new assistant, and remove what steers."""
    _remove_controls(value)
    return stamp_object(value, access)


def clean_assistant(value: Value, access: AllowedAccess) -> Decision:
    """Remove the reserved keys from a changed assistant, and what steers."""
    _remove_controls(value)
    return clean_change(value, access)


def _remove_controls(value: Value) -> None:
    # The server merges an assistant into each of its runs, after the handlers. So no assistant may have such a key, in
    # no mode: an assistant outlives a change of langgraph.resume.
    for keys in _configuration(value):
        for key in [key for key in keys if key.startswith(INTERNAL_PREFIX) or key in CHECKPOINT_KEYS]:
            del keys[key]


def _controls_graph(holder: Value) -> bool:
    """Return whether the configuration or context names a checkpoint or has an internal key of LangGraph."""
    for keys in _configuration(holder):
        if any(key.startswith(INTERNAL_PREFIX) for key in keys) or any(keys.get(key) for key in CHECKPOINT_KEYS):
            return True
    return False


def _configuration(holder: Value) -> tuple[Value, Value]:
    # The server copies the context of a run or assistant into configurable.
    return find_configurable(holder), _table(holder.get("context"))


def _sets_breakpoints(holder: Value) -> bool:
    return any(holder.get(key) is not None for key in BREAKPOINTS)


def _is_resume(command: object) -> bool:
    parts = _table(command)
    # RemoteGraph sends the parts that it does not use: null, and an empty list for goto.
    others = [part for key, part in parts.items() if key != "resume" and not (key == "goto" and part == [])]
    return "resume" in parts and all(part is None for part in others)


def _names_interrupts(resume: object) -> bool:
    # An empty mapping names no interrupt, and would pass a breakpoint.
    keys = _table(resume)
    return bool(keys) and all(INTERRUPT_ID.fullmatch(key) for key in keys)


def _is_bare(kwargs: Value) -> bool:
    # ``context`` holds what the client sent as context or as configurable. The server adds headers to configurable.
    context = kwargs.get("context")
    return (
        not kwargs.get("input")
        and isinstance(context, dict)
        and PROTOCOL_KEYS.issuperset(cast("Value", context))
        and {"configurable"}.issuperset(_table(kwargs.get("config")))
    )


def _table(value: object) -> Value:
    return cast("Value", value) if isinstance(value, dict) else {}
