"""Refusing a token costs the same for one issuer and for 500, counted in function calls."""

from __future__ import annotations

import asyncio
import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from kit.auth_harness import IssuerRouter, bearer
from kit.clock import NOON

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

if TYPE_CHECKING:
    from kit.snapshots import Messages

HOST = "https://login.microsoftonline.com"
NAMES = tuple(f"{HOST}/{number:08x}-0000-4000-8000-000000000000/v2.0" for number in range(500))
SINGLE = LocalIssuer(NAMES[0], algorithm="ES256", clock=lambda: NOON)


class CountingText(str):
    """A text that counts how often it is compared or hashed."""

    __slots__ = ()
    uses = 0

    def __eq__(self, other: object) -> bool:
        CountingText.uses += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        CountingText.uses += 1
        return str.__hash__(self)


class UnscannedMap(dict[str, Any]):
    """A mapping that can only be looked up."""

    def __iter__(self) -> NoReturn:
        raise AssertionError

    keys = values = items = __iter__


@cache
def authenticator(count: int) -> OIDCAuth:
    tables = [
        {
            "preset": "generic",
            "issuer": name,
            "audience": "agents",
            "identity_prefix": f"{number}:",
            "require": {"plan": "pro"},
        }
        for number, name in enumerate(NAMES[:count])
    ]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(SINGLE), clock=lambda: NOON)


def refused_tokens() -> dict[str, tuple[ErrorCode, str]]:
    """Return refused tokens of every kind, by a name."""
    key = SINGLE.keys[0]
    header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    claims: dict[str, Any] = {"iss": NAMES[0], "sub": "u", "aud": "agents", "exp": NOON + 60, "plan": "pro"}
    stray = SigningKey.make("key-1", "ES256")
    text = encode_base64url(b"{}")
    issuers = {
        "slashes": f"https://a{'/' * 11_000}",
        "another tenant": f"{HOST}/ffffffff-0000-4000-8000-000000000000/v2.0",
        "another version": f"https://sts.windows.net/{NAMES[0].split('/')[3]}/",
        "a slash more": f"{NAMES[0]}/",
        "another case": NAMES[0].upper(),
        "another host": NAMES[0].replace("login.microsoftonline.com", "login.acme.test"),
        "unknown": "https://b.test",
        "a number": 5,
    }
    found = {
        f"issuer: {name}": (ErrorCode.ISSUER_NOT_TRUSTED, compact(header, {**claims, "iss": issuer}, stray))
        for name, issuer in issuers.items()
    }
    broken: dict[str, tuple[ErrorCode, dict[str, Any], dict[str, Any]]] = {
        "audience": (ErrorCode.AUDIENCE_MISMATCH, {}, {"aud": ["x"] * 3_000}),
        "expired": (ErrorCode.TOKEN_EXPIRED, {}, {"exp": NOON - 60}),
        "requirement": (ErrorCode.REQUIREMENT_NOT_MET, {}, {"plan": {"x": list(range(2_000))}}),
        "identity": (ErrorCode.IDENTITY_INVALID, {}, {"sub": "x" * 9_000}),
        "kid": (ErrorCode.KEY_NOT_FOUND, {"kid": "stray"}, {}),
        "typ": (ErrorCode.TYP_NOT_ALLOWED, {"typ": "logout+jwt"}, {}),
        "alg": (ErrorCode.ALG_NOT_ALLOWED, {"alg": "HS256"}, {}),
        "crit": (ErrorCode.CRIT_NOT_SUPPORTED, {"crit": ["x"]}, {}),
    }
    for name, (code, members, changes) in broken.items():
        found[name] = code, compact({**header, **members}, {**claims, **changes}, key)
    found["signature"] = ErrorCode.SIGNATURE_INVALID, compact(header, claims, stray)
    found["segments"] = ErrorCode.TOKEN_MALFORMED, "a.b"
    found["encrypted"] = ErrorCode.TOKEN_MALFORMED, "a.b.c.d.e"
    found["base64"] = ErrorCode.TOKEN_BASE64_INVALID, f"%{text * 20}.{text}.{text}"
    return found


TOKENS = refused_tokens()


async def count_calls(oidc: OIDCAuth, token: str) -> tuple[int, ErrorCode | None]:
    """Return how many functions, Python's and C's, one refusal calls, and its code."""
    calls, code = 0, None

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        del frame, argument
        calls += event in ("call", "c_call")

    headers = bearer(token)
    sys.setprofile(profile)
    try:
        await oidc.authenticate(headers)
    except TokenError as error:
        code = error.code
    finally:
        sys.setprofile(None)
    return calls, code


async def cost(count: int, name: str) -> int:
    """Return the calls of a refusal, when the keys are loaded and unknown kids may not fetch any more."""
    code, token = TOKENS[name]
    oidc = authenticator(count)
    for _ in range(4):
        with pytest.raises(TokenError):
            await oidc.authenticate(bearer(TOKENS["kid"][1]))
    with pytest.raises(TokenError):
        await oidc.authenticate(bearer(token))
    await asyncio.sleep(0)
    calls, found = await count_calls(oidc, token)
    assert found is code
    return calls


@pytest.mark.parametrize("logs", [True, False])
@pytest.mark.parametrize("name", list(TOKENS))
def test_refusal_cost_is_independent_of_issuer_count(
    name: str, caplog: pytest.LogCaptureFixture, *, logs: bool
) -> None:
    caplog.set_level(logging.WARNING if logs else logging.CRITICAL, "oidc_auth")
    few, many = (asyncio.run(cost(count, name)) for count in (1, 500))
    # A message with one issuer and one with several are put together by a few calls more or less.
    assert abs(many - few) <= (12 if logs else 0)
    assert many < 1_500


@pytest.mark.parametrize("name", [name for name, (code, _) in TOKENS.items() if code is ErrorCode.ISSUER_NOT_TRUSTED])
def test_configured_issuers_are_not_scanned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    oidc = authenticator(500)
    names = [CountingText(text) for text in NAMES]
    issuer = oidc._issuers.by_name[NAMES[0]]
    monkeypatch.setattr(oidc._issuers, "by_name", UnscannedMap([(name, issuer) for name in names]))
    CountingText.uses = 0
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate(bearer(TOKENS[name][1])))
    assert CountingText.uses <= 8
    assert len(refused.value.report()) < 2_000


def test_message_names_few_of_many_issuers(messages: Messages) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(authenticator(500).authenticate(bearer(TOKENS["issuer: unknown"][1])))
    assert [name in refused.value.expected for name in NAMES[:4]] == [True, True, True, False]
    messages.check(refused.value.expected)
