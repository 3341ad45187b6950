from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import DAY, HOUR, NOON
from kit.revocations import ISSUER, RETENTION, revoked

from oidc_auth.revocation import live_set
from oidc_auth.revocation.entries import Kind, Revocation, digest_subject
from oidc_auth.revocation.live_set import LiveRevocations
from oidc_auth.tokens.states import VerifiedToken

if TYPE_CHECKING:
    from collections.abc import Mapping


async def current(_now: float) -> bool:
    return True


def token(claims: Mapping[str, object], issuer: str = ISSUER) -> VerifiedToken:
    return VerifiedToken(issuer, claims, NOON + HOUR, NOON + HOUR, current)


def live(*revocations: Revocation, now: float = NOON) -> LiveRevocations:
    found = LiveRevocations(RETENTION)
    for each in revocations:
        found.add(each, now)
    return found


CLAIMS = {"sub": "alice", "sid": "s1", "jti": "t1", "iat": NOON - 10}


@pytest.mark.parametrize(("kind", "value"), [(Kind.SUBJECT, "alice"), (Kind.SESSION, "s1"), (Kind.TOKEN, "t1")])
def test_revocation_meets_its_token_only(kind: Kind, value: str) -> None:
    found = live(revoked(value, kind, NOON))
    assert found.find(token(CLAIMS)) is kind
    assert found.find(token({"sub": "bob", "sid": "s2", "jti": "t2", "iat": NOON - 10})) is None
    # Values are unique at their issuer only.
    assert found.find(token(CLAIMS, "https://other.test")) is None


@pytest.mark.parametrize("kind", list(Kind))
def test_value_of_another_claim_is_no_match(kind: Kind) -> None:
    found = live(revoked("alice", kind, NOON))
    claim = {Kind.SESSION: "sid", Kind.TOKEN: "jti"}.get(kind, "sub")
    others = {name: "alice" for name in ("sub", "sid", "jti") if name != claim}
    assert found.find(token({**others, "iat": NOON - 10})) is None


@pytest.mark.parametrize("kind", [Kind.SUBJECT, Kind.SUBJECT_WITHOUT_SESSION])
@pytest.mark.parametrize(
    ("issued", "is_revoked"),
    [({"iat": NOON - 1}, True), ({"iat": NOON}, True), ({"iat": NOON + 1}, False), ({}, True), ({"iat": "x"}, True)],
)
def test_token_issued_after_revocation_is_valid(kind: Kind, issued: dict[str, object], is_revoked: Any) -> None:
    found = live(revoked("alice", kind, NOON))
    assert (found.find(token({"sub": "alice", **issued})) is not None) == is_revoked


@pytest.mark.parametrize(("session", "is_revoked"), [({"sid": "s1"}, False), ({}, True), ({"sid": 7}, True)])
def test_sessionless_revocation_spares_sessions(session: dict[str, object], is_revoked: Any) -> None:
    found = live(revoked("alice", Kind.SUBJECT_WITHOUT_SESSION, NOON))
    assert (found.find(token({"sub": "alice", "iat": NOON - 1, **session})) is not None) == is_revoked


def test_token_without_names_is_not_revoked() -> None:
    assert live(*(revoked("alice", kind, NOON) for kind in Kind)).find(token({})) is None


@pytest.mark.parametrize("odd", [["alice"], {"alice": 1}, 7, None, True])
@pytest.mark.parametrize("kind", list(Kind))
def test_odd_claim_hides_no_revocation(kind: Kind, odd: object) -> None:
    found = live(*(revoked("alice", each, NOON) for each in Kind))
    claim = {Kind.SESSION: "sid", Kind.TOKEN: "jti"}.get(kind, "sub")
    others = {name: odd for name in ("sub", "sid", "jti") if name != claim}
    expected = Kind.SUBJECT if claim == "sub" else kind
    assert found.find(token({**others, claim: "alice", "iat": NOON})) is expected
    assert found.find(token({"sub": odd, "sid": odd, "jti": odd})) is None


def test_latest_time_counts_in_any_order() -> None:
    early, late = revoked(at=NOON - 100), revoked(at=NOON)
    for order in ([early, late], [late, early]):
        found = live(*order)
        assert len(found) == 1
        assert [*found.entries(NOON)] == [late]
        assert found.includes(early)
        assert found.includes(late)


def test_addition_tells_what_is_new() -> None:
    found = LiveRevocations(RETENTION)
    answers = [found.add(revoked(at=NOON + step), NOON) for step in (0, 0, -1, 1)]
    assert answers == [True, False, False, True]


def test_expired_revocation_is_not_added() -> None:
    found = live(revoked("t1", Kind.TOKEN, NOON - DAY - 1), revoked("t2", Kind.TOKEN, NOON - DAY))
    assert [each.value for each in found.entries(NOON)] == ["t2"]


def test_subjects_are_kept_for_crons() -> None:
    found = live(revoked("alice", at=NOON), revoked("t1", Kind.TOKEN, NOON))
    assert {each.value for each in found.entries(NOON + DAY + 1)} == {"alice"}
    assert not [*found.entries(NOON + 2 * DAY + 1)]


@pytest.mark.parametrize("count", [1, live_set.SWEEP, 3 * live_set.SWEEP + 7])
def test_sweeps_remove_all_expired_entries(count: int) -> None:
    found = LiveRevocations(RETENTION)
    for number in range(count):
        # Live and expired entries alternate, so that a sweep must not stop at the first live one.
        found.add(revoked(f"user-{number}", at=NOON + number % 2 * HOUR), NOON)
    later = NOON + 2 * DAY + 1
    for _ in range(count // live_set.SWEEP + 2):
        found.remove_expired(later)
    assert len(found) == count // 2
    assert len([*found.entries(NOON)]) == count // 2


def test_cron_of_revoked_subject_is_found() -> None:
    found = live(revoked("alice", at=NOON))
    assert found.is_user_revoked(digest_subject(ISSUER, "alice"), NOON)
    assert not found.is_user_revoked(digest_subject(ISSUER, "alice"), NOON + 1)
    assert not found.is_user_revoked(digest_subject(ISSUER, "bob"), NOON)
    assert not found.is_user_revoked(digest_subject("https://other.test", "alice"), NOON)


def test_listener_hears_new_revocations_once() -> None:
    found, heard = LiveRevocations(RETENTION), list[Revocation]()
    found.listeners.add(heard.append)
    alice = revoked(at=NOON)
    found.add(alice, NOON)
    found.add(alice, NOON)
    assert heard == [alice]


def test_failing_listener_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    found, heard = LiveRevocations(RETENTION), list[Revocation]()

    def fail(revocation: Revocation) -> None:
        raise LookupError(revocation.value)

    for listener in (fail, heard.append):
        found.listeners.add(listener)
    found.add(revoked(at=NOON), NOON)
    assert len(heard) == 1
    assert "alice" not in caplog.text
    assert "LookupError" in caplog.text


def test_several_threads_add_and_read() -> None:
    found, failures = LiveRevocations(RETENTION), list[Exception]()

    def work(action: Any) -> None:
        try:
            for number in range(1_000):
                action(number)
        except Exception as error:  # noqa: BLE001 - the test shows it
            failures.append(error)

    actions = [
        lambda number: found.add(revoked(f"a-{number}", at=NOON), NOON),
        lambda number: found.add(revoked(f"b-{number}", at=NOON - 2 * DAY), NOON),
        lambda number: found.remove_expired(NOON + 1),
        lambda number: number % 100 or [*found.entries(NOON)],
    ]
    threads = [Thread(target=work, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found.remove_expired(NOON + 1)
    found.remove_expired(NOON + 1)
    assert len(found) == 1_000 == len([*found.entries(NOON)])
