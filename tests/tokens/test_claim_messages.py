"""A refused claim is reported with what was expected and what was found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness
from kit.clock import NOON
from kit.refusals import reason_of, refusal_of
from kit.tokens import claims_of, header_of, sign_token

from oidc_auth.errors import ErrorCode, OIDCAuthError
from oidc_auth.observability import KeysFetched, pseudonym
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import compact
from oidc_auth.tokens.claim_path import ClaimPathError, parse_path
from oidc_auth.tokens.states import VerifiedToken

if TYPE_CHECKING:
    from kit.snapshots import Messages

CLAIMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"iss": "https://other.test"}, {}),
    ({"typ": "ID", "token_use": "id"}, {}),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {}),
    ({"aud": "other"}, {"audience": ["b", "a"]}),
    ({"exp": "soon"}, {}),
    ({"exp": NOON - 60}, {}),
    ({"nbf": NOON + 60}, {}),
    ({"iat": NOON + 60}, {}),
    ({"iat": NOON - 100}, {"max_token_age": 60}),
    ({}, {"require": {"org.id": "*"}}),
    ({"azp": "other"}, {"allowed_clients": ["web", "cli"]}),
    ({"cnf": {"jkt": "x"}}, {}),
    ({"sub": ""}, {}),
    ({"sub": 42}, {}),
    ({"org": 1.5}, {"tenant": "org"}),
    ({"org": "x"}, {"require": {"org": ["acme", ""]}}),
    ({}, {"require": {"org": "acme"}}),
    ({"org": None}, {"require": {"org": "acme"}}),
    # Single spaces separate scopes (RFC 6749 §3.3), and only in scope and scp.
    ({"scope": "a\tagents"}, {"require": {"scope": "agents"}}),
    ({"scope": {"of": "a agents"}}, {"require": {"scope.of": "agents"}}),
    (
        {"client_id": "x", "org": "acme"},
        {"client_claim": {"claim": "client_id", "values": "web"}, "require": {"org": "acme"}},
    ),
]


@pytest.mark.parametrize(("claims", "settings"), CLAIMS)
def test_rejected_claim_shows_expected_value(
    claims: dict[str, Any], settings: dict[str, Any], messages: Messages
) -> None:
    harness = AuthHarness(**settings)
    token = sign_token(harness.issuer, **claims)
    messages.check(reason_of(refusal_of(harness, token)))


@pytest.mark.parametrize("scope", ["agents", "a agents", ["a", "agents"]])
def test_one_matching_scope_meets_requirement(scope: object) -> None:
    harness = AuthHarness(require={"scope": "agents"})
    token = sign_token(harness.issuer, scope=scope)
    assert harness.authenticate(token) is None


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_missing_time_is_named(name: str, messages: Messages) -> None:
    harness = AuthHarness(max_token_age=60)
    claims = {key: value for key, value in claims_of(harness.issuer).items() if key != name}
    token = compact(header_of(harness.issuer), claims, harness.issuer.keys[0])
    messages.check(reason_of(refusal_of(harness, token)))


@pytest.mark.parametrize(
    "path",
    [
        "/realm_access/roles",
        "$.realm_access.roles",
        "$X/a",
        "/",
    ],
)
def test_pointer_is_rewritten_as_claim_path(path: str, messages: Messages) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(path)
    messages.check(refused.value)


@pytest.mark.parametrize(
    "subject",
    [
        None,
        "a\x00",
        "a\x1f",
        "a\x7f",
        "a\x9f",
        pytest.param("x" * 256, id="256 characters"),
        "system",
    ],
)
def test_identity_fault_is_named(subject: str | None, messages: Messages) -> None:
    harness = AuthHarness()
    claims = {name: value for name, value in claims_of(harness.issuer, sub=subject).items() if value is not None}
    token = compact(header_of(harness.issuer), claims, harness.issuer.keys[0])
    messages.check(reason_of(refusal_of(harness, token)))


@pytest.mark.parametrize("subject", ["Zoë \u200bYves", "\u200b ", "a\xa0b", "~\u2028X"])
def test_unusual_printable_characters_are_allowed(subject: str) -> None:
    caller = asyncio.run((harness := AuthHarness()).admit(harness.issuer.token(subject)))
    assert caller.identity == subject


def test_reserved_prefix_is_named(messages: Messages) -> None:
    harness = AuthHarness(
        identity=[{"claim": "uid", "prefix": "u:"}, {"claim": "sub", "prefix": "u:x:"}],
    )
    token = sign_token(harness.issuer, uid="x:alice")
    messages.check(reason_of(refusal_of(harness, token)))


@pytest.mark.parametrize(("length", "found"), [(118, f"'{'x' * 118}'"), (119, f"'{'x' * 116}...")])
def test_long_value_is_cut_to_120_characters(length: int, found: str) -> None:
    harness = AuthHarness()
    assert refusal_of(harness, harness.issuer.token(audience="x" * length)).found == found


def test_earliest_time_is_in_past() -> None:
    harness = AuthHarness()
    assert asyncio.run(harness.admit(harness.issuer.token(nbf=-253_402_300_799))).expires_at == NOON + 300


def test_claim_is_shown_as_configured(messages: Messages) -> None:
    harness = AuthHarness(require={'"a.b".Xc': "*"})
    messages.check(reason_of(refusal_of(harness, harness.issuer.token())))


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
    error = refusal_of(harness, harness.issuer.token(audience="account", azp="web"))
    assert (error.expected, error.found) == ("agents", "'account'")


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
