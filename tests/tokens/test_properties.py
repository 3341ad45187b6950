"""What holds for any bytes, any change and any claims; and two other libraries as judges of what we accept."""

from __future__ import annotations

import asyncio
import json
import string
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as other_jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from kit.auth_harness import AuthHarness
from kit.clock import NOON
from kit.tokens import claims_of, header_of, rsa_key, sign_token

from oidc_auth.errors import OIDCAuthError, TokenError, UpstreamError
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.permissions.caller import Caller

QUICK = settings(max_examples=150, deadline=None, database=None)
ALPHABET = string.ascii_letters + string.digits + "-_"


@cache
def harness() -> AuthHarness:
    return AuthHarness()


def refusal(headers: Any) -> OIDCAuthError | None:
    """Return the refusal; any other exception is a failure of the test."""
    try:
        asyncio.run(harness().oidc.authenticate(headers))
    except (TokenError, UpstreamError) as error:
        return error
    return None


@QUICK
@given(st.binary(max_size=200), st.sampled_from([b"", b"Bearer ", b"bearer ", b"Bearer a.b."]))
def test_any_header_bytes_are_rejected_safely(value: bytes, prefix: bytes) -> None:
    assert refusal({b"authorization": prefix + value}) is not None


@QUICK
@given(st.text(max_size=100), st.text(max_size=100))
def test_any_header_text_is_rejected_safely(name: str, value: str) -> None:
    assert refusal([(name, value), ("authorization", f"Bearer {value}")]) is not None


@QUICK
@given(st.lists(st.binary(max_size=99), min_size=3, max_size=3))
def test_any_segment_bytes_are_rejected_safely(segments: list[bytes]) -> None:
    token = ".".join(encode_base64url(segment) for segment in segments)
    assert refusal({"authorization": f"Bearer {token}"}) is not None


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
HEADER_NAMES = ("alg", "kid", "typ", "crit", "b64", "zip", "jwk", "jku", "x5c", "nonce")
CLAIM_NAMES = ("iss", "sub", "aud", "exp", "nbf", "iat", "azp", "client_id", "typ", "token_use", "events", "cnf")


@QUICK
@given(st.dictionaries(st.sampled_from(HEADER_NAMES), JSON), st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON))
def test_any_json_token_gives_caller_or_refusal(header: dict[str, Any], claims: dict[str, Any]) -> None:
    issuer = harness().issuer
    for members in (header_of(issuer, **header), header_of(issuer)):
        text = compact(members, claims_of(issuer, **claims), issuer.keys[0])
        error = refusal({"authorization": f"Bearer {text}"})
        assert error is None or error.code


@cache
def valid_token(algorithm: str) -> str:
    return signer(algorithm).issuer.token()


@cache
def signer(algorithm: str) -> AuthHarness:
    one = AuthHarness()
    one.issuer.keys = [rsa_key() if algorithm == "RS256" else SigningKey.make("key-1", algorithm)]
    return one


@QUICK
@given(st.sampled_from(["RS256", "ES256", "EdDSA"]), st.data())
def test_changed_character_is_rejected(algorithm: str, data: st.DataObject) -> None:
    token = valid_token(algorithm)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(f"{ALPHABET}.=+/ ~"))
    codes = signer(algorithm).authenticate(f"{token[:place]}{other}{token[place + 1 :]}")
    # A space at either end is not part of the token; inside, nothing may differ.
    assert (codes is None) == (other == token[place])


@QUICK
@given(st.sampled_from(["RS256", "ES256", "EdDSA"]), st.data())
def test_added_or_removed_character_is_rejected(algorithm: str, data: st.DataObject) -> None:
    token = valid_token(algorithm)
    place = data.draw(st.integers(1, len(token) - 1))
    more = data.draw(st.sampled_from(f"{ALPHABET}.="))
    assert signer(algorithm).authenticate(token[:place] + more + token[place:]) is not None
    assert signer(algorithm).authenticate(token[: place - 1] + token[place:]) is not None


# What we accept, two other libraries accept ---------------------------------------------------------------------------

TIMES = (NOON - 60, NOON - 30, NOON - 29, NOON, NOON + 0.5, NOON + 30, NOON + 31, NOON + 300)
UNUSUAL: tuple[Any, ...] = (None, True, "x", 0, -1, 1e308, [], {})
VARIED_CLAIMS: dict[str, tuple[Any, ...]] = {
    "exp": (*TIMES, *UNUSUAL),
    "nbf": (*TIMES, *UNUSUAL),
    "iat": (*TIMES, *UNUSUAL),
    "iss": ("https://issuer.test/", ["https://issuer.test"]),
    "sub": ("bob", "système", "", 1),
    "aud": ("other", ["agents"], ["other", "agents"], ["other"], [], None, ["agents", 1]),
    "scope": ("threads:read", "", None, ["x"]),
}
VARIED_HEADERS: dict[str, tuple[Any, ...]] = {
    "typ": ("JWT", "at+jwt", "application/at+jwt", "logout+jwt"),
    "kid": ("key-1", "key-2"),
    "crit": (["exp"],),
    "b64": (True, False),
}


def varied(members: dict[str, tuple[Any, ...]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a few wrong members, and some unknown ones."""
    pairs = [(name, value) for name, values in members.items() for value in values]
    some = st.lists(st.sampled_from(pairs), max_size=most).map(dict)
    return st.builds(lambda known, more: {**more, **known}, some, st.dictionaries(st.just("extra"), JSON))


def test_accepted_tokens_match_other_libraries() -> None:
    accepted: list[Mapping[str, object]] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        accepted.append(claims)
        return caller

    # Nothing is remembered: each token's claims pass the mapper.
    harnesses = {name: AuthHarness(mapper=mapper, limits={"token_cache_entries": 0}) for name in ("RS256", "ES256")}
    harnesses["RS256"].issuer.keys = [rsa_key()]

    @settings(max_examples=300, deadline=None, database=None)
    @given(st.sampled_from(sorted(harnesses)), varied(VARIED_HEADERS, 1), varied(VARIED_CLAIMS, 2))
    def agree(algorithm: str, header: dict[str, Any], claims: dict[str, Any]) -> None:
        issuer = harnesses[algorithm].issuer
        token = sign_token(issuer, header, **claims)
        if harnesses[algorithm].authenticate(token) is not None:
            return
        assert judged_by_pyjwt(token, issuer.key_set(), algorithm) == accepted[-1]
        assert judged_by_joserfc(token, issuer.key_set(), algorithm) == accepted[-1]

    agree()
    assert len(accepted) > 20


def judged_by_pyjwt(token: str, published: dict[str, Any], algorithm: str) -> dict[str, Any]:
    # PyJWT reads the wall clock: the times are judged by joserfc and by the checks' own tests.
    options: Any = {
        "require": ["iss", "sub", "aud", "exp"],
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "verify_sub": True,
        "verify_signature": True,
    }
    key = jwt.PyJWKSet.from_dict(published)["key-1"]
    decoded: dict[str, Any] = jwt.decode(
        token, key, algorithms=[algorithm], audience="agents", issuer="https://issuer.test", options=options
    )
    return decoded


def judged_by_joserfc(token: str, published: dict[str, Any], algorithm: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(json.loads(json.dumps(published)))
    # Its own list of header members is closed by default; RFC 7515 §4 says that unknown ones are ignored.
    lenient = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    lenient.max_header_length = lenient.max_payload_length = 16_384
    decoded = other_jwt.decode(token, keys, registry=lenient)
    registry = other_jwt.JWTClaimsRegistry(
        now=int(NOON),
        leeway=31,
        iss={"essential": True, "value": "https://issuer.test"},
        aud={"essential": True, "value": "agents"},
        sub={"essential": True},
        exp={"essential": True},
    )
    registry.validate(decoded.claims)
    return dict(decoded.claims)
