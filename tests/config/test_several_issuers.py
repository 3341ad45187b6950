"""Two issuers at one server: nothing of one counts for the other, and equal claims give equal rights."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world.mapping import NOW
from world.mapping import bearer as come_in
from world.tokens import Clock, Internet, bearer

from oidc_auth import OIDCAuth, OIDCAuthError, store_label
from oidc_auth.errors import Code
from oidc_auth.testing import Fault, LocalIssuer

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
            {"issuer": A, "audience": "agents", "identity_prefix": "", "grant": GRANT, **(first or {})},
            {"issuer": B, "audience": "agents", "identity_prefix": "b:", "grant": GRANT, **(second or {})},
        ]
        self.oidc = OIDCAuth.from_dict({"issuer": tables}, fetcher=Internet(self.a, self.b), clock=self.clock)

    def caller(self, token: str) -> Caller:
        return come_in(self.oidc, token)

    def refusal(self, token: str) -> Code:
        with pytest.raises(OIDCAuthError) as refused:
            self.caller(token)
        return refused.value.code


def test_the_same_subject_at_two_issuers_is_two_people() -> None:
    pair = Pair()
    first, second = (pair.caller(issuer.token("alice", groups=["users"])) for issuer in (pair.a, pair.b))
    assert (first.identity, second.identity) == ("alice", "b:alice")
    assert store_label(first.user()) != store_label(second.user())
    assert (first.issuer, second.issuer) == (A, B)


@pytest.mark.parametrize("subject", ["b:alice", "b:"])
def test_a_subject_that_begins_with_the_others_prefix_is_nobody(subject: str) -> None:
    pair = Pair()
    assert pair.refusal(pair.a.token(subject)) is Code.IDENTITY_INVALID


def test_the_same_key_id_at_two_issuers_is_two_keys() -> None:
    pair = Pair()
    assert pair.a.keys[0].kid == pair.b.keys[0].kid
    for issuer, other in ((pair.a, pair.b), (pair.b, pair.a)):
        assert pair.caller(issuer.token()).issuer == issuer.url
        assert pair.refusal(issuer.token(key=other.keys[0])) is Code.SIGNATURE_INVALID
        assert pair.refusal(other.token(iss=issuer.url)) is Code.SIGNATURE_INVALID


def test_a_key_id_that_only_the_other_issuer_has_is_unknown() -> None:
    pair = Pair()
    pair.b.rotate("ES256")
    assert pair.caller(pair.b.token()).issuer == B
    assert pair.refusal(pair.a.token(key=pair.b.keys[0])) is Code.KEY_UNKNOWN


def test_each_issuer_has_an_audience_of_its_own() -> None:
    pair = Pair({"audience": "for-a"}, {"audience": "for-b"})
    for issuer, own, others in ((pair.a, "for-a", "for-b"), (pair.b, "for-b", "for-a")):
        assert pair.caller(issuer.token(audience=own)).issuer == issuer.url
        assert pair.refusal(issuer.token(audience=others)) is Code.AUDIENCE_MISMATCH


def test_each_issuer_has_algorithms_of_its_own() -> None:
    pair = Pair({"algorithms": ["ES256"]}, {"algorithms": ["EdDSA"]})
    pair.b.rotate("EdDSA")
    assert pair.caller(pair.a.token()).issuer == A
    assert pair.caller(pair.b.token()).issuer == B
    assert pair.refusal(pair.b.token(key=pair.b.keys[1])) is Code.ALGORITHM_REFUSED
    pair.a.rotate("EdDSA")
    assert pair.refusal(pair.a.token()) is Code.ALGORITHM_REFUSED


@pytest.mark.parametrize("setting", [{"require": {"org": "x"}}, {"max_age": 60}, {"authorized_parties": ["web"]}])
def test_what_one_issuer_demands_the_other_does_not(setting: dict[str, Any]) -> None:
    pair = Pair(setting)
    old: dict[str, Any] = {"iat": NOW - 200}
    assert pair.caller(pair.b.token(**old)).issuer == B
    assert pair.refusal(pair.a.token(**old)) in (Code.REQUIREMENT_UNMET, Code.TOO_OLD, Code.PARTY_REFUSED)


def test_one_issuers_outage_is_not_the_others() -> None:
    pair = Pair()
    pair.a.fault = Fault.DOWN
    assert pair.refusal(pair.a.token()) is Code.KEYS_UNAVAILABLE
    assert pair.caller(pair.b.token()).issuer == B


def test_only_the_issuer_that_a_token_names_is_asked_for_its_keys() -> None:
    pair = Pair()
    pair.caller(pair.b.token())
    assert (len(pair.a.fetched), len(pair.b.fetched)) == (0, 2)
    assert pair.refusal(pair.b.token(header={"kid": "stray"})) is Code.KEY_UNKNOWN
    assert (len(pair.a.fetched), len(pair.b.fetched) > 2) == (0, True)


def test_a_key_withdrawn_by_one_issuer_takes_only_its_own_tokens_along() -> None:
    pair = Pair()
    tokens = [issuer.token(lifetime=3_600) for issuer in (pair.a, pair.b)]

    async def admitted() -> list[str]:
        return [(await pair.oidc.authenticate(bearer(token))).issuer for token in tokens]

    async def withdrawn() -> Code:
        assert await admitted() == [A, B]
        pair.a.rotate("ES256", keep_old=False)
        pair.clock.move(3_601)
        tokens[:] = [pair.a.token(key=old, lifetime=3_600), pair.b.token(lifetime=3_600)]
        assert (await pair.oidc.authenticate(bearer(tokens[1]))).issuer == B
        with pytest.raises(OIDCAuthError) as refused:
            await pair.oidc.authenticate(bearer(tokens[0]))
        return refused.value.code

    old = pair.a.keys[0]
    assert asyncio.run(withdrawn()) is Code.KEY_UNKNOWN


# --- equal claims, equal rights --------------------------------------------------------------------------------------

words = st.sampled_from(["users", "eng-1", "eng-*", "*", "Users", "threads:read", "", "admins", "acme"])
values = words | st.lists(words, max_size=4) | st.none() | st.integers() | st.dictionaries(words, words, max_size=2)
claims_ = st.fixed_dictionaries({}, optional={"groups": values, "scope": values, "org": values, "azp": values})
EQUAL: dict[str, Any] = {
    "tenant": {"claim": "org", "keys": True},
    "grant": [GRANT, {"claim": "scope", "accept": ["threads:*"], "when": {"azp": ["users", "acme"]}}],
}


@cache
def alike() -> Pair:
    return Pair(EQUAL, EQUAL)


@settings(deadline=None, database=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(claims=claims_)
def test_equal_claims_from_equally_configured_issuers_give_equal_rights(claims: dict[str, Any]) -> None:
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
    return OIDCAuth.from_file(EXAMPLE, fetcher=Internet(okta, github), clock=lambda: NOW), okta, github


def test_the_example_lets_people_work_and_deployments_deploy(
    example: tuple[OIDCAuth, LocalIssuer, LocalIssuer],
) -> None:
    oidc, okta, github = example
    person = come_in(oidc, okta.token("a@acme.com", audience="api://agents", uid="777", groups=["agents-users"]))
    job = come_in(oidc, deployment(github))
    assert (person.identity, job.identity) == ("777", "gha:777")
    assert "assistants:create" not in person.rights
    assert {"assistants:update@all", "threads:create_run"} < set(job.permissions)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository_owner_id": "666"}, Code.REQUIREMENT_UNMET),
        ({"repository": "acme/scratch", "repository_id": "778"}, Code.REQUIREMENT_UNMET),
        ({"ref": "refs/heads/feature"}, Code.REQUIREMENT_UNMET),
        ({"aud": "api://agents"}, Code.AUDIENCE_MISMATCH),
        ({"iss": "https://acme.okta.com/oauth2/default"}, Code.SIGNATURE_INVALID),
    ],
)
def test_the_example_refuses_other_peoples_deployments(
    example: tuple[OIDCAuth, LocalIssuer, LocalIssuer], changes: dict[str, Any], code: Code
) -> None:
    oidc, _, github = example
    changes = {"aud": "api://agents", "uid": "1", **changes} if "iss" in changes else changes
    with pytest.raises(OIDCAuthError) as refused:
        come_in(oidc, deployment(github, **changes))
    assert refused.value.code is code


def test_a_job_without_the_environment_may_do_nothing(example: tuple[OIDCAuth, LocalIssuer, LocalIssuer]) -> None:
    oidc, _, github = example
    assert come_in(oidc, deployment(github, environment=None)).permissions == []
