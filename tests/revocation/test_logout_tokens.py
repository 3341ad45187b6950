"""Logout tokens: each check of OpenID Connect Back-Channel Logout 1.0 §2.6, and what a logout ends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import bearer
from kit.clock import DAY, NOON
from kit.notices import PUBLIC_URL, WEB_CLIENT, NoticeHarness, code_of, issuer_table
from kit.revocations import SECONDS
from kit.tokens import json_text

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.observability import RevocationReceived
from oidc_auth.revocation.entries import MAX_NAME
from oidc_auth.revocation.logout_tokens import LOGOUT_EVENT
from oidc_auth.revocation.notices import LOGOUT_HINTS
from oidc_auth.revocation.redis import STREAM
from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import encode_base64url

if TYPE_CHECKING:
    from kit.redis_server import RedisServer

ISSUER = "https://issuer.test"


@pytest.fixture
def harness() -> NoticeHarness:
    return NoticeHarness()


def test_valid_logout_token_ends_user(harness: NoticeHarness) -> None:
    before = harness.issuer.token("alice")
    assert harness.authenticate(before) is None
    assert harness.logout(harness.issuer.logout_token("alice")) is None
    # The token is in the cache.
    assert harness.authenticate(before) is ErrorCode.TOKEN_REVOKED
    assert harness.authenticate(harness.issuer.token("bob")) is None


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://else.test"}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"iss": None}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"client": "agents-mobile"}, ErrorCode.AUDIENCE_MISMATCH),
        # The audience of access tokens is not the client that logged the user in.
        ({"client": "agents"}, ErrorCode.AUDIENCE_MISMATCH),
        ({"client": PUBLIC_URL}, ErrorCode.AUDIENCE_MISMATCH),
        ({"aud": None}, ErrorCode.AUDIENCE_MISMATCH),
        ({"aud": [WEB_CLIENT, 5]}, ErrorCode.AUDIENCE_MISMATCH),
        ({"exp": None}, ErrorCode.TOKEN_EXPIRED),
        ({"exp": NOON - 31}, ErrorCode.TOKEN_EXPIRED),
        ({"exp": "soon"}, ErrorCode.TOKEN_EXPIRED),
        ({"nbf": NOON + 31}, ErrorCode.TOKEN_NOT_YET_VALID),
        ({"iat": NOON + 31}, ErrorCode.TOKEN_ISSUED_IN_FUTURE),
        ({"iat": "now"}, ErrorCode.TOKEN_ISSUED_IN_FUTURE),
        ({"iat": None}, ErrorCode.NOTICE_INVALID),
        ({"iat": 0}, ErrorCode.NOTICE_INVALID),
        ({"iat": -NOON}, ErrorCode.NOTICE_INVALID),
        ({"subject": None}, ErrorCode.NOTICE_INVALID),
        ({"sub": ""}, ErrorCode.NOTICE_INVALID),
        ({"sub": 5}, ErrorCode.NOTICE_INVALID),
        ({"sub": "x" * (MAX_NAME + 1)}, ErrorCode.NOTICE_INVALID),
        ({"sid": ""}, ErrorCode.NOTICE_INVALID),
        ({"sid": ["a"]}, ErrorCode.NOTICE_INVALID),
        ({"events": None}, ErrorCode.NOTICE_INVALID),
        ({"events": {}}, ErrorCode.NOTICE_INVALID),
        ({"events": [LOGOUT_EVENT]}, ErrorCode.NOTICE_INVALID),
        ({"events": LOGOUT_EVENT}, ErrorCode.NOTICE_INVALID),
        ({"events": {LOGOUT_EVENT: True}}, ErrorCode.NOTICE_INVALID),
        ({"events": {LOGOUT_EVENT: []}}, ErrorCode.NOTICE_INVALID),
        ({"events": {LOGOUT_EVENT.upper(): {}}}, ErrorCode.NOTICE_INVALID),
        ({"nonce": "n"}, ErrorCode.NOTICE_INVALID),
        ({"nonce": ""}, ErrorCode.NOTICE_INVALID),
        ({"jti": None}, ErrorCode.NOTICE_INVALID),
        ({"jti": ""}, ErrorCode.NOTICE_INVALID),
        ({"jti": 7}, ErrorCode.NOTICE_INVALID),
    ],
)
def test_violated_rule_returns_its_code(harness: NoticeHarness, claims: dict[str, Any], code: ErrorCode) -> None:
    assert harness.logout(harness.issuer.logout_token(**claims)) is code
    assert harness.entries() == set()


@pytest.mark.parametrize("name", ["nonce", "sub", "sid"])
def test_null_claim_is_malformed(harness: NoticeHarness, name: str) -> None:
    key = harness.issuer.keys[0]
    claims = {"iss": ISSUER, "aud": WEB_CLIENT, "iat": NOON, "exp": NOON + 60, "jti": "1", "events": {LOGOUT_EVENT: {}}}
    claims = {"sub": "alice", "sid": "s", **claims, name: None}
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "logout+jwt"}
    signing_input = ".".join(encode_base64url(json_text(part)) for part in (header, claims))
    token = f"{signing_input}.{encode_base64url(key.sign(signing_input.encode()))}"
    assert harness.logout(token) is ErrorCode.NOTICE_INVALID


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, ErrorCode.ALG_NOT_ALLOWED),
        ({"alg": "HS256"}, ErrorCode.ALG_NOT_ALLOWED),
        ({"alg": None}, ErrorCode.ALG_NOT_ALLOWED),
        ({"crit": ["exp"]}, ErrorCode.CRIT_NOT_SUPPORTED),
        ({"kid": "unknown"}, ErrorCode.KEY_NOT_FOUND),
        ({"typ": "at+jwt"}, ErrorCode.TYP_NOT_ALLOWED),
        ({"typ": "secevent+jwt"}, ErrorCode.TYP_NOT_ALLOWED),
        ({"typ": "dpop+jwt"}, ErrorCode.TYP_NOT_ALLOWED),
    ],
)
def test_header_must_be_that_of_logout_token(harness: NoticeHarness, header: dict[str, Any], code: ErrorCode) -> None:
    assert harness.logout(harness.issuer.logout_token(header=header)) is code
    assert harness.entries() == set()


@pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "JWT", None])
def test_typ_is_only_recommended(harness: NoticeHarness, typ: str | None) -> None:
    assert harness.logout(harness.issuer.logout_token(header={"typ": typ})) is None


def test_key_of_other_issuer_is_rejected(harness: NoticeHarness) -> None:
    key = harness.other.keys[0]
    assert harness.logout(harness.issuer.logout_token(key=key)) is ErrorCode.SIGNATURE_INVALID
    assert harness.logout(harness.other.logout_token(iss=ISSUER)) is ErrorCode.SIGNATURE_INVALID


def test_changed_token_is_rejected(harness: NoticeHarness) -> None:
    header, _, signature = harness.issuer.logout_token("alice").split(".")
    _, claims, _ = harness.issuer.logout_token("bob").split(".")
    assert harness.logout(f"{header}.{claims}.{signature}") is ErrorCode.SIGNATURE_INVALID


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c.d.e", "....", "é.é.é"])
def test_other_text_is_rejected(harness: NoticeHarness, token: str) -> None:
    assert harness.logout(token) in (ErrorCode.TOKEN_MALFORMED, ErrorCode.TOKEN_BASE64_INVALID)


def test_issuer_without_logout_clients_refuses(harness: NoticeHarness) -> None:
    for client in (WEB_CLIENT, "agents", "", PUBLIC_URL):
        assert harness.logout(harness.other.logout_token(client=client)) is ErrorCode.AUDIENCE_MISMATCH
    assert harness.entries() == set()


@pytest.mark.parametrize("audience", [WEB_CLIENT, "agents"])
def test_other_tokens_are_no_logout_tokens(harness: NoticeHarness, audience: str) -> None:
    id_token = {"header": {"typ": "JWT"}, "nonce": "n", "at_hash": "h", "sid": "s", "jti": "1"}
    for claims in (id_token, {**id_token, "nonce": None}, {"header": {"typ": "JWT"}}, {}):
        assert harness.logout(harness.issuer.token("alice", audience=audience, **claims)) is not None
    event = harness.issuer.security_event(audience=audience)
    assert harness.logout(event) is ErrorCode.TYP_NOT_ALLOWED
    assert harness.entries() == set()


@pytest.mark.parametrize(
    ("header", "claims", "code"),
    [
        ({}, {}, ErrorCode.TYP_NOT_ALLOWED),
        ({"typ": "JWT"}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        # Keycloak marks logout tokens a second time.
        ({"typ": "JWT"}, {"typ": "Logout", "events": None}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
    ],
)
def test_logout_token_is_no_access_token(
    harness: NoticeHarness, header: dict[str, Any], claims: dict[str, Any], code: ErrorCode
) -> None:
    token = harness.issuer.logout_token("alice", client="agents", session="s", header=header, **claims)
    assert harness.authenticate(token) is code


def test_sid_ends_session_and_tokens_without_sid(harness: NoticeHarness) -> None:
    issuer = harness.issuer
    ended, lasting, without = issuer.token(sid="s1"), issuer.token(sid="s2"), issuer.token()
    assert harness.logout(issuer.logout_token("alice", session="s1")) is None
    assert harness.entries() == {
        (ISSUER, "session", "s1", 0.0),
        (ISSUER, "subject_without_session", "alice", 0.0),
    }
    codes = [harness.authenticate(token) for token in (ended, without, lasting)]
    assert codes == [ErrorCode.TOKEN_REVOKED, ErrorCode.TOKEN_REVOKED, None]
    # Keycloak can issue a token of the old session until it has ended everywhere.
    harness.clock.advance(10)
    assert harness.authenticate(issuer.token(sid="s1")) is ErrorCode.TOKEN_REVOKED
    assert harness.authenticate(issuer.token()) is None


def test_sid_alone_ends_only_session(harness: NoticeHarness) -> None:
    issuer = harness.issuer
    ended, without = issuer.token(sid="s1"), issuer.token()
    assert harness.logout(issuer.logout_token(None, session="s1")) is None
    assert [harness.authenticate(token) for token in (ended, without)] == [ErrorCode.TOKEN_REVOKED, None]


def test_sub_alone_ends_all_older_tokens(harness: NoticeHarness) -> None:
    issuer = harness.issuer
    older = [issuer.token(sid="s1"), issuer.token()]
    assert harness.logout(issuer.logout_token("alice")) is None
    assert [harness.authenticate(token) for token in older] == [ErrorCode.TOKEN_REVOKED] * 2
    harness.clock.advance(1)
    assert harness.authenticate(issuer.token()) is None


def test_late_notice_counts_as_of_its_iat(harness: NoticeHarness) -> None:
    late = harness.issuer.logout_token("alice")
    harness.clock.advance(20)
    newer = harness.issuer.token("alice")
    harness.clock.advance(20)
    assert harness.logout(late) is None
    assert harness.authenticate(newer) is None


def test_clock_of_provider_may_be_ahead(harness: NoticeHarness) -> None:
    ahead = harness.issuer.token("alice", iat=NOON + 20)
    assert harness.logout(harness.issuer.logout_token("alice", iat=NOON + 25)) is None
    assert harness.authenticate(ahead) is ErrorCode.TOKEN_REVOKED


def test_replay_is_refused_and_ends_nothing_newer(harness: NoticeHarness) -> None:
    notice = harness.issuer.logout_token("alice", session="s1")
    assert harness.logout(notice) is None
    before = harness.entries()
    harness.clock.advance(5)
    newer = harness.issuer.token("alice")
    assert harness.logout(notice) is ErrorCode.NOTICE_REPLAYED
    assert harness.entries() == before
    assert harness.authenticate(newer) is None


def test_same_jti_of_other_logout_is_replay_only_if_known(harness: NoticeHarness) -> None:
    assert harness.logout(harness.issuer.logout_token("alice", jti="1")) is None
    # It ends something new, so it is no replay.
    assert harness.logout(harness.issuer.logout_token("bob", jti="1")) is None
    assert harness.logout(harness.issuer.logout_token("bob", jti="1")) is ErrorCode.NOTICE_REPLAYED
    assert harness.logout(harness.issuer.logout_token("bob", jti="2")) is None


def test_same_jti_of_other_issuer_is_no_replay() -> None:
    harness = NoticeHarness(aliases=["https://alias.test"], jwks_uri="https://issuer.test/keys")
    first = harness.issuer.logout_token("alice", jti="1")
    assert harness.logout(first) is None
    assert harness.logout(harness.issuer.logout_token("alice", jti="1", iss="https://alias.test")) is None


def test_logout_ends_tokens_of_all_names() -> None:
    harness = NoticeHarness(aliases=["https://alias.test"], jwks_uri="https://issuer.test/keys")
    token = harness.issuer.token("alice", iss="https://alias.test", sid="s")
    assert harness.authenticate(token) is None
    assert harness.logout(harness.issuer.logout_token("alice")) is None
    assert harness.authenticate(token) is ErrorCode.TOKEN_REVOKED


def test_notice_does_not_end_users_of_other_issuer(harness: NoticeHarness) -> None:
    same_name = harness.other.token("alice", sid="s")
    assert harness.logout(harness.issuer.logout_token("alice", session="s")) is None
    assert harness.logout(harness.issuer.logout_token("alice")) is None
    assert harness.authenticate(same_name) is None


def test_logout_of_one_tenant_keeps_others() -> None:
    issuer = LocalIssuer(algorithm="ES256")
    ours, theirs = "0f0f0f0f-1111-4222-8333-444444444444", "1f1f1f1f-1111-4222-8333-444444444444"
    table = {
        "preset": "generic",
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        "aliases": ["https://sts.windows.net/{tenantid}/"],
        "tenants": [ours, theirs],
        "tenant": "tid",
        "audience": "5a5a5a5a-1111-4222-8333-444444444444",
        "jwks": issuer.key_set(),
        "permission_map": {"claim": "scope", "accept": ["threads:read"]},
        "logout_clients": [WEB_CLIENT],
    }
    oidc = OIDCAuth.from_dict({"issuer": table, "revocation": {"store": "memory"}})
    names = [f"https://login.microsoftonline.com/{ours}/v2.0", f"https://sts.windows.net/{ours}/"]
    assert oidc.revocation is not None
    assert asyncio.run(code_of(oidc.revocation.notices.receive_logout(issuer.logout_token(iss=names[0])))) is None
    assert sorted(oidc.revocation.store.live._entries) == sorted(names)


def test_replays_do_not_fill_store(redis_server: RedisServer) -> None:
    harness = NoticeHarness(redis_server.address)
    notice = harness.issuer.logout_token("alice", session="s")
    assert [harness.logout(notice) for _ in range(5)] == [None, *[ErrorCode.NOTICE_REPLAYED] * 4]
    assert redis_server.call("XLEN", STREAM) == 2


def test_expired_revocation_is_not_published(redis_server: RedisServer) -> None:
    harness = NoticeHarness(redis_server.address)
    assert harness.logout(harness.issuer.logout_token(None, session="s", iat=NOON - 2 * DAY)) is None
    assert redis_server.call("XLEN", STREAM) == 0


def test_notice_counts_after_outage_of_store(redis_server: RedisServer) -> None:
    harness = NoticeHarness(redis_server.address)
    notice, token = harness.issuer.logout_token("alice"), harness.issuer.token("alice")
    assert harness.authenticate(token) is None
    redis_server.kill()
    assert harness.logout(notice) is ErrorCode.REVOCATIONS_UNAVAILABLE
    assert harness.authenticate(token) is ErrorCode.TOKEN_REVOKED
    redis_server.start()
    assert harness.logout(notice) is None
    assert harness.logout(notice) is ErrorCode.NOTICE_REPLAYED


def test_observer_learns_of_revocations() -> None:
    harness = NoticeHarness()
    notice = harness.issuer.logout_token("alice", session="s")
    harness.clock.advance(7)
    assert [harness.logout(notice) for _ in range(2)] == [None, ErrorCode.NOTICE_REPLAYED]
    received = [event for event in harness.events if isinstance(event, RevocationReceived)]
    assert received == [
        RevocationReceived(issuer=harness.issuer.url, kind=kind, delay=7)
        for kind in ("session", "subject_without_session")
    ]


def test_received_notices_name_their_sender(harness: NoticeHarness) -> None:
    issuer = asyncio.run(harness.notices.receive_logout(harness.issuer.logout_token("alice")))
    assert issuer == harness.issuer.url
    # Records of refused notices name no other issuer.
    assert [harness.notices.is_sender(name) for name in (issuer, "https://else.test", "")] == [True, False, False]


def test_concurrent_copies_count_once(harness: NoticeHarness) -> None:
    notice = harness.issuer.logout_token("alice")

    async def send() -> list[ErrorCode | None]:
        return await asyncio.gather(*(code_of(harness.notices.receive_logout(notice)) for _ in range(3)))

    assert sorted(map(str, asyncio.run(send()))) == ["None", "notice_replayed", "notice_replayed"]


def test_many_copies_open_no_connections(redis_server: RedisServer) -> None:
    issuer = LocalIssuer(ISSUER, algorithm="ES256")
    tables = {
        "issuer": issuer_table(issuer, "", logout_clients=[WEB_CLIENT]),
        "web": {"public_url": PUBLIC_URL},
        "revocation": {"store": redis_server.address},
    }
    oidc, notice = OIDCAuth.from_dict(tables, fetcher=issuer), issuer.logout_token("alice")
    revocation = oidc.revocation
    assert revocation is not None

    async def send(copies: int) -> set[ErrorCode | None]:
        return {*await asyncio.gather(*(code_of(revocation.notices.receive_logout(notice)) for _ in range(copies)))}

    def connections() -> int:
        return int(redis_server.call("INFO", "stats")["total_connections_received"])

    async def use() -> None:
        await revocation.store.load(SECONDS)
        assert await send(1) == {None}
        before = connections()
        assert await send(50) == {ErrorCode.NOTICE_REPLAYED}
        # One for the question itself, and one if the store has connected again.
        assert connections() <= before + 2
        await oidc.aclose()

    asyncio.run(use())


def refusal(harness: NoticeHarness, token: str) -> TokenError:
    with pytest.raises(TokenError) as caught:
        asyncio.run(harness.notices.receive_logout(token))
    return caught.value


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"client": "agents-mobile"}, ErrorCode.AUDIENCE_MISMATCH),
        ({"exp": None}, ErrorCode.TOKEN_EXPIRED),
        ({"header": {"typ": "at+jwt"}}, ErrorCode.TYP_NOT_ALLOWED),
    ],
)
def test_hint_is_for_notices(harness: NoticeHarness, claims: dict[str, Any], code: ErrorCode) -> None:
    error = refusal(harness, harness.issuer.logout_token(**claims))
    assert (error.code, error.hint, error.issuer) == (code, LOGOUT_HINTS[code], ISSUER)
    assert "logout_clients" in LOGOUT_HINTS[ErrorCode.AUDIENCE_MISMATCH]


@pytest.mark.parametrize(
    "claims", [{"nonce": "secret-person"}, {"jti": ["secret-person"]}, {"sid": ["secret-person"]}, {}]
)
def test_log_has_no_person_and_no_token(
    harness: NoticeHarness, caplog: pytest.LogCaptureFixture, claims: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    token = harness.issuer.logout_token("secret-person", **claims)
    error = None
    try:
        asyncio.run(harness.notices.receive_logout(token))
    except TokenError as refused:
        error = refused
    said = f"{caplog.text} {error} {error!r} {error and error.issuer}"
    assert "secret-person" not in said
    assert not any(segment in said for segment in token.split("."))
    assert ISSUER in said


def test_new_login_works_after_logout(harness: NoticeHarness) -> None:
    assert harness.logout(harness.issuer.logout_token("alice", session="s1")) is None
    harness.clock.advance(1)
    new_login = harness.issuer.token("alice", sid="s2")
    caller = asyncio.run(harness.oidc.authenticate(bearer(new_login)))
    assert caller.identity == "a:alice"
