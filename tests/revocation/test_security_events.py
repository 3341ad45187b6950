"""Security event tokens (RFC 8417) with events of CAEP and RISC."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import DAY, NOON
from kit.notices import PUBLIC_URL, WEB_CLIENT, NoticeHarness
from kit.tokens import json_text

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.revocation.notices import EVENT_HINTS
from oidc_auth.revocation.redis import STREAM
from oidc_auth.revocation.security_events import ACCOUNT_EVENTS, SESSION_REVOKED
from oidc_auth.testing.issuer import EVENT_NAMES

if TYPE_CHECKING:
    from kit.redis_server import RedisServer

ISSUER, OTHER = "https://issuer.test", "https://other.test"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
ALICE = {"format": "iss_sub", "iss": ISSUER, "sub": "alice"}
SESSION = {"format": "opaque", "id": "s1"}


@pytest.fixture
def harness() -> NoticeHarness:
    return NoticeHarness()


@pytest.mark.parametrize("event", EVENT_NAMES)
def test_event_ends_earlier_tokens_of_user(harness: NoticeHarness, event: str) -> None:
    before, of_bob = harness.issuer.token("alice", sid="s"), harness.issuer.token("bob")
    assert harness.event(harness.issuer.security_event(event, "alice")) is None
    assert [harness.authenticate(token) for token in (before, of_bob)] == [ErrorCode.TOKEN_REVOKED, None]
    assert harness.entries() == {(ISSUER, "subject", "alice", 0.0)}
    harness.clock.advance(1)
    assert harness.authenticate(harness.issuer.token("alice", sid="s")) is None


def test_events_are_those_of_caep_and_risc() -> None:
    assert {SESSION_REVOKED, *ACCOUNT_EVENTS} == {
        "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
        "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
        "https://schemas.openid.net/secevent/risc/event-type/account-purged",
        "https://schemas.openid.net/secevent/risc/event-type/account-credential-change-required",
    }


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://else.test"}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"audience": "else"}, ErrorCode.AUDIENCE_MISMATCH),
        ({"aud": None}, ErrorCode.AUDIENCE_MISMATCH),
        ({"iat": NOON + 31}, ErrorCode.TOKEN_ISSUED_IN_FUTURE),
        ({"nbf": NOON + 31}, ErrorCode.TOKEN_NOT_YET_VALID),
        ({"iat": None}, ErrorCode.NOTICE_INVALID),
        ({"jti": None}, ErrorCode.NOTICE_INVALID),
        ({"jti": ""}, ErrorCode.NOTICE_INVALID),
        ({"exp": NOON + 300}, ErrorCode.NOTICE_INVALID),
        ({"events": None}, ErrorCode.NOTICE_INVALID),
        ({"events": {}}, ErrorCode.NOTICE_INVALID),
        ({"events": [SESSION_REVOKED]}, ErrorCode.NOTICE_INVALID),
        ({"events": {SESSION_REVOKED: "x"}}, ErrorCode.NOTICE_INVALID),
        ({"events": {VERIFICATION: []}}, ErrorCode.NOTICE_INVALID),
        ({"events": {SESSION_REVOKED: {"event_timestamp": "now"}}}, ErrorCode.NOTICE_INVALID),
        ({"events": {SESSION_REVOKED: {"event_timestamp": True}}}, ErrorCode.NOTICE_INVALID),
        ({"events": {SESSION_REVOKED: {"event_timestamp": -5}}}, ErrorCode.NOTICE_INVALID),
        ({"sub_id": None}, ErrorCode.NOTICE_INVALID),
        ({"sub_id": None, "sub": "alice"}, ErrorCode.NOTICE_INVALID),
    ],
)
def test_violated_rule_returns_its_code(harness: NoticeHarness, claims: dict[str, Any], code: ErrorCode) -> None:
    assert harness.event(harness.issuer.security_event(**claims)) is code
    assert harness.entries() == set()


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "at+jwt", None])
def test_typ_must_be_that_of_events(harness: NoticeHarness, typ: str | None) -> None:
    assert harness.event(harness.issuer.security_event(header={"typ": typ})) is ErrorCode.TYP_NOT_ALLOWED


def test_full_media_type_is_accepted(harness: NoticeHarness) -> None:
    token = harness.issuer.security_event(header={"typ": "application/secevent+jwt"})
    assert harness.event(token) is None


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_weak_algorithm_is_rejected(harness: NoticeHarness, alg: str) -> None:
    assert harness.event(harness.issuer.security_event(header={"alg": alg})) is ErrorCode.ALG_NOT_ALLOWED


def test_key_of_other_issuer_is_rejected(harness: NoticeHarness) -> None:
    token = harness.issuer.security_event(key=harness.other.keys[0])
    assert harness.event(token) is ErrorCode.SIGNATURE_INVALID


def test_other_tokens_are_no_events(harness: NoticeHarness) -> None:
    for token in (
        harness.issuer.token(),
        harness.issuer.logout_token(client="agents"),
        harness.issuer.logout_token(client="agents", header={"typ": "secevent+jwt"}),
    ):
        assert harness.event(token) is not None
    assert harness.entries() == set()


def test_event_is_no_access_token(harness: NoticeHarness) -> None:
    token = harness.issuer.security_event(sub="alice", exp=NOON + 300)
    assert harness.authenticate(token) is ErrorCode.TYP_NOT_ALLOWED


@pytest.mark.parametrize("audience", ["agents", WEB_CLIENT, PUBLIC_URL])
def test_audience_is_name_of_server(harness: NoticeHarness, audience: str) -> None:
    assert harness.event(harness.issuer.security_event(audience=audience)) is None


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (ALICE, {("subject", "alice")}),
        # The id of a session or of a user.
        (SESSION, {("subject", "s1"), ("session", "s1")}),
        ({"format": "complex", "session": SESSION}, {("session", "s1")}),
        ({"format": "complex", "user": ALICE}, {("subject", "alice")}),
        ({"format": "complex", "user": ALICE, "tenant": {"format": "opaque", "id": "t"}}, {("subject", "alice")}),
        (
            {"format": "complex", "user": ALICE, "session": SESSION},
            {("session", "s1"), ("subject_without_session", "alice")},
        ),
    ],
)
def test_session_revoked_ends_its_subject(
    harness: NoticeHarness, subject: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert harness.event(harness.issuer.security_event("session-revoked", subject)) is None
    assert {entry[1:3] for entry in harness.entries()} == expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (ALICE, {("subject", "alice")}),
        ({"format": "opaque", "id": "alice"}, {("subject", "alice")}),
        ({"format": "complex", "user": ALICE, "session": SESSION}, {("subject", "alice")}),
    ],
)
def test_account_event_ends_user(
    harness: NoticeHarness, subject: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert harness.event(harness.issuer.security_event("account-disabled", subject)) is None
    assert {entry[1:3] for entry in harness.entries()} == expected


@pytest.mark.parametrize(
    "subject",
    [
        {},
        {"format": "email", "email": "alice@acme.test"},
        {"format": "iss_sub", "sub": "alice"},
        {"format": "iss_sub", "iss": ISSUER},
        {"format": "iss_sub", "iss": ISSUER, "sub": ""},
        {"format": "opaque"},
        {"format": "opaque", "id": 5},
        {"format": "complex"},
        {"format": "complex", "device": SESSION},
        {"format": "complex", "user": "alice"},
        {"format": "complex", "user": ALICE, "session": "s1"},
        {"format": "complex", "user": {"format": "complex", "user": ALICE}},
        {"user": ALICE},
        {"format": ["iss_sub"], "iss": ISSUER, "sub": "alice"},
    ],
)
def test_unusable_subject_is_refused(harness: NoticeHarness, subject: dict[str, Any]) -> None:
    assert harness.event(harness.issuer.security_event("session-revoked", subject)) is ErrorCode.NOTICE_INVALID
    assert harness.entries() == set()


def test_account_event_about_session_is_refused(harness: NoticeHarness) -> None:
    subject = {"format": "complex", "session": SESSION}
    assert harness.event(harness.issuer.security_event("account-disabled", subject)) is ErrorCode.NOTICE_INVALID


@pytest.mark.parametrize("complex_subject", [True, False])
def test_issuer_speaks_only_for_own_subjects(harness: NoticeHarness, *, complex_subject: bool) -> None:
    foreign = harness.other.token("alice")
    subject: dict[str, Any] = {"format": "iss_sub", "iss": OTHER, "sub": "alice"}
    if complex_subject:
        subject = {"format": "complex", "user": subject}
    assert harness.event(harness.issuer.security_event("account-disabled", subject)) is ErrorCode.NOTICE_INVALID
    assert harness.event(harness.issuer.security_event("account-disabled", "alice")) is None
    assert harness.authenticate(foreign) is None


def test_event_ends_tokens_of_all_names() -> None:
    alias = "https://alias.test"
    harness = NoticeHarness(aliases=[alias], jwks_uri="https://issuer.test/keys")
    token = harness.issuer.token("alice")
    subject = {"format": "iss_sub", "iss": alias, "sub": "alice"}
    assert harness.event(harness.issuer.security_event("account-disabled", subject)) is None
    assert harness.authenticate(token) is ErrorCode.TOKEN_REVOKED
    assert {entry[0] for entry in harness.entries()} == {ISSUER, alias}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (NOON - 60, -60.0),
        (NOON - 0.5, -0.5),
        # Later than its own token, also in milliseconds.
        (NOON + 60, 0.0),
        (NOON * 1_000, 0.0),
        (10**19, 0.0),
    ],
)
def test_event_is_never_later_than_its_token(harness: NoticeHarness, stated: float, expected: float) -> None:
    token = harness.issuer.security_event(events={SESSION_REVOKED: {"event_timestamp": stated}})
    assert harness.event(token) is None
    assert harness.entries() == {(ISSUER, "subject", "alice", expected)}


def test_event_without_timestamp_counts_as_of_iat(harness: NoticeHarness) -> None:
    token = harness.issuer.security_event(iat=NOON - 40, events={SESSION_REVOKED: {}})
    assert harness.event(token) is None
    assert harness.entries() == {(ISSUER, "subject", "alice", -40.0)}


def test_old_event_ends_nothing_newer(harness: NoticeHarness) -> None:
    event = harness.issuer.security_event()
    harness.clock.advance(600)
    newer = harness.issuer.token("alice")
    assert harness.event(event) is None
    assert harness.authenticate(newer) is None


def test_repeated_event_is_accepted(redis_server: RedisServer) -> None:
    harness = NoticeHarness(redis_server.address)
    event = harness.issuer.security_event()
    assert [harness.event(event) for _ in range(4)] == [None] * 4
    harness.clock.advance(200 * DAY)
    # It has no exp, so it can be sent for years.
    assert harness.event(event) is None
    assert redis_server.call("XLEN", STREAM) == 1


def test_event_of_an_outage_must_be_sent_again(redis_server: RedisServer) -> None:
    harness = NoticeHarness(redis_server.address)
    event = harness.issuer.security_event()
    redis_server.kill()
    # This process refuses alice now, and would be the only one if it ended.
    assert [harness.event(event) for _ in range(2)] == [ErrorCode.REVOCATIONS_UNAVAILABLE] * 2
    redis_server.start()
    assert [harness.event(event) for _ in range(3)] == [None] * 3
    assert redis_server.call("XLEN", STREAM) == 1


@pytest.mark.parametrize("event", [VERIFICATION, "https://else.test/event", "session-Revoked"])
def test_unknown_event_is_accepted_without_effect(harness: NoticeHarness, event: str) -> None:
    token = harness.issuer.security_event(event, {"format": "opaque", "id": "stream"})
    assert harness.event(token) is None
    assert harness.event(harness.issuer.security_event(event, sub_id=None)) is None
    assert harness.entries() == set()


def test_known_event_beside_unknown_one_counts(harness: NoticeHarness) -> None:
    token = harness.issuer.security_event(events={VERIFICATION: {}, SESSION_REVOKED: {}})
    assert harness.event(token) is None
    assert harness.entries() == {(ISSUER, "subject", "alice", 0.0)}


def test_one_bad_event_refuses_all(harness: NoticeHarness) -> None:
    bad = {SESSION_REVOKED: {}, ACCOUNT_EVENTS[0]: {"event_timestamp": "now"}}
    assert harness.event(harness.issuer.security_event(events=bad)) is ErrorCode.NOTICE_INVALID
    assert harness.entries() == set()


def test_hint_and_log_are_for_events(harness: NoticeHarness, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TokenError) as caught:
        asyncio.run(harness.notices.receive_event(harness.issuer.security_event(audience="else")))
    assert caught.value.hint == EVENT_HINTS[ErrorCode.AUDIENCE_MISMATCH]
    caplog.set_level("INFO")
    assert harness.event(harness.issuer.security_event("session-revoked", "secret-person")) is None
    assert ("secret-person" in caplog.text, ISSUER in caplog.text) == (False, True)


def test_json_text_with_repeated_event_is_rejected(harness: NoticeHarness) -> None:
    # A parser that keeps the last one could miss the event.
    key = harness.issuer.keys[0]
    from oidc_auth.testing.signing import encode_base64url

    header = json_text({"alg": key.algorithm, "kid": key.kid, "typ": "secevent+jwt"})
    claims = json_text({"iss": ISSUER, "aud": "agents", "iat": NOON, "jti": "1", "events": {}}, '"events": {"a": {}}')
    signing_input = f"{encode_base64url(header)}.{encode_base64url(claims)}"
    token = f"{signing_input}.{encode_base64url(key.sign(signing_input.encode()))}"
    assert harness.event(token) is ErrorCode.TOKEN_JSON_INVALID
