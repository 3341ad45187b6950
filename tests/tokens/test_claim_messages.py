"""A refused claim is reported with what was expected and what was found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import AuthHarness
from kit.clock import NOON
from kit.messages import LEEWAY_TEXT
from kit.refusals import expected_and_found
from kit.tokens import claims_of, header_of, sign_token

from oidc_auth.errors import ErrorCode, OIDCAuthError
from oidc_auth.observability import KeysFetched, pseudonym
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import compact
from oidc_auth.tokens.claim_path import ClaimPathError, parse_path
from oidc_auth.tokens.states import VerifiedToken

CLAIMS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"iss": "https://other.test"}, {}, "https://issuer.test", "'https://other.test'"),
    ({"typ": "ID", "token_use": "id"}, {}, "an access token", "typ='ID', token_use='id'"),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {}, "an access token", "events"),
    ({"aud": "other"}, {"audience": ["b", "a"]}, "a, b", "'other'"),
    ({"exp": "soon"}, {}, "exp as a number of seconds", "str"),
    ({"exp": NOON - 60}, {}, LEEWAY_TEXT, "60.0 s past exp"),
    ({"nbf": NOON + 60}, {}, LEEWAY_TEXT, "60.0 s to nbf"),
    ({"iat": NOON + 60}, {}, LEEWAY_TEXT, "iat 60.0 s in this host's future"),
    ({"iat": NOON - 100}, {"max_token_age": 60}, "an age of at most 60 s", "100.0 s"),
    ({}, {"require": {"org.id": "*"}}, "a claim org.id", "none"),
    ({"azp": "other"}, {"allowed_clients": ["web", "cli"]}, "cli, web", "'other'"),
    ({"cnf": {"jkt": "x"}}, {}, "a token without cnf", ""),
    ({"sub": ""}, {}, "a string in sub", "an empty value"),
    ({"sub": 42}, {}, "a string in sub", "a int"),
    ({"org": 1.5}, {"tenant": "org"}, "a string, a whole number or a boolean in org", "1.5"),
    ({"org": "x"}, {"require": {"org": ["acme", ""]}}, "org in '', acme", "'x'"),
    ({}, {"require": {"org": "acme"}}, "org in acme", "none"),
    ({"org": None}, {"require": {"org": "acme"}}, "org in acme", "none"),
    # Single spaces separate scopes (RFC 6749 §3.3), and only in scope and scp.
    ({"scope": "a\tagents"}, {"require": {"scope": "agents"}}, "scope in agents", "'a\\tagents'"),
    ({"scope": {"of": "a agents"}}, {"require": {"scope.of": "agents"}}, "scope.of in agents", "'a agents'"),
    (
        {"client_id": "x", "org": "acme"},
        {"client_claim": {"claim": "client_id", "values": "web"}, "require": {"org": "acme"}},
        "client_id in web",
        "'x'",
    ),
]


@pytest.mark.parametrize(("claims", "settings", "expected", "found"), CLAIMS)
def test_rejected_claim_shows_expected_value(
    claims: dict[str, Any], settings: dict[str, Any], expected: str, found: str
) -> None:
    harness = AuthHarness(**settings)
    token = sign_token(harness.issuer, **claims)
    assert expected_and_found(harness, token) == (expected, found)


@pytest.mark.parametrize("scope", ["agents", "a agents", ["a", "agents"]])
def test_one_matching_scope_meets_requirement(scope: object) -> None:
    harness = AuthHarness(require={"scope": "agents"})
    token = sign_token(harness.issuer, scope=scope)
    assert harness.authenticate(token) is None


@pytest.mark.parametrize(
    ("name", "said"), [("exp", ("a claim exp", "none")), ("iat", ("an age of at most 60 s", "no iat"))]
)
def test_missing_time_is_named(name: str, said: tuple[str, str]) -> None:
    harness = AuthHarness(max_token_age=60)
    claims = {key: value for key, value in claims_of(harness.issuer).items() if key != name}
    assert expected_and_found(harness, compact(header_of(harness.issuer), claims, harness.issuer.keys[0])) == said


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/realm_access/roles", "write realm_access.roles"),
        ("$.realm_access.roles", "write realm_access.roles"),
        ("$X/a", "write X.a"),
        ("/", "write claim names separated by dots"),
    ],
)
def test_pointer_is_rewritten_as_claim_path(path: str, advice: str) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(path)
    assert str(refused.value) == f"{path!r} looks like a JSON pointer or JSONPath: {advice}"


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (None, "no claim"),
        ("a\x00", "control characters"),
        ("a\x1f", "control characters"),
        ("a\x7f", "control characters"),
        ("a\x9f", "control characters"),
        ("x" * 256, "more than 255 characters"),
        ("system", "the reserved name 'system'"),
    ],
)
def test_identity_fault_is_named(subject: str | None, found: str) -> None:
    harness = AuthHarness()
    claims = {name: value for name, value in claims_of(harness.issuer, sub=subject).items() if value is not None}
    assert expected_and_found(harness, compact(header_of(harness.issuer), claims, harness.issuer.keys[0])) == (
        "a string in sub",
        found,
    )


@pytest.mark.parametrize("subject", ["Zoë \u200bYves", "\u200b ", "a\xa0b", "~\u2028X"])
def test_unusual_printable_characters_are_allowed(subject: str) -> None:
    caller = asyncio.run((harness := AuthHarness()).admit(harness.issuer.token(subject)))
    assert caller.identity == subject


def test_reserved_prefix_is_named() -> None:
    harness = AuthHarness(
        identity=[{"claim": "uid", "prefix": "u:"}, {"claim": "sub", "prefix": "u:x:"}],
    )
    token = sign_token(harness.issuer, uid="x:alice")
    assert expected_and_found(harness, token) == ("a string in uid", "a value that begins with another identity_prefix")


@pytest.mark.parametrize(("length", "found"), [(118, f"'{'x' * 118}'"), (119, f"'{'x' * 116}...")])
def test_long_value_is_cut_to_120_characters(length: int, found: str) -> None:
    harness = AuthHarness()
    assert expected_and_found(harness, harness.issuer.token(audience="x" * length))[1] == found


def test_earliest_time_is_in_past() -> None:
    harness = AuthHarness()
    assert asyncio.run(harness.admit(harness.issuer.token(nbf=-253_402_300_799))).expires_at == NOON + 300


def test_claim_is_shown_as_configured() -> None:
    harness = AuthHarness(require={'"a.b".Xc': "*"})
    assert expected_and_found(harness, harness.issuer.token())[0] == 'a claim "a.b".Xc'


async def always(now: float) -> bool:
    return now >= 0


def test_cached_claims_serve_later_checks() -> None:
    kept = {"sub": "a", "sid": "s", "jti": "j", "iat": 1, "auth_time": 2, "acr": "3", "cnf": {"jkt": "x"}}
    token = VerifiedToken(
        issuer="https://issuer.test", claims={**kept, "email": "a@b.c"}, expires_at=9, valid_until=8, is_current=always
    )
    assert token.for_cache() == VerifiedToken(
        issuer="https://issuer.test", claims=kept, expires_at=9, valid_until=8, is_current=always
    )


def test_hint_keeps_found_value() -> None:
    harness = AuthHarness()
    assert expected_and_found(harness, harness.issuer.token(audience="account", azp="web")) == ("agents", "'account'")


@pytest.mark.parametrize("fault", [None, Fault.DOWN])
def test_refusal_names_user_by_pseudonym(fault: Fault | None) -> None:
    harness = AuthHarness(audience="others", identity_prefix="acme:")
    harness.issuer.fault = fault
    with pytest.raises(OIDCAuthError) as refusal:
        asyncio.run(harness.admit(harness.issuer.token("alice")))
    assert refusal.value.code is (ErrorCode.AUDIENCE_MISMATCH if fault is None else ErrorCode.KEYS_UNAVAILABLE)
    assert refusal.value.issuer == harness.issuer.url
    assert refusal.value.user == pseudonym("acme:alice")
    assert [event.issuer for event in harness.events if isinstance(event, KeysFetched)] == [harness.issuer.url]
