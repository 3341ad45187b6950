"""``mode = "always"``: a JWT is verified locally, and then the provider must call it active."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import IssuerRouter, bearer, run_event_loop
from kit.clock import NOON
from kit.introspection import SECRET, IntrospectionHarness

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, OIDCAuthError
from oidc_auth.revocation.entries import Kind, Revocation
from oidc_auth.testing import Clock, LocalIssuer
from oidc_auth.tokens.checks import CHECKS
from oidc_auth.tokens.states import PresentedToken

LIGHT: dict[str, Any] = {"audience": None}
"""A lightweight access token of Keycloak has no ``aud`` and no roles."""
SUBJECT_CHECK = next(check.name for check in CHECKS if check.code is ErrorCode.SUBJECT_MISMATCH)
ROLES = {"claim": "roles", "values": {"user": ["threads:read"], "admin": ["*"]}}


def always(**settings: Any) -> IntrospectionHarness:
    return IntrospectionHarness("always", **settings)


def answering(harness: IntrospectionHarness, **members: Any) -> IntrospectionHarness:
    """Let the provider answer this, and the subject of the token. ``...`` removes a member."""
    members = {"active": True, "sub": "alice", **members}
    harness.issuer.introspection.answer = {name: value for name, value in members.items() if value is not ...}
    return harness


def test_active_jwt_is_accepted() -> None:
    harness = always()
    token = harness.issuer.token()
    assert harness.authenticate(token) is None
    assert harness.asked == [token]


def test_revoked_jwt_is_refused() -> None:
    harness = always()
    token = harness.issuer.token()
    harness.issuer.revoke(token)
    assert harness.authenticate(token) is ErrorCode.TOKEN_INACTIVE


def test_opaque_token_is_introspected_too() -> None:
    harness = always()
    assert harness.authenticate(harness.issuer.opaque_token()) is None


def tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


@pytest.mark.parametrize(
    ("claims", "settings", "code"),
    [
        ({"audience": "other"}, {}, ErrorCode.AUDIENCE_MISMATCH),
        ({"iss": "https://other.test"}, {}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"lifetime": -31}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"exp": None}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"nbf": NOON + 31}, {}, ErrorCode.TOKEN_NOT_YET_VALID),
        ({"iat": NOON + 31}, {}, ErrorCode.TOKEN_ISSUED_IN_FUTURE),
        ({"iat": NOON - 200}, {"max_token_age": 100}, ErrorCode.TOKEN_TOO_OLD),
        ({"typ": "Refresh"}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        ({"cnf": {"jkt": "x"}}, {}, ErrorCode.BOUND_TOKEN_NOT_SUPPORTED),
        ({"azp": "evil"}, {"allowed_clients": ["spa"]}, ErrorCode.CLIENT_NOT_ALLOWED),
        ({"client_id": "evil"}, {"allowed_clients": ["spa"]}, ErrorCode.CLIENT_NOT_ALLOWED),
        ({"plan": "free"}, {"require": {"plan": "gold"}}, ErrorCode.REQUIREMENT_NOT_MET),
        ({"org": [1.5]}, {"tenant": "org"}, ErrorCode.TENANT_INVALID),
        ({"header": {"alg": "HS256"}}, {}, ErrorCode.ALG_NOT_ALLOWED),
        ({"header": {"typ": "logout+jwt"}}, {}, ErrorCode.TYP_NOT_ALLOWED),
        ({"header": {"kid": "unknown"}}, {}, ErrorCode.KEY_NOT_FOUND),
    ],
)
def test_jwt_failing_locally_is_never_sent(claims: dict[str, Any], settings: dict[str, Any], code: ErrorCode) -> None:
    harness = answering(always(**settings), aud="agents", azp="spa", plan="gold", org="acme")
    assert harness.authenticate(harness.issuer.token(**claims)) is code
    assert harness.asked == []


def test_jwt_with_wrong_signature_is_never_sent() -> None:
    harness = always()
    assert harness.authenticate(tampered(harness.issuer.token())) is ErrorCode.SIGNATURE_INVALID
    assert harness.asked == []


def test_client_claim_of_jwt_is_checked_locally() -> None:
    client = {"claim": "client_id", "values": ["spa"]}
    harness = answering(always(client_claim=client, require={"plan": "gold"}), client_id="spa", plan="gold")
    assert harness.authenticate(harness.issuer.token(client_id="evil")) is ErrorCode.CLIENT_NOT_ALLOWED
    assert harness.asked == []
    assert harness.authenticate(harness.issuer.token()) is None


@pytest.mark.parametrize("sub", ["mallory", None, 7, ...])
def test_answer_about_other_subject_is_refused(sub: Any) -> None:
    harness = answering(always(), sub=sub)
    assert harness.authenticate(harness.issuer.token()) is ErrorCode.SUBJECT_MISMATCH


@pytest.mark.parametrize(("sub", "code"), [("bob", None), (None, ErrorCode.IDENTITY_INVALID)])
def test_answer_adds_missing_subject(sub: Any, code: ErrorCode | None) -> None:
    harness = answering(always(), sub=sub)
    assert harness.authenticate(harness.issuer.token(None)) is code


def test_answer_adds_claims_to_lightweight_token() -> None:
    harness = answering(always(permission_map=ROLES), aud="agents", roles=["user"])
    caller = asyncio.run(harness.admit(harness.issuer.token(**LIGHT)))
    assert "threads:read" in caller.permissions


def test_claims_of_answer_replace_those_of_jwt() -> None:
    # The user lost the role after the token was issued.
    harness = answering(always(permission_map=ROLES), roles=["user"])
    caller = asyncio.run(harness.admit(harness.issuer.token(roles=["admin"])))
    assert "threads:delete" not in caller.permissions


@pytest.mark.parametrize(
    ("members", "settings", "code"),
    [
        ({}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
        ({"token_type": "Bearer"}, {}, ErrorCode.AUDIENCE_MISMATCH),
        ({"token_type": "Bearer"}, {"require": {"plan": "gold"}}, ErrorCode.REQUIREMENT_NOT_MET),
        ({"aud": "other"}, {}, ErrorCode.AUDIENCE_MISMATCH),
        ({"aud": "agents", "azp": "evil"}, {"allowed_clients": ["spa"]}, ErrorCode.CLIENT_NOT_ALLOWED),
        ({"aud": "agents"}, {"allowed_clients": ["spa"]}, ErrorCode.CLIENT_NOT_ALLOWED),
        ({"aud": "agents"}, {"require": {"plan": "*"}}, ErrorCode.CLAIM_MISSING),
        ({"aud": "agents"}, {"identity": "oid"}, ErrorCode.IDENTITY_INVALID),
        ({"aud": "agents", "org": 1.5}, {"tenant": "org"}, ErrorCode.TENANT_INVALID),
        ({"aud": "agents", "iss": "https://other.test"}, {}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"aud": "agents", "exp": NOON - 30}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"aud": "agents", "exp": None}, {}, ErrorCode.TOKEN_EXPIRED),
        ({"aud": "agents", "nbf": NOON + 31}, {}, ErrorCode.TOKEN_NOT_YET_VALID),
        ({"aud": "agents", "cnf": {}}, {}, ErrorCode.BOUND_TOKEN_NOT_SUPPORTED),
        ({"aud": "agents", "token_type": "DPoP"}, {}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
    ],
)
def test_all_claims_together_pass_every_check(
    members: dict[str, Any], settings: dict[str, Any], code: ErrorCode
) -> None:
    harness = answering(always(**settings), **members)
    assert harness.authenticate(harness.issuer.token(**LIGHT)) is code
    assert len(harness.asked) == 1


@pytest.mark.parametrize(
    ("members", "expires"),
    [({}, NOON + 300), ({"exp": NOON + 100}, NOON + 100), ({"exp": NOON + 9_000}, NOON + 300)],
)
def test_earlier_expiry_counts(members: dict[str, Any], expires: float) -> None:
    harness = answering(always(), **members)
    assert asyncio.run(harness.admit(harness.issuer.token())).expires_at == expires


def test_later_expiry_is_no_longer_lifetime() -> None:
    harness = answering(always(revocation={"store": "memory", "max_token_lifetime": 600}), exp=NOON + 9_000)
    assert asyncio.run(harness.admit(harness.issuer.token())).expires_at == NOON + 300
    assert harness.authenticate(harness.issuer.token(lifetime=601)) is ErrorCode.TOKEN_LIFETIME_TOO_LONG


def test_verified_token_has_earlier_expiry() -> None:
    harness = answering(always(), exp=NOON + 9_000)
    presented = PresentedToken("bearer", harness.issuer.token())
    verified = asyncio.run(harness.oidc._verifier.verify(presented, NOON))
    assert (verified.expires_at, verified.valid_until) == (NOON + 300, NOON + 300)


def test_answer_cannot_extend_token_age() -> None:
    harness = answering(always(max_token_age=100), iat=NOON)
    assert asyncio.run(harness.admit(harness.issuer.token(iat=NOON - 50))).expires_at == NOON + 50


@pytest.mark.parametrize("members", [{"iat": NOON + 20}, {"iat": ...}, {"iat": None}])
def test_answer_cannot_make_revoked_token_newer(members: dict[str, Any]) -> None:
    harness = answering(always(revocation={"store": "memory"}), **members)
    assert revoke_and_authenticate(harness, Kind.SUBJECT, "alice") is ErrorCode.TOKEN_REVOKED


@pytest.mark.parametrize(("kind", "claim"), [(Kind.SESSION, "sid"), (Kind.TOKEN, "jti")])
@pytest.mark.parametrize("other", ["other", None, ...])
def test_answer_cannot_rename_revoked_token(kind: Kind, claim: str, other: object) -> None:
    harness = answering(always(revocation={"store": "memory"}), **{claim: other})
    assert revoke_and_authenticate(harness, kind, "named", **{claim: "named"}) is ErrorCode.TOKEN_REVOKED


@pytest.mark.parametrize("claims", [{}, {"sid": None}])
def test_session_only_in_answer_can_be_revoked(claims: dict[str, Any]) -> None:
    harness = answering(always(revocation={"store": "memory"}), sid="named")
    assert revoke_and_authenticate(harness, Kind.SESSION, "named", **claims) is ErrorCode.TOKEN_REVOKED


def revoke_and_authenticate(harness: IntrospectionHarness, kind: Kind, value: str, **claims: Any) -> ErrorCode | None:
    token, revocation = harness.issuer.token(**claims), harness.oidc.revocation
    assert harness.authenticate(token) is None
    assert revocation is not None
    named = Revocation(issuer=harness.issuer.url, kind=kind, value=value, time=NOON + 10)
    asyncio.run(revocation.store.publish([named]))
    return harness.authenticate(token)


def test_alias_token_keeps_its_issuer() -> None:
    # With jwks_uri, both names share one key set.
    alias = "https://alias.test"
    harness = always(aliases=[alias], jwks_uri="https://issuer.test/keys", claims=["iss"])
    caller = asyncio.run(answering(harness, iss="https://issuer.test").admit(harness.issuer.token(iss=alias)))
    assert (caller.issuer, caller.claims) == (alias, {"iss": alias})


def test_jwt_of_other_issuer_is_never_sent() -> None:
    clock = Clock(NOON)
    asked, silent = (LocalIssuer(f"https://{name}.test", algorithm="ES256", clock=clock) for name in ("a", "b"))
    table = {"preset": "generic", "audience": "agents"}
    tables = [
        {**table, "issuer": asked.url, "identity_prefix": "", "introspection": {"mode": "always", **SECRET}},
        {**table, "issuer": silent.url, "identity_prefix": "b:"},
    ]
    oidc = OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(asked, silent), clock=clock)
    assert asyncio.run(oidc.authenticate(bearer(silent.token()))).identity == "b:alice"
    assert asked.introspection.requests == []


def test_withdrawn_key_ends_cached_jwt() -> None:
    harness = always(introspection={"cache_seconds": 3_600})
    token = harness.issuer.token(lifetime=3_000)
    assert harness.authenticate(token) is None
    harness.issuer.rotate("ES256", keep_old=False)
    harness.clock.advance(91)

    async def use_after_refresh() -> ErrorCode | None:
        await harness.authenticate_async(token)
        await run_event_loop()
        return await harness.authenticate_async(token)

    assert asyncio.run(use_after_refresh()) is ErrorCode.KEY_NOT_FOUND


def test_token_expiring_during_introspection_is_refused() -> None:
    harness = answering(always(leeway=0), exp=...)
    token = harness.issuer.token(lifetime=10)
    original = harness.issuer.introspection.respond

    def slow(headers: Any, body: bytes) -> Any:
        harness.clock.advance(10)
        return original(headers, body)

    harness.issuer.introspection.respond = slow  # type: ignore[method-assign]
    assert harness.authenticate(token) is ErrorCode.TOKEN_EXPIRED


@pytest.mark.parametrize(("active", "outcome"), [(True, "passed"), (False, "failed")], ids=["active", "inactive"])
def test_explain_shows_introspection(*, active: bool, outcome: str) -> None:
    harness = answering(always(permission_map=ROLES), active=active, aud="agents", roles=["user"])
    token = harness.issuer.token(**LIGHT)
    why = asyncio.run(harness.oidc.explain_token(token))
    checks = {check.name: check.outcome for check in why.checks}
    assert (checks["signature valid"], checks["token active"]) == ("passed", outcome)
    assert why.allows("threads:read") is active
    # These were decided only with the answer.
    assert ("audience matches" in checks, SUBJECT_CHECK in checks) == (active, active)
    assert token not in str(why)


def test_explain_shows_opaque_token() -> None:
    harness = IntrospectionHarness(permission_map=ROLES)
    why = asyncio.run(harness.oidc.explain_token(harness.issuer.opaque_token(roles=["user"])))
    assert why.allows("threads:read")
    assert {"token active", "issuer trusted", "audience matches"} <= {check.name for check in why.checks}
    assert "signature valid" in why.not_run


def test_explain_shows_outage() -> None:
    harness = always()
    harness.issuer.introspection.status = 500
    why = asyncio.run(harness.oidc.explain_token(harness.issuer.token()))
    assert why.refusal.startswith(f"{ErrorCode.INTROSPECTION_UNAVAILABLE}:")
    assert why.issuer == harness.issuer.url


def test_refusal_names_issuer_and_pseudonym() -> None:
    harness = always()
    token = harness.issuer.token()
    harness.issuer.revoke(token)
    with pytest.raises(OIDCAuthError) as refused:
        asyncio.run(harness.admit(token))
    assert (refused.value.issuer, len(refused.value.user)) == (harness.issuer.url, 12)
