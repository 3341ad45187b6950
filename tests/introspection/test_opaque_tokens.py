"""Opaque tokens: what the provider says about them decides, by the same checks as for a JWT."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, IssuerRouter, bearer
from kit.clock import NOON
from kit.introspection import SECRET, IntrospectionHarness

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.introspection.verifier import looks_like_jwt
from oidc_auth.revocation.entries import Kind, Revocation
from oidc_auth.testing import Clock, LocalIssuer
from oidc_auth.testing.signing import encode_base64url

if TYPE_CHECKING:
    from oidc_auth.permissions.caller import Caller

SCOPE_REQUIRED = {"scope": ["agents"]}
LEEWAY = 30


def code_of(answer: Any, **settings: Any) -> ErrorCode | None:
    """Return the error code of a token with this answer of the provider."""
    harness = IntrospectionHarness(**settings)
    harness.issuer.introspection.answer = answer
    return harness.authenticate("opaque-token")


def answer(**members: Any) -> dict[str, Any]:
    """Return a valid answer with changes. ``...`` removes a member."""
    valid = {
        "active": True,
        "token_type": "Bearer",
        "iss": "https://issuer.test",
        "sub": "alice",
        "aud": "agents",
        "exp": NOON + 300,
        "iat": NOON,
    }
    return {name: value for name, value in {**valid, **members}.items() if value is not ...}


def caller_of(harness: IntrospectionHarness, token: str) -> Caller:
    return asyncio.run(harness.admit(token))


def test_active_token_gives_caller() -> None:
    harness = IntrospectionHarness(tenant="org", display_name="name", claims=["client_id"])
    token = harness.issuer.opaque_token(
        "alice", scope="threads:read assistants:read", org="acme", name="Alice", client_id="spa"
    )
    caller = caller_of(harness, token)
    assert (caller.identity, caller.issuer, caller.display_name) == ("alice", harness.issuer.url, "Alice")
    assert set(caller.permissions) >= {"threads:read", "assistants:read"}
    assert caller.tenancy is not None
    assert (caller.tenancy.tenant, caller.claims, caller.expires_at) == ("acme", {"client_id": "spa"}, NOON + 300)
    assert harness.asked == [token]
    assert harness.outcomes == ["active"]


@pytest.mark.parametrize("active", [False, None, "true", 1, [True], {}, ...])
def test_only_boolean_true_is_active(active: Any) -> None:
    assert code_of(answer(active=active)) is ErrorCode.TOKEN_INACTIVE


def test_revoked_expired_and_made_up_tokens_are_refused() -> None:
    harness = IntrospectionHarness()
    revoked, expired = harness.issuer.opaque_token(), harness.issuer.opaque_token(lifetime=-1)
    harness.issuer.revoke(revoked)
    codes = [harness.authenticate(token) for token in (revoked, expired, "made-up")]
    assert codes == [ErrorCode.TOKEN_INACTIVE] * 3


@pytest.mark.parametrize(
    ("members", "settings", "code"),
    [
        ({"aud": "other"}, {}, ErrorCode.AUDIENCE_MISMATCH),
        ({"aud": ["other", 5]}, {}, ErrorCode.AUDIENCE_MISMATCH),
        ({"aud": None}, {"require": SCOPE_REQUIRED}, ErrorCode.AUDIENCE_MISMATCH),
        ({"iss": "https://other.test"}, {}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"iss": "https://issuer.test/"}, {}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"iss": None}, {}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"exp": NOON - LEEWAY}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"exp": "soon"}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"exp": None}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"nbf": NOON + LEEWAY + 1}, {}, ErrorCode.TOKEN_NOT_YET_VALID),
        ({"iat": NOON + LEEWAY + 1}, {}, ErrorCode.TOKEN_ISSUED_IN_FUTURE),
        ({"iat": NOON - 200}, {"max_token_age": 100}, ErrorCode.TOKEN_TOO_OLD),
        ({"iat": ...}, {"max_token_age": 100}, ErrorCode.TOKEN_TOO_OLD),
        ({"sub": ...}, {}, ErrorCode.IDENTITY_INVALID),
        ({"sub": 7}, {}, ErrorCode.IDENTITY_INVALID),
        ({"client_id": "evil"}, {"allowed_clients": ["spa"]}, ErrorCode.CLIENT_NOT_ALLOWED),
        ({}, {"require": {"email_verified": "true"}}, ErrorCode.REQUIREMENT_NOT_MET),
        ({}, {"require": {"jti": "*"}}, ErrorCode.CLAIM_MISSING),
        ({"org": ["a", 1.5]}, {"tenant": "org"}, ErrorCode.TENANT_INVALID),
        ({"cnf": {"jkt": "x"}}, {}, ErrorCode.BOUND_TOKEN_NOT_SUPPORTED),
        ({"token_type": "DPoP"}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        ({"token_type": ["Bearer"]}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        ({"token_use": "refresh_token"}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        ({"typ": "Refresh"}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        ({"events": {}}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        # A refresh token of npm's oidc-provider.
        (
            {"token_type": ..., "aud": ..., "scope": "agents"},
            {"require": SCOPE_REQUIRED},
            ErrorCode.TOKEN_USE_NOT_ALLOWED,
        ),
    ],
)
def test_answer_passes_checks_of_jwt(members: dict[str, Any], settings: dict[str, Any], code: ErrorCode) -> None:
    assert code_of(answer(**members), **settings) is code


@pytest.mark.parametrize(
    ("members", "settings"),
    [
        ({}, {}),
        ({"aud": ["other", "agents"]}, {}),
        ({"iss": ...}, {}),
        ({"exp": ...}, {}),
        ({"token_type": ...}, {}),
        ({"token_type": "bearer", "token_use": "access_token"}, {}),
        ({"exp": NOON - LEEWAY + 1}, {}),
        ({"iss": "https://alias.test"}, {"aliases": ["https://alias.test"]}),
    ],
)
def test_valid_answer_is_accepted(members: dict[str, Any], settings: dict[str, Any]) -> None:
    assert code_of(answer(**members), **settings) is None


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, ErrorCode.AUDIENCE_MISMATCH),
        ({"require": {"scope": "*"}}, ErrorCode.AUDIENCE_MISMATCH),
        ({"allowed_clients": ["spa"]}, ErrorCode.AUDIENCE_MISMATCH),
        ({"require": SCOPE_REQUIRED}, None),
        ({"client_claim": {"claim": "client_id", "values": ["spa"]}, "require": SCOPE_REQUIRED}, None),
        (
            {
                "audience": None,
                "client_claim": {"claim": "client_id", "values": ["spa"]},
                "permission_map": {"claim": "scope", "strip_prefix": "agents", "accept": ["*"]},
            },
            None,
        ),
        ({"audience": None, "insecure_skip_audience": True}, None),
    ],
)
def test_answer_without_audience_needs_binding(settings: dict[str, Any], code: ErrorCode | None) -> None:
    assert code_of(answer(aud=..., client_id="spa", scope="agents"), **settings) is code


def test_preset_condition_does_not_replace_audience() -> None:
    # The preset of Cognito requires token_use, which every access token of the user pool has.
    harness = IntrospectionHarness(
        url="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc",
        preset="cognito",
        permission_map={"claim": "scope", "accept": ["*"]},
    )
    harness.issuer.introspection.answer = answer(iss=harness.issuer.url, aud=..., token_use="access")
    assert harness.authenticate("opaque-token") is ErrorCode.AUDIENCE_MISMATCH


def test_answer_without_issuer_gets_default_role() -> None:
    document = {
        "issuer": {
            "issuer": "https://issuer.test",
            "audience": "agents",
            "default_role": "reader",
            "introspection": {"mode": "opaque", **SECRET},
        },
        "roles": {"reader": ["threads:read"]},
    }
    issuer = LocalIssuer(clock=Clock(NOON))
    issuer.introspection.answer = answer(iss=...)
    oidc = OIDCAuth.from_dict(document, fetcher=issuer, clock=Clock(NOON))
    assert "threads:read" in asyncio.run(oidc.authenticate(bearer("opaque-token"))).permissions


@pytest.mark.parametrize(("seconds", "expires"), [(300, NOON + 300), (5, NOON + 30)])
def test_token_without_exp_expires_with_its_answer(seconds: float, expires: float) -> None:
    harness = IntrospectionHarness(introspection={"cache_seconds": seconds})
    harness.issuer.introspection.answer = answer(exp=...)
    assert caller_of(harness, "opaque-token").expires_at == expires


def test_max_token_age_ends_opaque_token() -> None:
    harness = IntrospectionHarness(max_token_age=100)
    harness.issuer.introspection.answer = answer(iat=NOON - 50)
    assert caller_of(harness, "opaque-token").expires_at == NOON + 50


@pytest.mark.parametrize("token", ["a", "ya29.x", "v4.local.AAAA", "a.b.c.d", "a+b/c==", "~._-", "x" * 8_000])
def test_every_bearer_token_character_is_sent(token: str) -> None:
    harness = IntrospectionHarness()
    assert harness.authenticate(token) is ErrorCode.TOKEN_INACTIVE
    assert harness.asked == [token]


@pytest.mark.parametrize("token", ["a&b", "a%26b", "a=b", "a#b", "a:b", "[a]", 'a"b', "a\x00b", "a\x7fb", "="])
def test_other_characters_are_never_sent(token: str) -> None:
    harness = IntrospectionHarness()
    assert harness.authenticate(token) is ErrorCode.TOKEN_MALFORMED
    assert harness.asked == []


def with_header(text: str, rest: str = "") -> str:
    """Return a token with this text in its first segment."""
    return f"{encode_base64url(text.encode())}{rest}"


@pytest.mark.parametrize(
    "token",
    [
        with_header('{"alg":"RS256"}', ".e30.c2ln"),
        with_header('{"alg":"none"}', ".e30."),
        with_header('{"alg":"RS256"}', ".e30.c2ln."),
        with_header('{"alg":"RS256"}'),
        with_header('{ "typ": "JWT", "alg": "RS256" }', "=.e30.c2ln"),
        with_header('{"alg":"HS256","alg":"RS256"}', ".e30.c2ln"),
        with_header('{"al\\u0067":"RS256"}', ".e30.c2ln"),
        with_header("[" * 11_000, ".e30.c2ln"),
    ],
)
def test_damaged_jwt_is_never_sent(token: str) -> None:
    harness = IntrospectionHarness()
    assert harness.authenticate(token) is not None
    assert harness.asked == []


def test_valid_jwt_of_opaque_issuer_is_verified_locally() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.token()
    harness.issuer.revoke(token)
    assert harness.authenticate(token) is None
    assert harness.asked == []


@pytest.mark.parametrize(
    ("token", "is_jwt"),
    [
        (with_header('{"alg":"dir","enc":"A256GCM"}', ".a.b.c.d"), False),
        (with_header('{"alg":"RS256","enc":"x"}', ".a.b"), True),
        (with_header('{"typ":"JWT"}', ".a.b"), False),
        (with_header('["alg"]', ".a.b"), False),
        ("v4.public.payload", False),
        (".a.b", False),
    ],
)
def test_encrypted_and_other_tokens_count_as_opaque(token: str, *, is_jwt: bool) -> None:
    assert looks_like_jwt(token) is is_jwt


def test_opaque_token_without_introspection_is_refused() -> None:
    harness = AuthHarness()
    assert harness.authenticate(harness.issuer.opaque_token()) is ErrorCode.TOKEN_MALFORMED


def several(*modes: str | None) -> tuple[OIDCAuth, list[LocalIssuer]]:
    """Return an OIDCAuth with one issuer for each mode, and the issuers."""
    clock = Clock(NOON)
    issuers = [LocalIssuer(f"https://{number}.test", algorithm="ES256", clock=clock) for number in range(len(modes))]
    tables = [
        {
            "preset": "generic",
            "issuer": issuer.url,
            "audience": "agents",
            "identity_prefix": f"{number}:" if number else "",
            **({} if mode is None else {"introspection": {"mode": mode, **SECRET}}),
        }
        for number, (mode, issuer) in enumerate(zip(modes, issuers, strict=True))
    ]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(*issuers), clock=clock), issuers


def admitted(oidc: OIDCAuth, token: str) -> str:
    """Return the identity of a token, or the code of its refusal."""
    try:
        return asyncio.run(oidc.authenticate(bearer(token))).identity
    except TokenError as refusal:
        return refusal.code


@pytest.mark.parametrize(
    ("modes", "asked"),
    [
        ((None, "opaque"), [0, 1]),
        (("always", "opaque"), [0, 1]),
        ((None, "always"), [0, 1]),
        (("always", "always"), [0, 0]),
        ((None, None), [0, 0]),
    ],
)
def test_opaque_token_is_sent_to_one_issuer(modes: tuple[str | None, ...], asked: list[int]) -> None:
    oidc, issuers = several(*modes)
    answered = admitted(oidc, issuers[1].opaque_token())
    assert answered == ("1:alice" if sum(asked) else ErrorCode.TOKEN_MALFORMED)
    assert [len(issuer.introspection.requests) for issuer in issuers] == asked


def test_answer_cannot_name_other_configured_issuer() -> None:
    oidc, issuers = several(None, "opaque")
    issuers[1].introspection.answer = answer(iss=issuers[0].url)
    assert admitted(oidc, "opaque-token") == ErrorCode.ISSUER_NOT_TRUSTED


def test_token_of_other_header_is_refused() -> None:
    harness = IntrospectionHarness(header="x-proxy-token", allowed_origins=[])
    token = harness.issuer.opaque_token()
    assert harness.authenticate({"x-proxy-token": token}) is None
    assert harness.authenticate(bearer(token)) is ErrorCode.TOKEN_MISSING


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"exp": NOON + 600}, None),
        ({"exp": NOON + 601}, ErrorCode.TOKEN_LIFETIME_TOO_LONG),
        # It has lived for that long already.
        ({"iat": NOON - 600, "exp": ...}, ErrorCode.TOKEN_LIFETIME_TOO_LONG),
        ({"exp": ...}, None),
        ({"iat": ..., "exp": NOON + 601}, None),
    ],
)
def test_token_may_not_outlive_revocations(members: dict[str, Any], code: ErrorCode | None) -> None:
    assert code_of(answer(**members), revocation={"store": "memory", "max_token_lifetime": 600}) is code
    assert code_of(answer(**members)) is None


@pytest.mark.parametrize(("members", "later"), [({}, None), ({"iat": ...}, ErrorCode.TOKEN_REVOKED)])
def test_opaque_token_of_revoked_user_is_refused(members: dict[str, Any], later: ErrorCode | None) -> None:
    harness = IntrospectionHarness(revocation={"store": "memory"})
    harness.issuer.introspection.answer = answer(**members)
    assert harness.authenticate("first-token") is None
    assert harness.oidc.revocation is not None
    named = Revocation(issuer=harness.issuer.url, kind=Kind.SUBJECT, value="alice", time=NOON)
    asyncio.run(harness.oidc.revocation.store.publish([named]))
    assert harness.authenticate("first-token") is ErrorCode.TOKEN_REVOKED
    # Without iat, a token of a new login cannot be told from an older one.
    harness.clock.advance(1)
    harness.issuer.introspection.answer = answer(**{"iat": NOON + 1, **members})
    assert harness.authenticate("second-token") is later
