"""The events that an observer receives, and what they measure."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import FrozenInstanceError, replace
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from kit.auth_harness import bearer
from langgraph_sdk import Auth
from starlette.exceptions import HTTPException

from oidc_auth import ErrorCode, OIDCAuth, OIDCAuthError, TokenError
from oidc_auth.langgraph.handlers import build_handler, deny_unknown
from oidc_auth.observability import AuthenticationDecided, AuthorizationDecided, EventReporter, KeysFetched
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from oidc_auth.observability import Event

TICK = 0.25
IDS: dict[str, Any] = {"thread_id": "t", "run_id": "r", "assistant_id": "agent", "cron_id": "c"}
ALICE: dict[str, Any] = {"identity": "alice", "issuer": "https://issuer.test", "tenant": "acme"}
OWN = {"owner": "alice", "tenant": "acme"}
USER = SimpleNamespace(**ALICE, permissions=["threads:read", "threads:search"], graphs=None)


class Observed:
    """An ``OIDCAuth`` with a timer that advances by one tick with each reading."""

    def __init__(self, mapper: Any = None) -> None:
        self.issuer = LocalIssuer(ALICE["issuer"])
        self.events: list[Event] = []
        readings = count(100, TICK)
        table = {"preset": "generic", "issuer": self.issuer.url, "audience": "agents"}
        self.oidc = OIDCAuth.from_dict(
            {"issuer": table},
            fetcher=self.issuer,
            observer=self.events.append,
            timer=lambda: next(readings),
            mapper=mapper,
        )

    def authenticate(self, token: str) -> list[Event]:
        """Return the events of one request."""
        self.events.clear()
        with contextlib.suppress(OIDCAuthError):
            asyncio.run(self.oidc.authenticate(bearer(token)))
        return list(self.events)

    def handle(self, event: str, value: dict[str, Any], user: object = USER, rule: Any = None) -> Event:
        """Return the one event of a handler."""
        self.events.clear()
        with contextlib.suppress(HTTPException, Auth.exceptions.HTTPException):
            asyncio.run(cast("Any", build_handler(event, self.oidc, rule))(ctx=SimpleNamespace(user=user), value=value))
        (observed,) = self.events
        return observed


def test_authentication_reports_issuer_cache_and_duration() -> None:
    observed = Observed()
    token = observed.issuer.token()
    fetched, first = observed.authenticate(token)
    assert fetched == KeysFetched(outcome="succeeded", issuer=observed.issuer.url, duration=TICK)
    # The timer was read twice more in between, for the fetch.
    expected = AuthenticationDecided(
        outcome="succeeded", issuer=observed.issuer.url, cached=False, duration=3 * TICK, identity="alice"
    )
    assert first == expected
    (again,) = observed.authenticate(token)
    assert again == replace(expected, cached=True, duration=TICK)


@pytest.mark.parametrize(
    ("claims", "code", "issuer"),
    [
        ({"aud": "other"}, "audience_mismatch", ALICE["issuer"]),
        ({"iss": "https://evil.test"}, "issuer_not_trusted", ""),
        ({"iss": ALICE["issuer"] + "/"}, "issuer_not_trusted", ""),
    ],
)
def test_refusal_names_configured_issuer_only(claims: dict[str, Any], code: str, issuer: str) -> None:
    observed = Observed()
    observed.authenticate(observed.issuer.token())
    (refused,) = observed.authenticate(observed.issuer.token(**claims))
    assert isinstance(refused, AuthenticationDecided)
    assert (refused.outcome, refused.code, refused.issuer) == ("failed", code, issuer)
    assert refused.duration > 0


def test_failing_mapper_is_reported_on_each_request() -> None:
    observed = Observed(mapper=lambda claims, caller: 1 / 0)
    token = observed.issuer.token()
    for duration in (3 * TICK, TICK):
        with pytest.raises(ZeroDivisionError):
            observed.authenticate(token)
        assert observed.events[-1] == AuthenticationDecided(
            outcome="failed", code="custom_rule_failed", issuer=observed.issuer.url, cached=False, duration=duration
        )


def test_refusal_by_mapper_is_reported_once() -> None:
    def refuse(claims: Any, caller: Any) -> Any:
        raise TokenError(ErrorCode.REQUIREMENT_NOT_MET)

    events = Observed(mapper=refuse)
    decided = [
        event for event in events.authenticate(events.issuer.token()) if isinstance(event, AuthenticationDecided)
    ]
    assert [event.code for event in decided] == ["requirement_not_met"]


def test_outage_reports_failed_fetch() -> None:
    observed = Observed()
    observed.issuer.fault = Fault.DOWN
    fetched, refused = observed.authenticate(observed.issuer.token())
    assert fetched == KeysFetched(outcome="failed", issuer=observed.issuer.url, duration=TICK)
    assert isinstance(refused, AuthenticationDecided)
    assert (refused.outcome, refused.code) == ("failed", "keys_unavailable")


def test_decision_reports_user_and_ids() -> None:
    assert Observed().handle("threads:read", dict(IDS)) == AuthorizationDecided(
        outcome="allowed",
        event="threads:read",
        permission="threads:read",
        filter=OWN,
        duration=TICK,
        **ALICE,
        **IDS,
    )


def test_decision_without_restriction_has_no_filter() -> None:
    administrator = SimpleNamespace(**{**vars(USER), "permissions": ["threads:read@all"]})
    allowed = Observed().handle("threads:read", dict(IDS), administrator)
    assert isinstance(allowed, AuthorizationDecided)
    assert (allowed.outcome, allowed.filter) == ("allowed", None)


def test_denial_reports_code_and_permission() -> None:
    denied = Observed().handle("crons:create", {"payload": {"assistant_id": "agent"}})
    assert denied == AuthorizationDecided(
        outcome="denied",
        code="permission_missing",
        event="crons:create",
        permission="crons:create",
        duration=TICK,
        assistant_id="agent",
        **ALICE,
    )


@pytest.mark.parametrize("user", [object(), SimpleNamespace(identity=5, issuer=None, tenant=["acme"])])
def test_odd_user_is_reported_without_text(user: object) -> None:
    observed = Observed().handle("threads:read", {}, user)
    assert observed == AuthorizationDecided(
        outcome="denied", code="user_unknown", event="threads:read", permission="threads:read", duration=TICK
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (False, "custom_rule_denied"),
        (HTTPException(418), "custom_rule_denied"),
        (Auth.exceptions.HTTPException(status_code=402), "custom_rule_denied"),
        (RuntimeError("secret"), "custom_rule_failed"),
        ({"owner": {"$in": ["alice"]}}, "custom_rule_failed"),
        (True, ""),
    ],
)
def test_custom_rule_decides_reported_outcome(answer: Any, code: str) -> None:
    async def rule(ctx: Any, value: dict[str, Any]) -> Any:
        value.clear()
        if isinstance(answer, Exception):
            raise answer
        return answer

    observed = Observed().handle("threads:read", {"thread_id": "t"}, rule=rule)
    assert isinstance(observed, AuthorizationDecided)
    assert (observed.outcome, observed.code) == ("denied" if code else "allowed", code)
    assert observed.thread_id == "t"


def test_unknown_event_with_odd_value_is_denied() -> None:
    handler = cast("Any", deny_unknown(Observed().oidc))
    with pytest.raises(HTTPException) as denial:
        asyncio.run(handler(ctx=SimpleNamespace(user=USER, resource="threads", action="archive"), value=None))
    assert denial.value.status_code == 403


class UnreadableUser:
    """A user with an attribute that cannot be read."""

    @property
    def identity(self) -> str:
        raise KeyError("secret")


@pytest.mark.parametrize(("user", "value"), [(UnreadableUser(), {}), (USER, None), (USER, "text")])
def test_unreportable_event_is_denied(user: object, value: object) -> None:
    observed = Observed()
    handler = cast("Any", build_handler("threads:read", observed.oidc))
    with pytest.raises(HTTPException) as denial:
        asyncio.run(handler(ctx=SimpleNamespace(user=user), value=value))
    assert (denial.value.status_code, denial.value.__suppress_context__, observed.events) == (403, True, [])


def test_unknown_event_is_reported() -> None:
    observed = Observed()
    ctx = SimpleNamespace(user=USER, resource="threads", action="archive")
    with pytest.raises(HTTPException):
        asyncio.run(cast("Any", deny_unknown(observed.oidc))(ctx=ctx, value=dict(IDS)))
    (event,) = observed.events
    assert event == AuthorizationDecided(
        outcome="denied",
        code="event_unknown",
        event="threads:archive",
        permission="threads:archive",
        duration=TICK,
        **ALICE,
        **IDS,
    )


def test_events_are_frozen_and_hide_persons() -> None:
    event = Observed().handle("threads:read", dict(IDS))
    with pytest.raises(FrozenInstanceError):
        cast("Any", event).code = "changed"
    assert "alice" not in repr(event)
    assert "acme" not in repr(event)
    assert hash(event)


def test_silent_reporter_reads_no_timer() -> None:
    def timer() -> float:
        raise AssertionError("the timer was read")

    reporter = EventReporter(timer=timer)
    assert reporter.elapsed(reporter.start()) == 0
