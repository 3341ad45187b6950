"""What moves a paused graph: every key of a run, cron or assistant."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_auth.enforcement.steering import (
    Steering,
    read_assistant_steering,
    read_cron_steering,
    read_run_steering,
)

ID = "0123456789abcdef" * 2
NEW, THREAD = {"thread_id": None}, {"thread_id": "t1"}
KWARGS: dict[str, Any] = {"input": {"text": "x"}, "command": None, "config": {"configurable": {}}, "context": {}}
CONTROLS: list[dict[str, Any]] = [
    {"config": {"configurable": {"__pregel_resuming": True}}},
    {"config": {"configurable": {"__pregel_anything": None}}},
    {"config": {"configurable": {"checkpoint_id": "1"}}},
    {"config": {"configurable": {"checkpoint_ns": "a"}}},
    {"config": {"configurable": {"checkpoint_map": {"": "1"}}}},
    {"context": {"__pregel_resume_map": {}}},
    {"context": {"checkpoint_id": "1"}},
]
BREAKS: list[dict[str, Any]] = [{"interrupt_before": []}, {"interrupt_after": "*"}, {"interrupt_before": ["a"]}]
HARMLESS: list[dict[str, Any]] = [
    {},
    {"config": None},
    {"config": {"configurable": {"checkpoint_ns": "", "checkpoint_id": None, "checkpoint_map": None}}},
    {"config": {"configurable": {"pregel": 1, "x__pregel": 1, "thread_id": "t"}, "tags": ["a"]}},
    {"context": {"model": "x"}},
    {"context": None},
    {"interrupt_before": None},
]


def steering(thread: dict[str, Any] = THREAD, **kwargs: Any) -> Steering:
    return read_run_steering({**thread, "kwargs": {**KWARGS, **kwargs}})


@pytest.mark.parametrize("kwargs", HARMLESS)
@pytest.mark.parametrize("thread", [NEW, THREAD])
def test_ordinary_run_does_not_steer(thread: dict[str, Any], kwargs: dict[str, Any]) -> None:
    assert not steering(thread, **kwargs).steers
    assert not read_cron_steering({**thread, "payload": {"input": {}, **kwargs}}).steers
    assert not read_assistant_steering(kwargs).steers


@pytest.mark.parametrize("kwargs", CONTROLS)
@pytest.mark.parametrize("thread", [NEW, THREAD])
def test_internal_key_or_checkpoint_steers(thread: dict[str, Any], kwargs: dict[str, Any]) -> None:
    found = steering(thread, **kwargs)
    assert (found.steers, found.continues, found.is_resume) == (True, True, False)
    assert not steering(thread, command={"resume": 1}, **kwargs).is_resume
    assert read_cron_steering({**thread, "payload": {"input": {}, **kwargs}}).steers
    assert read_assistant_steering(kwargs).steers


@pytest.mark.parametrize("kwargs", BREAKS)
@pytest.mark.parametrize("thread", [NEW, THREAD])
def test_breakpoints_steer_without_stored_state(thread: dict[str, Any], kwargs: dict[str, Any]) -> None:
    found = steering(thread, **kwargs)
    assert (found.steers, found.continues) == (True, False)
    assert not steering(thread, command={"resume": 1}, **kwargs).is_resume
    assert read_cron_steering({**thread, "payload": {"input": {}, **kwargs}}).steers


@pytest.mark.parametrize(
    ("command", "is_resume"),
    [
        ({"resume": "yes"}, True),
        ({"resume": None}, True),
        ({"resume": 0, "goto": None, "update": None, "graph": None}, True),
        ({"resume": 0, "goto": []}, True),
        ({"resume": 0, "goto": "a"}, False),
        ({"resume": 0, "update": {}}, False),
        ({"resume": 0, "update": {"a": 1}}, False),
        ({"resume": 0, "more": 1}, False),
        ({"goto": "a"}, False),
        ("resume", False),
        (["resume"], False),
    ],
)
def test_pure_resume_has_nothing_else(command: object, *, is_resume: bool) -> None:
    found = steering(command=command)
    assert (found.steers, found.continues, found.is_resume) == (True, True, is_resume)
    assert steering(NEW, command=command).steers
    assert read_cron_steering({**THREAD, "payload": {"input": {}, "command": command}}).steers


@pytest.mark.parametrize(
    ("thread", "kwargs", "steers"),
    [
        (THREAD, {"input": None}, True),
        (THREAD, {"command": {}}, True),
        (THREAD, {"command": {}, "input": None}, True),
        (NEW, {"input": None}, False),
        (NEW, {"command": {}}, False),
        (THREAD, {"input": {}}, False),
        (THREAD, {"input": []}, False),
        (THREAD, {"input": ""}, False),
    ],
)
def test_null_input_steers_stored_thread(thread: dict[str, Any], kwargs: dict[str, Any], *, steers: bool) -> None:
    found = steering(thread, **kwargs)
    assert (found.steers, found.continues, found.is_resume) == (steers, steers, False)


@pytest.mark.parametrize("kwargs", [{}, {"kwargs": None}, {"kwargs": [1]}, {"kwargs": {}}])
def test_run_without_readable_arguments_steers(kwargs: dict[str, Any]) -> None:
    assert read_run_steering({**THREAD, **kwargs}).steers


@pytest.mark.parametrize(
    ("resume", "named"),
    [
        ({ID: 1}, True),
        ({ID: 1, "f" * 32: None}, True),
        ({}, False),
        ({ID.upper(): 1}, False),
        ({ID[:-1]: 1}, False),
        ({f"{ID}\n": 1}, False),
        ({ID: 1, "x": 1}, False),
        ({"g" * 32: 1}, False),
        ({"\uff10" * 32: 1}, False),
        ([ID], False),
        (ID, False),
        (None, False),
    ],
)
def test_each_key_of_resume_is_interrupt_id(resume: object, *, named: bool) -> None:
    assert steering(command={"resume": resume}).names_interrupts is named


@pytest.mark.parametrize(
    ("kwargs", "is_bare"),
    [
        ({"input": None}, True),
        ({"input": {}}, True),
        ({"input": None, "config": None}, True),
        ({"input": None, "context": {"__event_streaming_v2": True, "thread_id": "t"}}, True),
        # The server adds its own keys and headers to configurable. Context has what the client sent.
        ({"input": None, "config": {"configurable": {"x-trace": "1", "langgraph_auth_user_id": "bob"}}}, True),
        ({"input": {"a": 1}}, False),
        ({"input": [1]}, False),
        ({"input": None, "context": {"model": "x"}}, False),
        ({"input": None, "context": None}, False),
        ({"input": None, "config": {"configurable": {}, "tags": []}}, False),
        ({"input": None, "config": {"configurable": {}, "metadata": {}}}, False),
        ({"input": None, "config": {"configurable": {}, "unknown": 1}}, False),
    ],
)
def test_bare_resume_brings_nothing(kwargs: dict[str, Any], *, is_bare: bool) -> None:
    assert steering(command={"resume": {ID: 1}}, **kwargs).is_bare is is_bare


@pytest.mark.parametrize(
    ("value", "steers"),
    [
        ({**THREAD, "payload": {}}, True),
        ({**THREAD, "payload": {"input": None}}, True),
        ({**NEW, "payload": {}}, False),
        ({"payload": {"schedule": "* * * * *"}}, False),
        ({"payload": {"input": None}}, True),
        ({"payload": {"input": {}}}, False),
        ({"payload": {"command": {}, "input": {}}}, True),
        ({"payload": {"command": None, "input": {}}}, False),
        ({"payload": {"checkpoint": {}, "input": {}}}, True),
        ({"payload": {"checkpoint_id": "1", "input": {}}}, True),
        ({"payload": None}, False),
    ],
)
def test_cron_steers_by_any_key(value: dict[str, Any], *, steers: bool) -> None:
    assert read_cron_steering(value).steers is steers
