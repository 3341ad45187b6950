"""A token is verified once while nothing changes, and its text is kept nowhere."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import pickle
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

import pytest
from world.tokens import Door, claims_of, text_of, turns

from oidc_auth.errors import Code, OIDCAuthError, TokenError
from oidc_auth.permissions.caller import Caller
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url
from oidc_auth.tokens import verifier
from oidc_auth.tokens.bearer import present
from oidc_auth.tokens.cache import SeenBefore
from oidc_auth.tokens.jws import split_token
from oidc_auth.tokens.states import VerifiedToken
from oidc_auth.tokens.verifier import Admitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def test_a_repeated_token_is_verified_once() -> None:
    door = Door()
    token = door.issuer.token()
    assert [door.knock(token) for _ in range(3)] == [None] * 3
    assert door.cached == [False, True, True]


def test_the_same_caller_is_returned_for_a_repeated_token() -> None:
    door = Door()
    token = door.issuer.token(scope="threads:read")
    assert asyncio.run(door.admit(token)) == asyncio.run(door.admit(token))


def test_a_refused_token_is_refused_each_time() -> None:
    door = Door()
    token = door.issuer.token(audience="other")
    assert [door.knock(token), door.knock(token)] == [Code.AUDIENCE_MISMATCH] * 2
    assert door.cached == []


def heard_at(door: Door, token: str, seconds: float) -> Code | bool | None:
    """Return the refusal, or whether it was seen before; this long after noon."""
    door.clock.now = 1_800_000_000 + seconds
    return door.knock(token) or door.cached[-1]


def test_a_token_is_remembered_until_it_expires() -> None:
    door = Door()
    token = door.issuer.token(lifetime=100)
    heard = [heard_at(door, token, second) for second in (0, 99, 100, 129, 130)]
    assert heard == [False, True, False, False, Code.EXPIRED]


def test_a_long_token_is_remembered_for_300_seconds() -> None:
    door = Door()
    token = door.issuer.token(lifetime=3_600)
    assert [heard_at(door, token, second) for second in (0, 299, 300, 599, 600)] == [False, True, False, True, False]


def test_a_token_is_remembered_until_it_is_too_old() -> None:
    door = Door(max_age=60)
    token = door.issuer.token()
    heard = [heard_at(door, token, second) for second in (0, 59, 60, 89, 90)]
    assert heard == [False, True, False, False, Code.TOO_OLD]


def test_the_configuration_says_how_long_and_how_many() -> None:
    door = Door(limits={"token_cache_seconds": 10, "token_cache_entries": 1})
    one, other = door.issuer.token("alice"), door.issuer.token("bob")
    assert [heard_at(door, one, second) for second in (0, 9, 10)] == [False, True, False]
    assert [heard_at(door, token, 11) for token in (one, other, one)] == [True, False, False]


def test_nothing_is_remembered_where_no_entry_is_allowed() -> None:
    door = Door(limits={"token_cache_entries": 0})
    token = door.issuer.token()
    assert [heard_at(door, token, 0) for _ in range(2)] == [False, False]


def test_the_least_recently_used_value_makes_room() -> None:
    seen: SeenBefore[str] = SeenBefore(2)
    for name in "ab":
        seen.put(name, name, until=10)
    assert seen.get("a", 0) == "a"
    seen.put("c", "c", until=10)
    assert [seen.get(name, 0) for name in "abc"] == ["a", None, "c"]
    seen.forget("a")
    seen.forget("never there")
    assert [seen.get("a", 0), seen.get("c", 9.9), seen.get("c", 10)] == [None, "c", None]


def test_cache_entries_are_told_apart_by_sha256() -> None:
    door = Door()
    token = door.issuer.token()
    asyncio.run(door.admit(token))
    assert hashlib.sha256(token.encode()).digest() in [one for one in reachable(door.oidc) if isinstance(one, bytes)]


def test_tokens_that_differ_in_their_signature_only_never_share_an_entry() -> None:
    door = Door()
    token = door.issuer.token()
    text, _, _ = token.rpartition(".")
    forged = f"{text}.{encode_base64url(SigningKey.make('key-1', 'ES256').sign(text.encode()))}"
    assert door.knock(token) is None
    assert door.knock(forged) is Code.SIGNATURE_INVALID
    assert door.knock(token) is None
    assert door.cached == [False, True]


def test_tokens_with_a_long_common_beginning_never_share_an_entry() -> None:
    door = Door()
    tokens = [door.issuer.token(jti="x" * 8_000, scope=scope) for scope in ("threads:read", "store:get")]
    assert tokens[0][:8_000] == tokens[1][:8_000]
    held = [set(asyncio.run(door.admit(token)).permissions) for token in tokens]
    assert "threads:read" in held[0]
    assert not held[0] & held[1]
    assert door.cached == [False, False]


def test_another_configuration_remembers_nothing_of_this_one() -> None:
    door, other = Door(), Door(audience="others")
    token = door.issuer.token()
    assert door.knock(token) is None
    assert other.knock(token) is Code.AUDIENCE_MISMATCH


def test_a_withdrawn_key_takes_its_remembered_tokens_along() -> None:
    async def story() -> None:
        door = Door()
        token = door.issuer.token(lifetime=900)
        await door.admit(token)
        door.issuer.rotate("ES256", keep_old=False)
        assert await door.hear(token) is None
        door.clock.move(90)
        assert await door.hear(token) is None
        # The refresh that is due after 90 seconds: behind the first request, and known to the second.
        door.clock.move(1)
        assert await door.hear(token) is None
        await turns()
        assert await door.hear(token) is Code.KEY_UNKNOWN

    asyncio.run(story())


def test_a_rotation_takes_remembered_tokens_along_before_their_time() -> None:
    async def story() -> None:
        door = Door()
        token = door.issuer.token()
        await door.admit(token)
        door.issuer.rotate("ES256", keep_old=False)
        # A token of the new key brings the new key set.
        await door.admit(door.issuer.token())
        assert await door.hear(token) is Code.KEY_UNKNOWN

    asyncio.run(story())


def test_a_key_added_beside_the_old_one_costs_one_verification() -> None:
    door = Door()
    token = door.issuer.token()
    assert door.knock(token) is None
    door.issuer.rotate("ES256")
    assert [door.knock(door.issuer.token()), door.knock(token), door.knock(token)] == [None] * 3
    assert door.cached == [False, False, False, True]


def test_an_unchanged_key_set_keeps_remembered_tokens() -> None:
    async def story() -> None:
        door = Door(limits={"token_cache_seconds": 3_600})
        token = door.issuer.token(lifetime=3_600)
        await door.admit(token)
        door.clock.move(601)
        await door.admit(token)
        await turns()
        await door.admit(token)
        assert door.attempts == [True, True]
        assert door.cached == [False, True, True]

    asyncio.run(story())


def test_a_remembered_token_waits_for_keys_that_are_due() -> None:
    async def story() -> None:
        door = Door(limits={"token_cache_seconds": 86_400})
        token = door.issuer.token(lifetime=86_400)
        await door.admit(token)
        door.issuer.rotate("ES256", keep_old=False)
        door.clock.move(3_601)
        assert await door.hear(token) is Code.KEY_UNKNOWN

    asyncio.run(story())


def test_a_remembered_token_does_not_outlive_the_keys() -> None:
    async def story() -> None:
        door = Door(limits={"token_cache_seconds": 200_000})
        token = door.issuer.token(lifetime=200_000)
        await door.admit(token)
        door.issuer.fault = Fault.DOWN
        door.clock.move(86_400)
        assert await door.hear(token) is None
        door.clock.move(1)
        assert await door.hear(token) is Code.KEYS_UNAVAILABLE

    asyncio.run(story())


def test_what_a_mapper_made_of_a_caller_is_remembered() -> None:
    calls: list[object] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        calls.append(claims["sub"])
        return Caller(identity=caller.identity.upper())

    door = Door(mapper=mapper)
    token = door.issuer.token()
    assert [asyncio.run(door.admit(token)).identity for _ in range(2)] == ["ALICE"] * 2
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


def test_nothing_that_lives_on_holds_the_token_s_text() -> None:
    door = Door()
    token = door.issuer.token("alice", scope="threads:read")
    caller = asyncio.run(door.admit(token))
    parts = token.split(".")
    assert door.cached == [False]
    assert holders({"token": token}, *parts) == [token] * 3
    assert holders((door.oidc, door.events, caller), token, *parts) == []
    assert not any(part.encode() in pickle.dumps(caller) for part in parts)


@pytest.mark.parametrize(("length", "remembered"), [(384, True), (385, False)])
def test_a_header_is_remembered_up_to_512_characters(length: int, *, remembered: bool) -> None:
    door = Door()
    # 36 bytes stand around the x.
    header = {"alg": "ES256", "kid": "key-1", "x": "x" * (length - 36)}
    token = compact(header, text_of(claims_of(door.issuer)), door.issuer.keys[0])
    assert door.knock(token) is None
    segment = token.split(".")[0]
    assert (len(segment) <= 512) is remembered
    # A stranger chooses their headers: what lives on after a request is bounded in number and in length.
    assert bool(holders(vars(verifier), segment)) is remembered


def test_no_repr_shows_a_token_or_its_claims() -> None:
    verified: list[Mapping[str, object]] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        verified.append(claims)
        return caller

    door = Door(mapper=mapper, claims="secret")
    token = door.issuer.token(secret="s3cr3t")
    presented = present({"authorization": f"Bearer {token}"}, method="GET", url="/x", max_bytes=9_999)
    caller = asyncio.run(door.admit(token))
    assert caller.claims == {"secret": "s3cr3t"}
    shown = [repr(presented), str(presented), repr(caller), str(caller), *map(repr, door.events), repr(door.oidc)]
    assert not [text for text in shown if "s3cr3t" in text or any(part in text for part in token.split("."))]
    assert "GET" in repr(presented)


def test_a_verified_token_s_repr_shows_no_claim() -> None:
    token = VerifiedToken(
        issuer="https://issuer.test", claims={"sub": "s3cr3t"}, expires_at=1, valid_until=1, key_generation=1
    )
    assert "s3cr3t" not in repr(token)
    assert "https://issuer.test" in repr(token)


def test_a_token_in_its_parts_is_not_shown_either() -> None:
    token = LocalIssuer(algorithm="ES256").token(secret="s3cr3t")
    segments = split_token(token)
    admitted = Admitted(segments, {"alg": "ES256"}, "key-1")
    assert not [part for part in token.split(".") if part in repr(segments) + repr(admitted)]
    assert "key-1" in repr(admitted)


SECRET = "s3cr3t-of-the-token"


def whole_story(error: BaseException | None) -> Iterator[BaseException]:
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
def test_a_refusal_keeps_nothing_of_the_token(payload: bytes) -> None:
    door = Door()
    token = compact({"alg": "ES256", "kid": "key-1"}, payload, door.issuer.keys[0])
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.admit(token))
    # What a crash reporter would send: every attribute of every error in the chain, but not the frames.
    kept = [
        (vars(one), one.args, [getattr(one, name, "") for name in ("doc", "object")])
        for one in whole_story(refusal.value)
    ]
    assert holders(kept, token, *token.split("."), SECRET) == []


def test_an_outage_keeps_nothing_of_the_token() -> None:
    door = Door()
    door.issuer.fault = Fault.DOWN
    token = door.issuer.token(secret=SECRET)
    with pytest.raises(OIDCAuthError) as refusal:
        asyncio.run(door.admit(token))
    assert holders([(vars(one), one.args) for one in whole_story(refusal.value)], *token.split("."), SECRET) == []
