"""What the rules read from the values of the server."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_auth.enforcement.access_request import AccessRequest, read_ids
from oidc_auth.enforcement.event_rules import read_access_request
from oidc_auth.permissions.names import EVENTS

THREAD = {"thread_id": "t"}


def differing(event: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that differ from those of a bare event."""
    found, bare = read_access_request(event, value), AccessRequest(event)
    return {name: fact for name, fact in found._asdict().items() if fact != getattr(bare, name)}


@pytest.mark.parametrize(
    ("event", "value", "facts"),
    [
        ("threads:create", {"metadata": {}}, {}),
        ("threads:create", THREAD, {"copies_thread": True}),
        ("threads:read", THREAD, {}),
        ("threads:read", {**THREAD, "metadata": None}, {"creates_cron": True}),
        ("threads:update", {**THREAD, "metadata": {}}, {}),
        ("threads:update", {**THREAD, "action": "interrupt"}, {"controls_run": True}),
        ("threads:update", {"action": "interrupt"}, {"controls_run": True, "bulk": True}),
        ("threads:update", {}, {"bulk": True}),
        ("threads:update", THREAD, {"changes_state": True}),
        ("threads:delete", THREAD, {}),
        ("threads:delete", {**THREAD, "run_id": "r"}, {"deletes_run": True}),
        ("threads:create_run", {"assistant_id": "agent"}, {"assistant": "agent"}),
        ("threads:create_run", {}, {"assistant": "None"}),
        ("threads:create_run", {"kwargs": {"webhook": "w"}}, {"assistant": "None", "webhooks": ("w",)}),
        ("threads:create_run", {"after_seconds": 5}, {"assistant": "None", "delays": (5,)}),
        ("assistants:create", {"graph_id": "agent"}, {"assistant": "agent"}),
        ("assistants:update", {"graph_id": None}, {}),
        ("assistants:update", {"version": 2}, {"assistant": ""}),
        ("crons:create", {"payload": {"assistant_id": "a"}}, {"writes_cron": True, "assistant": "a"}),
        ("crons:create", {"payload": None}, {"writes_cron": True, "assistant": "None"}),
        ("crons:update", {"payload": {"schedule": "* * * * *", "timezone": "UTC"}}, {"writes_cron": True}),
        ("crons:update", {}, {"writes_cron": True, "edits_payload": True}),
        ("crons:update", {"payload": {"input": {}}}, {"writes_cron": True, "edits_payload": True}),
        (
            "crons:update",
            {"payload": {"assistant_id": "a"}},
            {"writes_cron": True, "edits_payload": True, "assistant": "a"},
        ),
        ("nothing:known", {"metadata": {"graph_id": "agent"}, "run_id": "r"}, {}),
    ],
)
def test_value_shows_what_request_wants(event: str, value: dict[str, Any], facts: dict[str, Any]) -> None:
    assert differing(event, value) == facts


WRITING = sorted(
    {f"{resource}:{action}" for resource in ("threads", "assistants", "crons") for action in ("create", "update")}
    | {"threads:create_run"}
)
PLACES = [
    lambda metadata: {"metadata": metadata},
    lambda metadata: {"config": {"metadata": metadata}},
    lambda metadata: {"kwargs": {"config": {"metadata": metadata}}},
    lambda metadata: {"payload": {"metadata": metadata}},
    lambda metadata: {"payload": {"config": {"metadata": metadata}}},
]


@pytest.mark.parametrize("event", WRITING)
@pytest.mark.parametrize("place", PLACES)
def test_every_write_shows_graphs_in_metadata(event: str, place: Any) -> None:
    assert read_access_request(event, place({"graph_id": "docs"})).metadata_graphs == ("docs",)
    assert read_access_request(event, place({"graph_id": ["docs"]})).metadata_graphs == ("",)
    assert read_access_request(event, place([1])).metadata_graphs == ()


@pytest.mark.parametrize("event", sorted({*EVENTS} - {*WRITING}))
def test_reads_name_no_graphs(event: str) -> None:
    assert read_access_request(event, {"metadata": {"graph_id": "docs"}}).metadata_graphs == ()


@pytest.mark.parametrize(
    ("event", "metadata", "named"),
    [
        ("threads:create", {"assistant_id": "agent"}, ("agent",)),
        ("threads:update", {"assistant_id": "agent"}, ("",)),
        ("threads:update", {"graph_id": "agent", "assistant_id": "agent"}, ("agent", "")),
    ],
)
def test_client_cannot_write_assistant_of_thread(event: str, metadata: dict[str, Any], named: tuple[str, ...]) -> None:
    """A thread of another graph would look like one of an allowed assistant."""
    assert read_access_request(event, {"metadata": metadata}).metadata_graphs == named


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ({}, {}),
        ({"thread_id": "t", "run_id": None, "assistant_id": "a"}, {"thread_id": "t", "assistant_id": "a"}),
        ({"cron_id": 5, "payload": {"assistant_id": "a"}}, {"cron_id": "5", "assistant_id": "a"}),
        ({"payload": None}, {}),
        ({"assistant_id": "x" * 500}, {"assistant_id": "x" * 200}),
        ({"method": "run.start", "assistant_id": "b", "params": {"assistant_id": "a"}}, {"assistant_id": "a"}),
        ({"method": "input.respond", "assistant_id": "b", "params": None, "thread_id": "t"}, {"thread_id": "t"}),
    ],
)
def test_ids_are_bounded_text(value: dict[str, Any], ids: dict[str, str]) -> None:
    assert read_ids(value) == ids
