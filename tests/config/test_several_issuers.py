"""Two issuers at one server: nothing of one counts for the other, and equal claims give equal rights."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.auth_harness import IssuerRouter, bearer
from kit.mapping import NOW
from kit.mapping import bearer as authenticate_headers

from oidc_auth import OIDCAuth, OIDCAuthError, store_label
from oidc_auth.errors import ErrorCode
from oidc_auth.testing import Clock, Fault, LocalIssuer

if TYPE_CHECKING:
    from oidc_auth import Caller

A, B = "https://a.test", "https://b.test"
GITHUB = "https://token.actions.githubusercontent.com"
GRANT = {"claim": "groups", "values": {"users": ["threads:write"], "eng-*": ["assistants:read"]}}
EXAMPLE = Path(__file__).parents[2] / "examples" / "several-issuers" / "oidc-auth.toml"


class Pair:
    """Two issuers and the server that trusts both."""

    def __init__(self, first: dict[str, Any] | None = None, second: dict[str, Any] | None = None) -> None:
        self.clock = Clock(NOW)
        self.a, self.b = (LocalIssuer(url, algorithm="ES256", clock=self.clock) for url in (A, B))
        tables = [
            {"issuer": A, "audience": "agents", "identity_prefix": "", "permission_map": GRANT, **(first or {})},
            {"issuer": B, "audience": "agents", "identity_prefix": "b:", "permission_map": GRANT, **(second or {})},
        ]
        self.oidc = OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(self.a, self.b), clock=self.clock)

    def caller(self, token: str) -> Caller:
        return authenticate_headers(self.oidc, token)

    def refusal(self, token: str) -> ErrorCode:
        with pytest.raises(OIDCAuthError) as refused:
            self.caller(token)
        return refused.value.code


def test_same_subject_at_two_issuers_differs() -> None:
    pair = Pair()
    first, second = (pair.caller(issuer.token("alice", groups=["users"])) for issuer in (pair.a, pair.b))
    assert (first.identity, second.identity) == ("alice", "b:alice")
    assert store_label(first.user()) != store_label(second.user())
    assert (first.issuer, second.issuer) == (A, B)


@pytest.mark.parametrize("subject", ["b:alice", "b:"])
def test_subject_with_other_prefix_is_rejected(subject: str) -> None:
    pair = Pair()
    assert pair.refusal(pair.a.token(subject)) is ErrorCode.IDENTITY_INVALID


def test_same_kid_at_two_issuers_differs() -> None:
    pair = Pair()
    assert pair.a.keys[0].kid == pair.b.keys[0].kid
    for issuer, other in ((pair.a, pair.b), (pair.b, pair.a)):
        assert pair.caller(issuer.token()).issuer == issuer.url
        assert pair.refusal(issuer.token(key=other.keys[0])) is ErrorCode.SIGNATURE_INVALID
        assert pair.refusal(other.token(iss=issuer.url)) is ErrorCode.SIGNATURE_INVALID


def test_kid_of_other_issuer_is_unknown() -> None:
    pair = Pair()
    pair.b.rotate("ES256")
    assert pair.caller(pair.b.token()).issuer == B
    assert pair.refusal(pair.a.token(key=pair.b.keys[0])) is ErrorCode.KEY_NOT_FOUND


def test_each_issuer_has_own_audience() -> None:
    pair = Pair({"audience": "for-a"}, {"audience": "for-b"})
    for issuer, own, others in ((pair.a, "for-a", "for-b"), (pair.b, "for-b", "for-a")):
        assert pair.caller(issuer.token(audience=own)).issuer == issuer.url
        assert pair.refusal(issuer.token(audience=others)) is ErrorCode.AUDIENCE_MISMATCH


def test_each_issuer_has_own_algorithms() -> None:
    pair = Pair({"algorithms": ["ES256"]}, {"algorithms": ["EdDSA"]})
    pair.b.rotate("EdDSA")
    assert pair.caller(pair.a.token()).issuer == A
    assert pair.caller(pair.b.token()).issuer == B
    assert pair.refusal(pair.b.token(key=pair.b.keys[1])) is ErrorCode.ALG_NOT_ALLOWED
    pair.a.rotate("EdDSA")
    assert pair.refusal(pair.a.token()) is ErrorCode.ALG_NOT_ALLOWED


@pytest.mark.parametrize("setting", [{"require": {"org": "x"}}, {"max_token_age": 60}, {"allowed_clients": ["web"]}])
def test_requirement_applies_to_its_issuer_only(setting: dict[str, Any]) -> None:
    pair = Pair(setting)
    old: dict[str, Any] = {"iat": NOW - 200}
    assert pair.caller(pair.b.token(**old)).issuer == B
    assert pair.refusal(pair.a.token(**old)) in (
        ErrorCode.REQUIREMENT_NOT_MET,
        ErrorCode.TOKEN_TOO_OLD,
        ErrorCode.CLIENT_NOT_ALLOWED,
    )


def test_outage_affects_one_issuer_only() -> None:
    pair = Pair()
    pair.a.fault = Fault.DOWN
    assert pair.refusal(pair.a.token()) is ErrorCode.KEYS_UNAVAILABLE
    assert pair.caller(pair.b.token()).issuer == B


def test_only_named_issuer_is_asked_for_keys() -> None:
    pair = Pair()
    pair.caller(pair.b.token())
    assert (len(pair.a.fetched), len(pair.b.fetched)) == (0, 2)
    assert pair.refusal(pair.b.token(header={"kid": "stray"})) is ErrorCode.KEY_NOT_FOUND
    assert (len(pair.a.fetched), len(pair.b.fetched) > 2) == (0, True)


def test_withdrawn_key_affects_its_issuer_only() -> None:
    pair = Pair()
    tokens = [issuer.token(lifetime=3_600) for issuer in (pair.a, pair.b)]

    async def admitted() -> list[str]:
        return [(await pair.oidc.authenticate(bearer(token))).issuer for token in tokens]

    async def withdrawn() -> ErrorCode:
        assert await admitted() == [A, B]
        pair.a.rotate("ES256", keep_old=False)
        pair.clock.advance(3_601)
        tokens[:] = [pair.a.token(key=old, lifetime=3_600), pair.b.token(lifetime=3_600)]
        assert (await pair.oidc.authenticate(bearer(tokens[1]))).issuer == B
        with pytest.raises(OIDCAuthError) as refused:
            await pair.oidc.authenticate(bearer(tokens[0]))
        return refused.value.code

    old = pair.a.keys[0]
    assert asyncio.run(withdrawn()) is ErrorCode.KEY_NOT_FOUND


# --- equal claims, equal rights --------------------------------------------------------------------------------------

words = st.sampled_from(["users", "eng-1", "eng-*", "*", "Users", "threads:read", "", "admins", "acme"])
values = words | st.lists(words, max_size=4) | st.none() | st.integers() | st.dictionaries(words, words, max_size=2)
claims_ = st.fixed_dictionaries({}, optional={"groups": values, "scope": values, "org": values, "azp": values})
EQUAL: dict[str, Any] = {
    "tenant": {"claim": "org", "object_keys": True},
    "permission_map": [GRANT, {"claim": "scope", "accept": ["threads:*"], "when": {"azp": ["users", "acme"]}}],
}


@cache
def alike() -> Pair:
    return Pair(EQUAL, EQUAL)


@settings(deadline=None, database=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(claims=claims_)
def test_equal_claims_give_equal_rights(claims: dict[str, Any]) -> None:
    first, second = (alike().oidc.explain({"iss": issuer, "sub": "alice", **claims}) for issuer in (A, B))
    assert (first.rights, first.graphs, first.tenancy) == (second.rights, second.graphs, second.tenancy)
    assert (first.refusal, first.notes) == (second.refusal, second.notes)
    assert first.refusal.startswith("tenant_invalid") or second.identity == f"b:{first.identity}"


# --- the example -----------------------------------------------------------------------------------------------------


def deployment(github: LocalIssuer, **changes: Any) -> str:
    claims = {
        "repository_id": "777",
        "repository": "acme/agents",
        "repository_owner_id": "12345",
        "ref": "refs/heads/main",
        "environment": "production",
    }
    header = {"typ": "JWT"}
    return github.token("repo:acme/agents", audience="https://agents.acme.com", header=header, **{**claims, **changes})


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> tuple[OIDCAuth, LocalIssuer, LocalIssuer]:
    monkeypatch.setenv("OKTA_ISSUER", "https://acme.okta.com/oauth2/default")
    okta = LocalIssuer("https://acme.okta.com/oauth2/default", algorithm="ES256", clock=lambda: NOW)
    github = LocalIssuer(GITHUB, algorithm="ES256", clock=lambda: NOW)
    return OIDCAuth.from_file(EXAMPLE, fetcher=IssuerRouter(okta, github), clock=lambda: NOW), okta, github


def test_example_serves_users_and_deployments(
    example: tuple[OIDCAuth, LocalIssuer, LocalIssuer],
) -> None:
    oidc, okta, github = example
    person = authenticate_headers(
        oidc, okta.token("a@acme.com", audience="api://agents", uid="777", groups=["agents-users"])
    )
    job = authenticate_headers(oidc, deployment(github))
    assert (person.identity, job.identity) == ("777", "gha:777")
    assert "assistants:create" not in person.rights
    assert {"assistants:update@all", "threads:create_run"} < set(job.permissions)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository_owner_id": "666"}, ErrorCode.REQUIREMENT_NOT_MET),
        ({"repository": "acme/scratch", "repository_id": "778"}, ErrorCode.REQUIREMENT_NOT_MET),
        ({"ref": "refs/heads/feature"}, ErrorCode.REQUIREMENT_NOT_MET),
        ({"aud": "api://agents"}, ErrorCode.AUDIENCE_MISMATCH),
        ({"iss": "https://acme.okta.com/oauth2/default"}, ErrorCode.SIGNATURE_INVALID),
    ],
)
def test_example_rejects_foreign_deployments(
    example: tuple[OIDCAuth, LocalIssuer, LocalIssuer], changes: dict[str, Any], code: ErrorCode
) -> None:
    oidc, _, github = example
    changes = {"aud": "api://agents", "uid": "1", **changes} if "iss" in changes else changes
    with pytest.raises(OIDCAuthError) as refused:
        authenticate_headers(oidc, deployment(github, **changes))
    assert refused.value.code is code


def test_job_without_environment_has_no_permissions(example: tuple[OIDCAuth, LocalIssuer, LocalIssuer]) -> None:
    oidc, _, github = example
    assert authenticate_headers(oidc, deployment(github, environment=None)).permissions == []
