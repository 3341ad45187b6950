"""A token is verified once while its keys stay, and its text is never kept."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import AuthHarness, bearer, run_event_loop
from kit.tokens import claims_of, json_text

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, OIDCAuthError, TokenError
from oidc_auth.observability import KeysFetched
from oidc_auth.permissions.caller import Caller
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url
from oidc_auth.tokens import verifier
from oidc_auth.tokens.cache import TokenCache
from oidc_auth.tokens.diagnose import Refusal
from oidc_auth.tokens.extract import extract_token
from oidc_auth.tokens.jws import split_token
from oidc_auth.tokens.states import VerifiedToken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidc_auth.observability import Event


def test_repeated_token_is_verified_once() -> None:
    harness = AuthHarness()
    token = harness.issuer.token()
    assert [harness.authenticate(token) for _ in range(3)] == [None] * 3
    assert harness.cached == [False, True, True]


def test_repeated_token_returns_same_caller() -> None:
    harness = AuthHarness()
    token = harness.issuer.token(scope="threads:read")
    assert asyncio.run(harness.admit(token)) == asyncio.run(harness.admit(token))


def test_rejected_token_is_rejected_each_time() -> None:
    harness = AuthHarness()
    token = harness.issuer.token(audience="other")
    assert [harness.authenticate(token), harness.authenticate(token)] == [ErrorCode.AUDIENCE_MISMATCH] * 2
    assert harness.cached == []


def codes_at(harness: AuthHarness, token: str, seconds: float) -> ErrorCode | bool | None:
    """Return the refusal, or whether it was seen before; this long after noon."""
    harness.clock.now = 1_800_000_000 + seconds
    return harness.authenticate(token) or harness.cached[-1]


def test_token_is_cached_until_expiry() -> None:
    harness = AuthHarness()
    token = harness.issuer.token(lifetime=100)
    codes = [codes_at(harness, token, second) for second in (0, 99, 100, 129, 130)]
    assert codes == [False, True, False, False, ErrorCode.TOKEN_EXPIRED]


def test_long_lived_token_is_cached_300_seconds() -> None:
    harness = AuthHarness()
    token = harness.issuer.token(lifetime=3_600)
    assert [codes_at(harness, token, second) for second in (0, 299, 300, 599, 600)] == [False, True, False, True, False]


def test_token_is_cached_until_too_old() -> None:
    harness = AuthHarness(max_token_age=60)
    token = harness.issuer.token()
    codes = [codes_at(harness, token, second) for second in (0, 59, 60, 89, 90)]
    assert codes == [False, True, False, False, ErrorCode.TOKEN_TOO_OLD]


def test_configured_cache_limits_are_used() -> None:
    harness = AuthHarness(limits={"token_cache_seconds": 10, "token_cache_entries": 1})
    one, other = harness.issuer.token("alice"), harness.issuer.token("bob")
    assert [codes_at(harness, one, second) for second in (0, 9, 10)] == [False, True, False]
    assert [codes_at(harness, token, 11) for token in (one, other, one)] == [True, False, False]


def test_zero_entries_disable_cache() -> None:
    harness = AuthHarness(limits={"token_cache_entries": 0})
    token = harness.issuer.token()
    assert [codes_at(harness, token, 0) for _ in range(2)] == [False, False]


def test_least_recently_used_entry_is_dropped() -> None:
    seen: TokenCache[str] = TokenCache(2)
    for name in "ab":
        seen.put(name, name, until=10)
    assert seen.get("a", 0) == "a"
    seen.put("c", "c", until=10)
    assert [seen.get(name, 0) for name in "abc"] == ["a", None, "c"]
    seen.remove("a")
    seen.remove("never there")
    assert [seen.get("a", 0), seen.get("c", 9.9), seen.get("c", 10)] == [None, "c", None]


def test_cache_entries_are_told_apart_by_sha256() -> None:
    harness = AuthHarness()
    token = harness.issuer.token()
    asyncio.run(harness.admit(token))
    assert hashlib.sha256(token.encode()).digest() in [one for one in reachable(harness.oidc) if isinstance(one, bytes)]


def test_tokens_differing_in_signature_are_separate() -> None:
    harness = AuthHarness()
    token = harness.issuer.token()
    text, _, _ = token.rpartition(".")
    forged = f"{text}.{encode_base64url(SigningKey.make('key-1', 'ES256').sign(text.encode()))}"
    assert harness.authenticate(token) is None
    assert harness.authenticate(forged) is ErrorCode.SIGNATURE_INVALID
    assert harness.authenticate(token) is None
    assert harness.cached == [False, True]


def test_tokens_with_common_prefix_are_separate() -> None:
    harness = AuthHarness()
    tokens = [harness.issuer.token(jti="x" * 8_000, scope=scope) for scope in ("threads:read", "store:get")]
    assert tokens[0][:8_000] == tokens[1][:8_000]
    held = [set(asyncio.run(harness.admit(token)).permissions) for token in tokens]
    assert "threads:read" in held[0]
    assert not held[0] & held[1]
    assert harness.cached == [False, False]


def test_caches_are_separate_per_configuration() -> None:
    harness, other = AuthHarness(), AuthHarness(audience="others")
    other.issuer.keys = harness.issuer.keys
    token = harness.issuer.token()
    assert harness.authenticate(token) is None
    assert other.authenticate(token) is ErrorCode.AUDIENCE_MISMATCH


def test_withdrawn_key_drops_cached_tokens() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        token = harness.issuer.token(lifetime=900)
        await harness.admit(token)
        harness.issuer.rotate("ES256", keep_old=False)
        assert await harness.authenticate_async(token) is None
        harness.clock.advance(90)
        assert await harness.authenticate_async(token) is None
        # The refresh that is due after 90 seconds: behind the first request, and known to the second.
        harness.clock.advance(1)
        assert await harness.authenticate_async(token) is None
        await run_event_loop()
        assert await harness.authenticate_async(token) is ErrorCode.KEY_NOT_FOUND

    asyncio.run(scenario())


def test_rotation_drops_cached_tokens_early() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        token = harness.issuer.token()
        await harness.admit(token)
        harness.issuer.rotate("ES256", keep_old=False)
        # A token of the new key brings the new key set.
        await harness.admit(harness.issuer.token())
        assert await harness.authenticate_async(token) is ErrorCode.KEY_NOT_FOUND

    asyncio.run(scenario())


def test_other_thread_caches_no_withdrawn_key() -> None:
    harness, window = AuthHarness(), list[Caller]()
    issuer = harness.issuer
    token = issuer.token(lifetime=900)

    def observe(event: Event) -> None:
        # The new keys are loaded, and this thread does not use them yet.
        if isinstance(event, KeysFetched) and issuer.keys[0] is not old:
            with ThreadPoolExecutor(1) as thread:
                window.append(thread.submit(asyncio.run, oidc.authenticate(bearer(token))).result())

    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, clock=harness.clock, observer=observe)
    old = issuer.keys[0]

    async def scenario() -> None:
        await oidc.authenticate(bearer(issuer.token()))
        issuer.rotate("ES256", keep_old=False)
        await oidc.authenticate(bearer(issuer.token()))
        assert [caller.identity for caller in window] == ["alice"]
        with pytest.raises(TokenError) as refusal:
            await oidc.authenticate(bearer(token))
        assert refusal.value.code is ErrorCode.KEY_NOT_FOUND

    asyncio.run(scenario())


def test_added_key_costs_one_verification() -> None:
    harness = AuthHarness()
    token = harness.issuer.token()
    assert harness.authenticate(token) is None
    harness.issuer.rotate("ES256")
    assert [harness.authenticate(harness.issuer.token()), harness.authenticate(token), harness.authenticate(token)] == [
        None
    ] * 3
    assert harness.cached == [False, False, False, True]


def test_unchanged_key_set_keeps_cached_tokens() -> None:
    async def scenario() -> None:
        harness = AuthHarness(limits={"token_cache_seconds": 3_600})
        token = harness.issuer.token(lifetime=3_600)
        await harness.admit(token)
        harness.clock.advance(601)
        await harness.admit(token)
        await run_event_loop()
        await harness.admit(token)
        assert harness.attempts == [True, True]
        assert harness.cached == [False, True, True]

    asyncio.run(scenario())


def test_cached_token_waits_for_due_keys() -> None:
    async def scenario() -> None:
        harness = AuthHarness(limits={"token_cache_seconds": 86_400})
        token = harness.issuer.token(lifetime=86_400)
        await harness.admit(token)
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(3_601)
        assert await harness.authenticate_async(token) is ErrorCode.KEY_NOT_FOUND

    asyncio.run(scenario())


def test_cached_token_does_not_outlive_keys() -> None:
    async def scenario() -> None:
        harness = AuthHarness(limits={"token_cache_seconds": 200_000})
        token = harness.issuer.token(lifetime=200_000)
        await harness.admit(token)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(86_400)
        assert await harness.authenticate_async(token) is None
        harness.clock.advance(1)
        assert await harness.authenticate_async(token) is ErrorCode.KEYS_UNAVAILABLE

    asyncio.run(scenario())


def test_mapped_caller_is_cached() -> None:
    calls: list[object] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        calls.append(claims["sub"])
        return Caller(identity=caller.identity.upper())

    harness = AuthHarness(mapper=mapper)
    token = harness.issuer.token()
    assert [asyncio.run(harness.admit(token)).identity for _ in range(2)] == ["ALICE"] * 2
    assert calls == ["alice"]


# The token's text -----------------------------------------------------------------------------------------------------


def reachable(start: object) -> Iterator[object]:
    """Yield every object that ``start`` holds on to; code and modules are not looked into."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType, FunctionType)):
            continue
        seen.add(id(one))
        yield one
        waiting.extend(gc.get_referents(one))


def holders(start: object, *texts: str) -> list[object]:
    """Return what is reachable and contains one of the texts."""
    wanted = [(text, text.encode()) for text in texts]
    return [
        one
        for one in reachable(start)
        for text, raw in wanted
        if (isinstance(one, str) and text in one) or (isinstance(one, (bytes, bytearray)) and raw in one)
    ]


def test_cached_objects_hold_no_token_text() -> None:
    harness = AuthHarness()
    token = harness.issuer.token("alice", scope="threads:read")
    caller = asyncio.run(harness.admit(token))
    parts = token.split(".")
    assert harness.cached == [False]
    assert holders({"token": token}, *parts) == [token] * 3
    assert holders((harness.oidc, harness.events, caller), token, *parts) == []
    assert not any(part.encode() in pickle.dumps(caller) for part in parts)


@pytest.mark.parametrize(("length", "for_cache"), [(384, True), (385, False)])
def test_header_is_cached_up_to_512_characters(length: int, *, for_cache: bool) -> None:
    harness = AuthHarness()
    # The rest of the header has 36 bytes.
    header = {"alg": "ES256", "kid": "key-1", "x": "x" * (length - 36)}
    token = compact(header, json_text(claims_of(harness.issuer)), harness.issuer.keys[0])
    assert harness.authenticate(token) is None
    segment = token.split(".")[0]
    assert (len(segment) <= 512) is for_cache
    # The sender chooses the header, so the cached ones are bounded in number and length.
    assert bool(holders(vars(verifier), segment)) is for_cache


def test_repr_shows_no_token_or_claims() -> None:
    verified: list[Mapping[str, object]] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        verified.append(claims)
        return caller

    harness = AuthHarness(mapper=mapper, claims="secret")
    token = harness.issuer.token(secret="s3cr3t")
    presented = extract_token({"authorization": f"Bearer {token}"}, method="GET", url="/x", max_bytes=9_999)
    caller = asyncio.run(harness.admit(token))
    assert caller.claims == {"secret": "s3cr3t"}
    shown = [repr(presented), str(presented), repr(caller), str(caller), *map(repr, harness.events), repr(harness.oidc)]
    assert not [text for text in shown if "s3cr3t" in text or any(part in text for part in token.split("."))]
    assert "GET" in repr(presented)


def test_claims_of_notice_are_not_in_repr() -> None:
    issuer = AuthHarness().issuer
    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer)
    jwts = verifier.JwtVerifier([*oidc._issuers.by_name.values()], clock=issuer.clock, max_depth=32)
    presented = extract_token(bearer(issuer.token("s3cr3t")), method=None, url=None, max_bytes=9_999)
    verified = asyncio.run(jwts.verify_claims(presented, issuer.clock()))
    assert verified.claims["sub"] == "s3cr3t"
    assert repr(verified) == f"VerifiedClaims(issuer={issuer.url!r})"


async def always(now: float) -> bool:
    return now >= 0


def test_verified_token_repr_shows_no_claims() -> None:
    token = VerifiedToken(
        issuer="https://issuer.test", claims={"sub": "s3cr3t"}, expires_at=1, valid_until=1, is_current=always
    )
    assert "s3cr3t" not in repr(token)
    assert "https://issuer.test" in repr(token)


def test_intermediate_reprs_show_no_token() -> None:
    token = LocalIssuer(algorithm="ES256").token(secret="s3cr3t")
    segments = split_token(token)
    refusal = Refusal(token, {"alg": "ES256"}, {"secret": "s3cr3t"})
    assert not [part for part in [*token.split("."), "s3cr3t"] if part in repr(segments) + repr(refusal)]


SECRET = "s3cr3t-of-the-token"


def full_traceback(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and everything it is chained to, shown or not."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    yield from seen


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(f'{{"x": "{SECRET}"}}'.encode(), id="claims that are refused"),
        pytest.param(f'{{"x": "{SECRET}"'.encode(), id="broken JSON"),
        pytest.param(f'{{"x": "{SECRET}", "x": 1}}'.encode(), id="a name twice"),
        pytest.param(f'{{"x": "{SECRET}\xff"}}'.encode("latin-1"), id="not UTF-8"),
        pytest.param(f'{{"x": "\\ud800 {SECRET}"}}'.encode(), id="a lone surrogate"),
    ],
)
def test_refusal_keeps_no_token(payload: bytes) -> None:
    harness = AuthHarness()
    token = compact({"alg": "ES256", "kid": "key-1"}, payload, harness.issuer.keys[0])
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.admit(token))
    # What a crash reporter would send: every attribute of every error in the chain, but not the frames.
    kept = [
        (vars(one), one.args, [getattr(one, name, "") for name in ("doc", "object")])
        for one in full_traceback(refusal.value)
    ]
    assert holders(kept, token, *token.split("."), SECRET) == []


def test_outage_keeps_no_token() -> None:
    harness = AuthHarness()
    harness.issuer.fault = Fault.DOWN
    token = harness.issuer.token(secret=SECRET)
    with pytest.raises(OIDCAuthError) as refusal:
        asyncio.run(harness.admit(token))
    assert holders([(vars(one), one.args) for one in full_traceback(refusal.value)], *token.split("."), SECRET) == []
