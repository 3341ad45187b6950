"""``explain``: why claims give what they give, without network and without a signature."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import Any

import pytest
from world.mapping import ISSUER, NOW, URL, USERS, configured, table, token

from oidc_auth import Code, Explanation, OIDCAuth, presets
from oidc_auth.permissions.names import Reach
from oidc_auth.testing import Fault, LocalIssuer

KEYCLOAK = "https://sso.acme.com/realms/acme"
GRANTS: list[dict[str, Any]] = [
    {"claim": "realm_access.roles", "values": {"agent-admin": ["admin"], "agent-user": ["user"]}},
    {"claim": 'resource_access."langgraph.api".roles', "accept": ["*"]},
]
ROLES = {
    "user": ["threads:write", "store:write", "assistants:read"],
    "admin": ["user", "*:read@all", "assistants:write@all", "crons:write"],
}
CLAIMS = {
    "iss": KEYCLOAK,
    "sub": "u",
    "realm_access": {"roles": ["offline_access", "Agent-Admin"]},
    "resource_access": {"langgraph.api": {"roles": ["threads:read"]}},
}
NEAR = "the configuration has 'agent-admin': it differs only in case or a leading '/'"


def keycloak(**issuer: Any) -> OIDCAuth:
    return configured(*GRANTS, roles=ROLES, issuer=KEYCLOAK, **issuer)


def explain_token(oidc: OIDCAuth, text: str) -> Explanation:
    return asyncio.run(oidc.explain_token(text))


def test_example_3_says_who_what_came_near_and_what_is_left() -> None:
    lines = [line.split(maxsplit=1) for line in str(keycloak().explain(CLAIMS)).splitlines()]
    assert [line for line in lines if line[0] != "check"] == [
        ["issuer", KEYCLOAK],
        ["identity", "u"],
        ["grant", "realm_access.roles: 'offline_access': no match"],
        ["grant", f"realm_access.roles: 'Agent-Admin': no match ({NEAR})"],
        ["grant", "resource_access.\"langgraph.api\".roles: 'threads:read': gives threads:read"],
        ["threads", "read search"],
        ["assistants", "-"],
        ["crons", "-"],
        ["store", "-"],
    ]


def test_what_it_shows_and_what_it_allows_are_the_same() -> None:
    why = keycloak().explain(CLAIMS)
    assert why.allows("threads:read")
    assert why.allows("threads:search")
    assert not why.allows("threads:read@all")
    assert not why.allows("assistants:create")


@pytest.mark.parametrize(
    ("roles", "org", "allowed", "not_allowed"),
    [
        (["t"], "acme", ["threads:read", "threads:read@tenant", "threads:search@tenant"], ["threads:read@all"]),
        (["t"], None, [], ["threads:read", "threads:read@tenant"]),
        (["a"], None, ["threads:read", "threads:read@tenant", "threads:read@all"], ["threads:create"]),
        (["o"], "acme", ["threads:read"], ["threads:read@tenant", "threads:read@all"]),
        (["w"], "acme", ["threads:write", "threads:create_run"], ["threads:write@tenant", "store:put"]),
        ([], "acme", [], ["threads:read", "store:get@all"]),
    ],
)
def test_allows_knows_how_far_a_permission_reaches(
    roles: list[str], org: str | None, allowed: list[str], not_allowed: list[str]
) -> None:
    values = {"t": ["threads:read@tenant"], "a": ["threads:read@all"], "o": ["threads:read"], "w": ["threads:write"]}
    why = configured({"claim": "roles", "values": values}, tenant="org").explain(
        {"sub": "u", "roles": roles, "org": org}
    )
    assert [name for name in [*allowed, *not_allowed] if why.allows(name)] == allowed


@pytest.mark.parametrize("name", ["threads:red", "threads:*", "*", "", "admin", "runs:create", "threads:read@tennant"])
def test_an_unknown_permission_is_an_error_and_not_a_no(name: str) -> None:
    with pytest.raises(ValueError, match="unknown"):
        keycloak().explain(CLAIMS).allows(name)


def test_a_refusal_allows_nothing_whatever_stands_beside_it() -> None:
    assert Explanation(rights={"threads:read": Reach.OWN}).allows("threads:read")
    assert not Explanation(rights={"threads:read": Reach.OWN}, refusal="expired").allows("threads:read")


def test_reaches_graphs_and_the_tenant_are_shown() -> None:
    roles = {"docs": {"allow": ["threads:write@tenant", "store:read@all"], "graphs": ["faq", "docs_agent"]}}
    oidc = configured({"claim": "roles", "values": {"d": ["docs"]}}, roles=roles, tenant="org")
    lines = [
        line.split(maxsplit=1) for line in str(oidc.explain({"sub": "u", "roles": ["d"], "org": "acme"})).splitlines()
    ]
    assert ["tenant", "acme"] in lines
    assert lines[-5:] == [
        ["threads", "create@tenant read@tenant update@tenant delete@tenant search@tenant create_run@tenant"],
        ["assistants", "-"],
        ["crons", "-"],
        ["store", "get@all search@all list_namespaces@all"],
        ["graphs", "docs_agent faq"],
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["*@tenant"], "gives *@tenant"),
        (["*"], "gives *"),
        (["*@all", "threads:read"], "gives *@all, threads:read"),
        (["threads:*@tenant", "store:*"], "gives store:*, threads:*@tenant"),
        (["*:read@tenant"], "gives assistants:read@tenant, crons:read@tenant, store:read, threads:read@tenant"),
        (["crons:create", "crons:read"], "gives crons:create, crons:read"),
    ],
)
def test_what_a_value_gives_is_written_as_the_configuration_would(given: list[str], said: str) -> None:
    oidc = configured({"claim": "roles", "values": {"d": given}}, tenant="org")
    assert oidc.explain({"sub": "u", "roles": ["d"], "org": "acme"}).notes == (f"roles: 'd': {said}",)


def test_a_missing_tenant_is_shown() -> None:
    oidc = configured({"claim": "roles", "values": {"d": ["threads:read@tenant"]}}, tenant="org")
    assert "tenant    none: @tenant rights vanish" in str(oidc.explain({"sub": "u"})).splitlines()
    assert "tenant    " not in str(configured(USERS).explain({"sub": "u"}))


def test_no_permission_is_said_in_so_many_words() -> None:
    why = keycloak().explain({"sub": "u", "scope": "openid"})
    assert why.refusal.startswith("no_permission_maps: authenticated, but no permission maps from these claims; Give")
    assert str(why).splitlines()[-1] == f"REFUSED   {why.refusal}"


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"repository_owner_id": "666"}, "requirement_unmet: expected repository_owner_id in 12345; found '666';"),
        ({}, "requirement_unmet: expected repository_owner_id in 12345; found none;"),
        ({"repository_owner_id": 12345}, "requirement_unmet: expected repository_owner_id in 12345; found 12345;"),
        ({"repository_owner_id": ["12345"], "sub": ""}, "identity_invalid: expected a string in sub; found an empty"),
    ],
)
def test_requirements_and_identity_are_judged(claims: dict[str, Any], refusal: str) -> None:
    oidc = configured(USERS, require={"repository_owner_id": "12345"})
    why = oidc.explain({"sub": "u", "roles": ["user"], **claims})
    assert why.refusal.startswith(refusal)
    assert (why.identity, why.rights, why.allows("threads:read")) == ("", {}, False)
    assert oidc.explain({"sub": "u", "roles": ["user"], "repository_owner_id": "12345"}).allows("threads:read")


def test_a_client_that_is_not_listed_is_judged() -> None:
    oidc = configured(USERS, client_claim={"claim": "client_id", "values": ["WEB"]}, require={"x": "y"})
    assert oidc.explain({"sub": "u", "x": "y", "client_id": "EVIL"}).refusal.startswith("client_refused")


@pytest.mark.parametrize(
    ("settings", "good", "bad", "code"),
    [
        ({}, {}, {"typ": "ID"}, "token_kind_refused"),
        ({}, {}, {"token_use": "id"}, "token_kind_refused"),
        ({}, {}, {"typ": "Refresh"}, "token_kind_refused"),
        ({}, {}, {"sts": "pending"}, "token_kind_refused"),
        (
            {},
            {},
            {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
            "token_kind_refused",
        ),
        ({}, {}, {"cnf": {"jkt": "x"}}, "token_bound"),
        ({"authorized_parties": ["web"]}, {"azp": "web"}, {"azp": "evil"}, "party_refused"),
        ({"authorized_parties": ["web"]}, {"client_id": "web"}, {}, "party_refused"),
        ({"required_claims": ["roles_of.agents"]}, {"roles_of": {"agents": {}}}, {}, "claim_missing"),
        ({"tenant": "org"}, {"org": "acme"}, {"org": ["acme", 5]}, "tenant_invalid"),
    ],
)
def test_claims_that_the_server_refuses_whoever_sends_them_allow_nothing(
    settings: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], code: str
) -> None:
    oidc = configured(USERS, **settings)
    assert oidc.explain({"sub": "u", "roles": ["user"], **good}).allows("threads:read")
    why = oidc.explain({"sub": "u", "roles": ["user"], **bad})
    assert (why.refusal.partition(":")[0], why.allows("threads:read")) == (code, False)
    assert {check.code: check.outcome for check in why.checks}[Code(code)] == "failed"
    server = explain_token(oidc, token(sub="u", roles=["user"], **bad))
    assert server.refusal.partition(":")[0] == code


def test_audience_and_time_are_shown_and_not_judged() -> None:
    why = configured(USERS, max_age=60).explain({"sub": "u", "roles": ["user"], "aud": "other", "exp": NOW - 999})
    outcomes = {check.code.value: check.outcome for check in why.checks}
    unjudged = {"audience_mismatch", "expired", "not_yet_valid", "issued_in_future", "too_old"}
    assert {name for name, outcome in outcomes.items() if outcome == "not judged"} == unjudged
    assert "failed" not in outcomes.values()
    assert "check     expired: not judged expected leeway 30 s; found 999.0 s past exp" in str(why)
    assert "check     not_yet_valid: not judged" in str(why).splitlines()
    assert "check     identity_invalid: passed" in str(why).splitlines()
    assert why.allows("threads:read")


def test_claims_may_be_any_mapping_and_stay_as_they_are() -> None:
    claims = {"sub": "u", "roles": ["user"]}
    assert configured(USERS).explain(MappingProxyType(claims)).allows("threads:read")
    assert claims == {"sub": "u", "roles": ["user"]}


# --- which issuer ----------------------------------------------------------------------------------------------------

OTHER = "https://b.test"
TWO = {
    "issuer": [
        table(identity_prefix=""),
        table(issuer=OTHER, identity_prefix="b:", grant={"claim": "roles", "values": {"user": ["store:get"]}}),
    ]
}


@pytest.mark.parametrize(
    ("issuer", "identity", "permission"), [(URL, "u", "threads:read"), (OTHER, "b:u", "store:get")]
)
def test_each_issuer_has_its_own_rules(issuer: str, identity: str, permission: str) -> None:
    why = OIDCAuth.from_dict(TWO).explain({"iss": issuer, "sub": "u", "roles": ["user"]})
    assert (why.issuer, why.identity) == (issuer, identity)
    assert why.allows(permission)
    assert len([name for name in ("threads:read", "store:get") if why.allows(name)]) == 1


@pytest.mark.parametrize("iss", [None, "", "https://c.test", f"{URL}/", 5, [URL], {"iss": URL}])
def test_an_issuer_that_is_not_configured_explains_nothing(iss: object) -> None:
    for oidc in (OIDCAuth.from_dict(TWO), configured(USERS)):
        why = oidc.explain({"iss": iss, "sub": "u", "roles": ["user"]})
        assert why.refusal.startswith(f"issuer_unknown: expected one of {URL}")
        assert not why.allows("threads:read")
        assert str(why).splitlines()[:2] == ["issuer    -", "identity  -"]


def test_the_issuer_may_be_left_out_only_where_there_is_one() -> None:
    assert configured(USERS).explain({"sub": "u", "roles": ["user"]}).issuer == URL
    why = OIDCAuth.from_dict(TWO).explain({"sub": "u", "roles": ["user"]})
    assert why.refusal.startswith(f"issuer_unknown: expected one of {URL}, {OTHER}; found none; iss is compared")


def test_the_names_of_one_provider_are_no_choice_and_its_tenants_are() -> None:
    assert configured(USERS, aliases=[OTHER]).explain({"sub": "u", "roles": ["user"]}).issuer == URL
    one, other = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c", "5d3f6a7b-8c9d-4e0f-a1b2-c3d4e5f60718"
    claims = {"sub": "u", "tid": one, "roles": ["user"]}
    settings: dict[str, Any] = {"issuer": f"{URL}/{{tenantid}}", "tenant": "tid"}
    assert configured(USERS, tenants=one, **settings).explain(claims).issuer == f"{URL}/{one}"
    why = configured(USERS, tenants=[one, other], **settings).explain(claims)
    assert why.refusal.startswith(f"issuer_unknown: expected one of {URL}/{one}, {URL}/{other}; found none")


# --- what no grant reads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        ({"groups": ["/admins"]}, "groups: ['/admins']: no grant reads it"),
        ({"scope": "openid threads:read"}, "scope: 'openid threads:read': no grant reads it"),
        ({"https://acme.com/roles": ["x"]}, "https://acme.com/roles: ['x']: no grant reads it"),
        ({"cognito:groups": ["x"]}, "cognito:groups: ['x']: no grant reads it"),
        ({"urn:zitadel:iam:org:project:roles": {"a": {}}}, "urn:zitadel:iam:org:project:roles: {'a': {}}: no grant"),
        (
            {"resource_access": {"my.app": {"roles": ["x"]}}},
            "resource_access.\"my.app\".roles: ['x']: no grant reads it",
        ),
        ({"odd": ["threads:read"]}, "odd: ['threads:read']: no grant reads it"),
        ({"_claim_names": {"groups": "src1"}}, "its groups were left out for being too many"),
    ],
)
def test_what_looks_like_authority_and_is_not_read_is_named(claims: dict[str, Any], line: str) -> None:
    why = keycloak().explain({"sub": "u", **claims})
    assert [note for note in why.unmapped if note.startswith(line)]
    assert "\nunmapped  " in str(why)


def test_what_a_grant_reads_or_what_is_no_authority_is_not_called_unmapped() -> None:
    why = keycloak().explain(
        {**CLAIMS, "aud": ["a", "b"], "amr": ["pwd"], "email": "u@x.test", "deep": {"a": {"b": {}}}}
    )
    assert why.unmapped == ()


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_a_good_token_is_explained_by_its_claims() -> None:
    oidc = configured(USERS)
    why = explain_token(oidc, token(roles=["user"]))
    assert (why.identity, why.refusal) == ("alice", "")
    assert {check.outcome for check in why.checks} == {"passed"}
    assert why.allows("threads:read")
    same = oidc.explain({"iss": URL, "sub": "alice", "aud": "agents", "exp": NOW + 9, "roles": ["user"]})
    assert (why.identity, why.notes, why.rights) == (same.identity, same.notes, same.rights)


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"exp": NOW - 60}, "expired:"),
        ({"aud": "other"}, "audience_mismatch:"),
        ({"iss": "https://c.test"}, "issuer_unknown:"),
        ({"sub": None}, "identity_invalid:"),
        ({"sub": ...}, "identity_invalid:"),
        ({"cnf": {"jkt": "x"}}, "token_bound:"),
    ],
)
def test_a_token_that_is_refused_explains_its_refusal_and_is_not_shown(claims: dict[str, Any], refusal: str) -> None:
    why = explain_token(configured(USERS), token(roles=["user"], **claims))
    assert why.refusal.startswith(refusal)
    assert not why.allows("threads:read")
    assert "eyJ" not in str(why) + repr(why)


def test_a_forged_token_explains_only_that_it_is_forged() -> None:
    forged = LocalIssuer(URL, algorithm="ES256", clock=lambda: NOW).token(roles=["user"])
    why = explain_token(configured(USERS), forged)
    assert why.refusal.startswith("signature_invalid:")
    assert (why.identity, why.rights, why.notes) == ("", {}, ())


@pytest.mark.parametrize(("text", "refusal"), [("no.token", "segments_wrong:"), ("", "header_malformed:")])
def test_what_is_no_token_explains_what_it_lacks(text: str, refusal: str) -> None:
    assert explain_token(configured(USERS), text).refusal.startswith(refusal)


def outcomes(why: Explanation) -> dict[str, set[str]]:
    return {
        name: {c.code.value for c in why.checks if c.outcome == name} for name in ("passed", "failed", "not reached")
    }


def test_a_refused_tokens_road_is_shown_up_to_the_check_that_refused_it() -> None:
    road = outcomes(explain_token(configured(USERS), token(roles=["user"], exp=NOW - 60)))
    assert road["failed"] == {"expired"}
    assert {"segments_wrong", "issuer_unknown", "key_unknown", "audience_mismatch"} <= road["passed"]
    assert {"identity_invalid", "signature_invalid"} <= road["not reached"]


@pytest.mark.parametrize(
    ("claims", "issuer", "code", "detail"),
    [
        ({"exp": NOW - 60}, URL, "expired", "expected leeway 30 s; found 60.0 s past exp; Get a fresh token"),
        ({"aud": "other"}, URL, "audience_mismatch", "expected agents; found 'other'; Let the client request"),
        ({"cnf": {"jkt": "x"}}, URL, "token_bound", "expected a token without cnf; found -; A token with cnf"),
        ({"iss": "https://c.test"}, "", "issuer_unknown", f"expected {URL}; found 'https://c.test'; iss is compared"),
    ],
)
def test_the_check_that_refused_a_token_says_what_it_found_and_the_issuer_is_the_configured_one(
    claims: dict[str, Any], issuer: str, code: str, detail: str
) -> None:
    why = explain_token(configured(USERS), token(roles=["user"], **claims))
    assert why.issuer == issuer
    (failed,) = (check for check in why.checks if check.outcome == "failed")
    assert (failed.code, failed.detail[: len(detail)]) == (code, detail)
    assert not any(check.detail for check in why.checks if check is not failed)


def test_what_is_refused_by_its_header_never_reached_its_issuer() -> None:
    # Inline keys are never fetched again: a strange kid is hopeless before the payload is looked at.
    stranger = LocalIssuer(URL, clock=lambda: NOW)
    stranger.rotate()
    road = outcomes(explain_token(configured(USERS), stranger.token(roles=["user"])))
    assert road["failed"] == {"key_unknown"}
    assert {"issuer_unknown", "type_refused"} <= road["not reached"]


def test_claims_alone_reach_neither_signature_nor_keys() -> None:
    why = keycloak().explain(CLAIMS)
    assert {"signature_invalid", "key_unknown", "issuer_unknown"} <= outcomes(why)["not reached"]
    assert "check     not reached: header_repeated, token_missing" in str(why)


def test_a_provider_that_is_down_is_the_refusal() -> None:
    down = LocalIssuer(URL, algorithm="ES256")
    down.fault = Fault.DOWN
    document = {"issuer": presets.generic(URL, audience="agents")}
    why = explain_token(OIDCAuth.from_dict(document, fetcher=down, clock=lambda: NOW), token())
    assert why.refusal.startswith("keys_unavailable:")
    assert (outcomes(why)["failed"], "key_unknown" in outcomes(why)["not reached"]) == (set(), True)


def test_explaining_claims_fetches_nothing() -> None:
    fetched = len(ISSUER.fetched)
    document = {"issuer": presets.generic(URL, audience="agents")}
    oidc = OIDCAuth.from_dict(document, fetcher=ISSUER, clock=lambda: NOW)
    assert oidc.explain({"sub": "u", "scope": "threads:read"}).allows("threads:read")
    assert len(ISSUER.fetched) == fetched
