"""What moves a paused graph, read from the values of runs, crons and assistants.

A graph pauses at an ``interrupt()`` or at a breakpoint. *Steering* is all that moves it other than new input. The rules
that decide about it are in ``approvals``. Measured on langgraph 1.2 and langgraph_api 0.16.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast

from .access_request import get_payload
from .reserved_keys import find_configurable

if TYPE_CHECKING:
    from .access_request import Value

INTERNAL_PREFIX = "__pregel"
"""How the keys begin by which LangGraph controls a run, such as ``__pregel_resuming``."""
CHECKPOINT_KEYS = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""The keys of ``configurable`` that name a checkpoint. Empty values name none."""
BREAKPOINTS = ("interrupt_before", "interrupt_after")
"""They replace the breakpoints of the graph, also with those that it never reaches."""
INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")
"""LangGraph takes a mapping with any other key as one value, which answers whatever question is pending."""
PROTOCOL_KEYS = frozenset({"__event_streaming_v2", "thread_id"})
"""What v2 commands add to the ``configurable`` of a run (langgraph_api 0.16.7, event_streaming/service.py)."""


class Steering(NamedTuple):
    """How a run, cron or assistant moves a paused graph.

    Attributes:
        steers: it moves, or could move, a paused graph.
        continues: it uses the stored state of the thread, and not only new input.
        is_resume: a pure resume: a command with ``resume`` and nothing else that steers.
        names_interrupts: the resume has a value for each of its interrupt ids.
        is_bare: nothing beside the resume: no input, configuration or context.
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
        is_resume=not controls and not breaks and _is_resume(command),
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


def read_assistant_steering(value: Value) -> Steering:
    """Read the steering of an assistant. The server merges its configuration into each run, after the handlers."""
    return Steering(steers=_controls_graph(value))


def _controls_graph(holder: Value) -> bool:
    """Return whether the configuration or context names a checkpoint or has an internal key of LangGraph."""
    # The server copies the context of a run or assistant into configurable.
    for keys in (find_configurable(holder), _table(holder.get("context"))):
        if any(key.startswith(INTERNAL_PREFIX) for key in keys) or any(keys.get(key) for key in CHECKPOINT_KEYS):
            return True
    return False


def _sets_breakpoints(holder: Value) -> bool:
    return any(holder.get(key) is not None for key in BREAKPOINTS)


def _is_resume(command: object) -> bool:
    parts = _table(command)
    # Clients may send the parts that they do not use as null or as an empty list.
    return "resume" in parts and all(part is None or part == [] for key, part in parts.items() if key != "resume")


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
