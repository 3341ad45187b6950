"""What the scheduler may do, and as whom a cron's run acts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.enforcement.access_request import MalformedError
from oidc_auth.enforcement.authorize import ServerFacts
from oidc_auth.enforcement.decision import Decision, Restriction
from oidc_auth.enforcement.enforce import enforce
from oidc_auth.enforcement.limits import EnforcementSettings
from oidc_auth.permissions.names import EVENTS

SCHEDULER = SimpleNamespace(identity="alice")
"""A user without ``permissions``."""
FIRE = ServerFacts(is_studio=False, in_request=False, expiry_leeway=None)
NOW = 10.0
SINCE = 5
AUTHORIZED = {"authorized_for": "digest-of-alice", "authorized_at": SINCE}
OWN = {"owner": "alice"}


def enforce_event(event: str, value: dict[str, Any], facts: ServerFacts = FIRE, **settings: Any) -> Decision:
    return enforce(SCHEDULER, event, value, EnforcementSettings(**settings), NOW, facts)


def fire(**metadata: Any) -> dict[str, Any]:
    stored = {"langgraph_auth_user": SCHEDULER, "langgraph_auth_permissions": ["*@all"]}
    return {
        "metadata": {"owner": "alice", "authorized_until": 20, **metadata},
        "kwargs": {"config": {"configurable": stored}},
    }


@pytest.mark.parametrize("tenants", [{"tenant": "acme"}, {"tenant": None}, {}])
def test_fire_carries_its_user_without_permissions(tenants: dict[str, Any]) -> None:
    value = fire(**tenants)
    decision = enforce_event("threads:create_run", value)
    assert decision.filter == Restriction({**OWN, **tenants})
    assert value["metadata"] == {**OWN, **tenants}
    expected = {
        "identity": "alice",
        "display_name": "alice",
        "is_authenticated": True,
        "has_tenants": bool(tenants),
        **tenants,
    }
    assert value["kwargs"]["config"]["configurable"] == {
        "langgraph_auth_user": expected,
        "langgraph_auth_permissions": [],
    }


@pytest.mark.parametrize("kwargs", [None, {}, {"config": None}, {"config": {"configurable": {}}}])
def test_fire_without_place_for_its_user_fails(kwargs: Any) -> None:
    with pytest.raises(MalformedError):
        enforce_event("threads:create_run", {**fire(), "kwargs": kwargs})


@pytest.mark.parametrize(
    ("metadata", "settings", "code"),
    [
        ({"owner": "bob"}, {}, ErrorCode.SCHEDULER_NOT_ALLOWED),
        ({"owner": None}, {}, ErrorCode.SCHEDULER_NOT_ALLOWED),
        ({"authorized_until": 10}, {}, ErrorCode.CRON_EXPIRED),
        ({"authorized_until": None}, {}, ErrorCode.CRON_EXPIRED),
        ({"authorized_until": True}, {}, ErrorCode.CRON_EXPIRED),
        ({"authorized_until": "20"}, {}, ErrorCode.CRON_EXPIRED),
        ({"authorized_until": float("nan")}, {}, ErrorCode.CRON_EXPIRED),
        ({}, {"crons": "deny"}, ErrorCode.CRONS_DISABLED),
    ],
)
def test_cron_needs_current_authorization(metadata: dict[str, Any], settings: Any, code: ErrorCode) -> None:
    assert enforce_event("threads:create_run", fire(**metadata), **settings).code is code


def test_boolean_is_no_expiry_time() -> None:
    decision = enforce(
        SCHEDULER, "threads:create_run", fire(authorized_until=True), EnforcementSettings(), now=0.5, facts=FIRE
    )
    assert decision.code is ErrorCode.CRON_EXPIRED


def test_cron_run_respects_limits() -> None:
    value = fire() | {"after_seconds": 10**6}
    assert enforce_event("threads:create_run", value).code is ErrorCode.DELAY_NOT_ALLOWED


def answer_with(code: ErrorCode | None, asked: list[Any] | None = None) -> ServerFacts:
    """Return facts whose check of revocations always answers with ``code``."""

    def find_cron_denial(*question: object) -> ErrorCode | None:
        if asked is not None:
            asked.append(question)
        return code

    return FIRE._replace(find_cron_denial=find_cron_denial)


def test_cron_of_valid_user_runs() -> None:
    asked: list[Any] = []
    assert enforce_event("threads:create_run", fire(**AUTHORIZED), answer_with(None, asked)).allowed
    assert asked == [("digest-of-alice", SINCE, NOW)]


@pytest.mark.parametrize("code", [ErrorCode.CRON_REVOKED, ErrorCode.REVOCATIONS_UNAVAILABLE])
def test_cron_of_revoked_user_does_not_run(code: ErrorCode) -> None:
    value = fire(**AUTHORIZED)
    decision = enforce_event("threads:create_run", value, answer_with(code))
    assert (decision.allowed, decision.code) == (False, code)
    assert value == fire(**AUTHORIZED)


@pytest.mark.parametrize(
    "change",
    [
        {"authorized_for": None},
        {"authorized_for": ""},
        {"authorized_for": 7},
        {"authorized_at": None},
        {"authorized_at": "5"},
        {"authorized_at": True},
    ],
)
def test_cron_without_known_user_does_not_run(change: dict[str, Any]) -> None:
    asked: list[Any] = []
    value = fire(**{**AUTHORIZED, **change})
    decision = enforce_event("threads:create_run", value, answer_with(None, asked))
    assert (decision.code, asked) == (ErrorCode.CRON_EXPIRED, [])


def test_older_cron_runs_without_revocations() -> None:
    assert enforce_event("threads:create_run", fire()).allowed


def test_expiry_is_decided_before_revocation() -> None:
    asked: list[Any] = []
    value = fire(**AUTHORIZED, authorized_until=9)
    assert enforce_event("threads:create_run", value, answer_with(None, asked)).code is ErrorCode.CRON_EXPIRED
    assert asked == []


def test_revoked_users_cron_may_still_clean_up() -> None:
    facts = answer_with(ErrorCode.CRON_REVOKED)
    assert enforce_event("threads:delete", {"run_id": "r"}, facts).allowed


@pytest.mark.parametrize(
    ("event", "value", "where"),
    [
        ("assistants:read", {}, {"$or": [OWN, {"created_by": "system"}]}),
        ("threads:update", {"action": "interrupt"}, OWN),
        ("threads:delete", {"run_id": "r"}, OWN),
        ("threads:delete", {}, {**OWN, "oidc_auth_temporary": True}),
    ],
)
def test_scheduler_cleans_up_own_runs(event: str, value: dict[str, Any], where: dict[str, Any]) -> None:
    before = dict(value)
    assert enforce_event(event, value).filter == Restriction(where)
    assert value == before


ALLOWED = {"assistants:read", "threads:create_run", "threads:delete"}


@pytest.mark.parametrize("event", [*EVENTS, "threads:archive"])
def test_scheduler_may_do_nothing_else(event: str) -> None:
    value = fire() | {"thread_id": "t"}
    assert enforce_event(event, value).allowed is (event in ALLOWED)


@pytest.mark.parametrize("event", EVENTS)
def test_graph_of_cron_has_no_permissions(event: str) -> None:
    for value in (fire(), fire() | {"action": "interrupt"}, fire() | {"run_id": "r"}):
        assert enforce_event(event, value, FIRE._replace(in_request=True)).code is ErrorCode.SCHEDULER_NOT_ALLOWED
