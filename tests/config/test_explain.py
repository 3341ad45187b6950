"""``explain``: why claims give what they give, without network and without a signature."""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import ISSUER, NOW, URL, USERS, configured, table, token

from oidc_auth import ErrorCode, Explanation, OIDCAuth, presets
from oidc_auth.permissions.names import Reach
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import compact, encode_base64url
from oidc_auth.tokens.checks import CHECKS

if TYPE_CHECKING:
    from kit.snapshots import Messages

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


def keycloak(**issuer: Any) -> OIDCAuth:
    return configured(*GRANTS, roles=ROLES, issuer=KEYCLOAK, **issuer)


def explain_token(oidc: OIDCAuth, text: str) -> Explanation:
    return asyncio.run(oidc.explain_token(text))


def test_explain_shows_matches_and_near_misses(messages: Messages) -> None:
    messages.check(keycloak().explain(CLAIMS))


def test_explanation_matches_allowed_permissions() -> None:
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
def test_allows_checks_reach(roles: list[str], org: str | None, allowed: list[str], not_allowed: list[str]) -> None:
    values = {"t": ["threads:read@tenant"], "a": ["threads:read@all"], "o": ["threads:read"], "w": ["threads:write"]}
    why = configured({"claim": "roles", "values": values}, tenant="org").explain(
        {"sub": "u", "roles": roles, "org": org}
    )
    assert [name for name in [*allowed, *not_allowed] if why.allows(name)] == allowed


@pytest.mark.parametrize("name", ["threads:red", "threads:*", "*", "", "admin", "runs:create", "threads:read@tennant"])
def test_unknown_permission_raises_error(name: str) -> None:
    with pytest.raises(ValueError, match="unknown"):
        keycloak().explain(CLAIMS).allows(name)


def test_refusal_allows_nothing() -> None:
    assert Explanation(rights={"threads:read": Reach.OWN}).allows("threads:read")
    assert not Explanation(rights={"threads:read": Reach.OWN}, refusal="token_expired").allows("threads:read")


def test_reach_graphs_and_tenant_are_shown() -> None:
    roles = {"docs": {"permissions": ["threads:write@tenant", "store:read@all"], "graphs": ["faq", "docs_agent"]}}
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
        (["*@tenant"], "grants *@tenant"),
        (["*"], "grants *"),
        (["*@all", "threads:read"], "grants *@all, threads:read"),
        (["threads:*@tenant", "store:*"], "grants store:*, threads:*@tenant"),
        (["*:read@tenant"], "grants assistants:read@tenant, crons:read@tenant, store:read, threads:read@tenant"),
        (["crons:create", "crons:read"], "grants crons:create, crons:read"),
    ],
)
def test_rights_are_shown_as_configured(given: list[str], said: str) -> None:
    oidc = configured({"claim": "roles", "values": {"d": given}}, tenant="org")
    assert oidc.explain({"sub": "u", "roles": ["d"], "org": "acme"}).notes == (f"roles: 'd': {said}",)


def test_missing_tenant_is_shown(messages: Messages) -> None:
    oidc = configured({"claim": "roles", "values": {"d": ["threads:read@tenant"]}}, tenant="org")
    messages.check(next(line for line in str(oidc.explain({"sub": "u"})).splitlines() if line.startswith("tenant ")))
    assert "tenant    " not in str(configured(USERS).explain({"sub": "u"}))


def test_missing_permissions_are_stated(messages: Messages) -> None:
    why = keycloak().explain({"sub": "u", "scope": "openid"})
    messages.check(why.refusal)
    assert str(why).splitlines()[-1] == f"REFUSED   {why.refusal}"


def test_misspelt_claim_path_names_right_claim(messages: Messages) -> None:
    oidc = configured({"claim": "realm_acces.roles", "values": {"agent-user": ["threads:read"]}})
    refusal = oidc.explain({"sub": "u", "realm_access": {"roles": ["x", "agent-user"]}, "groups": ["y"]}).refusal
    messages.check(refusal)


def test_unknown_value_is_shown_beside_expected_ones(messages: Messages) -> None:
    oidc = configured({"claim": "roles", "values": {"user": ["threads:read"], "admin": ["*@all"]}})
    refusal = oidc.explain({"sub": "u", "roles": ["guest"], "groups": ["other"]}).refusal
    messages.check(refusal)


@pytest.mark.parametrize(
    "claims",
    [
        {"repository_owner_id": "666"},
        {},
        {"repository_owner_id": 12346},
        {"repository_owner_id": ["12345"], "sub": ""},
    ],
)
def test_requirements_and_identity_are_checked(claims: dict[str, Any], messages: Messages) -> None:
    oidc = configured(USERS, require={"repository_owner_id": "12345"})
    why = oidc.explain({"sub": "u", "roles": ["user"], **claims})
    messages.check(why.refusal)
    assert (why.identity, why.rights, why.allows("threads:read")) == ("", {}, False)
    assert oidc.explain({"sub": "u", "roles": ["user"], "repository_owner_id": "12345"}).allows("threads:read")


def test_unlisted_client_is_rejected() -> None:
    oidc = configured(USERS, client_claim={"claim": "client_id", "values": ["WEB"]}, require={"x": "y"})
    assert oidc.explain({"sub": "u", "x": "y", "client_id": "EVIL"}).refusal.startswith("client_not_allowed")


@pytest.mark.parametrize(
    ("settings", "good", "bad", "code"),
    [
        ({}, {}, {"typ": "ID"}, "token_use_not_allowed"),
        ({}, {}, {"token_use": "id"}, "token_use_not_allowed"),
        ({}, {}, {"typ": "Refresh"}, "token_use_not_allowed"),
        ({}, {}, {"sts": "pending"}, "token_use_not_allowed"),
        (
            {},
            {},
            {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
            "token_use_not_allowed",
        ),
        ({}, {}, {"cnf": {"jkt": "x"}}, "bound_token_not_supported"),
        ({"allowed_clients": ["web"]}, {"azp": "web"}, {"azp": "evil"}, "client_not_allowed"),
        ({"allowed_clients": ["web"]}, {"client_id": "web"}, {}, "client_not_allowed"),
        ({"require": {"a.b": "*"}}, {"a": {"b": {"c": {}}}}, {}, "claim_missing"),
        ({"require": {"a.b": "*"}}, {"a": {"b": "c"}}, {"a": {"b": ""}}, "claim_missing"),
        ({"tenant": "org"}, {"org": "acme"}, {"org": ["acme", None]}, "tenant_invalid"),
    ],
)
def test_always_rejected_claims_allow_nothing(
    settings: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], code: str
) -> None:
    oidc = configured(USERS, **settings)
    assert oidc.explain({"sub": "u", "roles": ["user"], **good}).allows("threads:read")
    why = oidc.explain({"sub": "u", "roles": ["user"], **bad})
    assert (why.refusal.partition(":")[0], why.allows("threads:read")) == (code, False)
    assert {check.code: check.outcome for check in why.checks}[ErrorCode(code)] == "failed"
    server = explain_token(oidc, token(sub="u", roles=["user"], **bad))
    assert server.refusal.partition(":")[0] == code


@pytest.mark.parametrize(
    ("options", "claims", "shares"),
    [
        ({}, {}, ("own",)),
        ({"tenant": "org"}, {"org": "acme"}, ("own",)),
        ({"tenant": "org"}, {}, ()),
    ],
)
def test_sharing_needs_tenant_where_users_have_one(
    options: dict[str, Any], claims: dict[str, Any], shares: tuple[str, ...]
) -> None:
    roles = {"user": ["threads:write", "threads:share"]}
    oidc = configured({"claim": "roles", "values": {"u": ["user"]}}, roles=roles, **options)
    explained = oidc.explain({"sub": "u", "roles": ["u"], **claims})
    assert explained.can_share == shares
    assert ("shared_editors" in explained.can_approve) == bool(shares)
    assert oidc.explain({"sub": "u", "roles": ["x"], **claims}).can_share == ()


def test_audience_and_time_are_shown_unchecked(messages: Messages) -> None:
    why = configured(USERS, max_token_age=60).explain({"sub": "u", "roles": ["user"], "aud": "other", "exp": NOW - 999})
    outcomes = {check.code.value: check.outcome for check in why.checks}
    unchecked = {"audience_mismatch", "token_expired", "token_not_yet_valid", "token_issued_in_future", "token_too_old"}
    assert {name for name, outcome in outcomes.items() if outcome == "not checked"} == unchecked
    assert "failed" not in outcomes.values()
    messages.check(why)
    assert why.allows("threads:read")


def test_claims_mapping_is_not_modified() -> None:
    claims = {"sub": "u", "roles": ["user"]}
    assert configured(USERS).explain(MappingProxyType(claims)).allows("threads:read")
    assert claims == {"sub": "u", "roles": ["user"]}


# --- which issuer ----------------------------------------------------------------------------------------------------

OTHER = "https://b.test"
TWO = {
    "issuer": [
        table(identity_prefix=""),
        table(issuer=OTHER, identity_prefix="b:", permission_map={"claim": "roles", "values": {"user": ["store:get"]}}),
    ]
}


@pytest.mark.parametrize(
    ("issuer", "identity", "permission"), [(URL, "u", "threads:read"), (OTHER, "b:u", "store:get")]
)
def test_each_issuer_uses_its_own_rules(issuer: str, identity: str, permission: str) -> None:
    why = OIDCAuth.from_dict(TWO).explain({"iss": issuer, "sub": "u", "roles": ["user"]})
    assert (why.issuer, why.identity) == (issuer, identity)
    assert why.allows(permission)
    assert len([name for name in ("threads:read", "store:get") if why.allows(name)]) == 1


@pytest.mark.parametrize("iss", [None, "", "https://c.test", f"{URL}/", 5, [URL], {"iss": URL}])
def test_unconfigured_issuer_explains_nothing(iss: object) -> None:
    for oidc in (OIDCAuth.from_dict(TWO), configured(USERS)):
        why = oidc.explain({"iss": iss, "sub": "u", "roles": ["user"]})
        assert why.refusal.startswith("issuer_not_trusted: ")
        assert URL in why.refusal
        assert not why.allows("threads:read")
        assert str(why).splitlines()[:2] == ["issuer    -", "identity  -"]


def test_issuer_is_optional_with_single_issuer(messages: Messages) -> None:
    assert configured(USERS).explain({"sub": "u", "roles": ["user"]}).issuer == URL
    why = OIDCAuth.from_dict(TWO).explain({"sub": "u", "roles": ["user"]})
    messages.check(why.refusal)


def test_aliases_need_no_issuer_but_tenants_do(messages: Messages) -> None:
    assert configured(USERS, aliases=[OTHER]).explain({"sub": "u", "roles": ["user"]}).issuer == URL
    one, other = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c", "5d3f6a7b-8c9d-4e0f-a1b2-c3d4e5f60718"
    claims = {"sub": "u", "tid": one, "roles": ["user"]}
    settings: dict[str, Any] = {"issuer": f"{URL}/{{tenantid}}", "tenant": "tid"}
    assert configured(USERS, tenants=one, **settings).explain(claims).issuer == f"{URL}/{one}"
    why = configured(USERS, tenants=[one, other], **settings).explain(claims)
    messages.check(why.refusal)


# --- what no permission map reads ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": ["/admins"]},
        {"scope": "openid threads:read"},
        {"https://acme.com/roles": ["x"]},
        {"cognito:groups": ["x"]},
        {"urn:zitadel:iam:org:project:roles": {"a": {}}},
        {"resource_access": {"my.app": {"roles": ["x"]}}},
        {"odd": ["threads:read"]},
        {"_claim_names": {"groups": "src1"}},
    ],
)
def test_unread_permission_claims_are_listed(claims: dict[str, Any], messages: Messages) -> None:
    why = keycloak().explain({"sub": "u", **claims})
    assert "\nunmapped  " in str(why)
    for note in why.unmapped:
        messages.check(note)


def test_read_or_irrelevant_claims_are_not_listed() -> None:
    why = keycloak().explain(
        {**CLAIMS, "aud": ["a", "b"], "amr": ["pwd"], "email": "u@x.test", "deep": {"a": {"b": {}}}}
    )
    assert why.unmapped == ()


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_valid_token_is_explained_by_claims() -> None:
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
        ({"exp": NOW - 60}, "token_expired:"),
        ({"aud": "other"}, "audience_mismatch:"),
        ({"iss": "https://c.test"}, "issuer_not_trusted:"),
        ({"sub": None}, "identity_invalid:"),
        ({"sub": ...}, "identity_invalid:"),
        ({"cnf": {"jkt": "x"}}, "bound_token_not_supported:"),
    ],
)
def test_rejected_token_is_explained_and_hidden(claims: dict[str, Any], refusal: str) -> None:
    why = explain_token(configured(USERS), token(roles=["user"], **claims))
    assert why.refusal.startswith(refusal)
    assert not why.allows("threads:read")
    assert "eyJ" not in str(why) + repr(why)


def test_forged_token_explains_only_signature() -> None:
    forged = LocalIssuer(URL, algorithm="ES256", clock=lambda: NOW).token(roles=["user"])
    why = explain_token(configured(USERS), forged)
    assert why.refusal.startswith("signature_invalid:")
    assert (why.identity, why.rights, why.notes) == ("", {}, ())


@pytest.mark.parametrize(("text", "refusal"), [("no.token", "token_malformed:"), ("", "header_malformed:")])
def test_malformed_token_explains_what_is_missing(text: str, refusal: str) -> None:
    assert explain_token(configured(USERS), text).refusal.startswith(refusal)


def outcomes(why: Explanation) -> dict[str, set[str]]:
    return {name: {c.code.value for c in why.checks if c.outcome == name} for name in ("passed", "failed")}


def test_checks_are_shown_up_to_failure() -> None:
    why = explain_token(configured(USERS), token(roles=["user"], exp=NOW - 60))
    shown = outcomes(why)
    assert shown["failed"] == {"token_expired"}
    assert {"token_malformed", "issuer_not_trusted", "key_not_found", "audience_mismatch"} <= shown["passed"]
    assert "signature_invalid" in shown["passed"]
    assert "identity valid" in why.not_run


@pytest.mark.parametrize(
    ("claims", "issuer", "code"),
    [
        ({"exp": NOW - 60}, URL, "token_expired"),
        ({"aud": "other"}, URL, "audience_mismatch"),
        (
            {"cnf": {"jkt": "x"}},
            URL,
            "bound_token_not_supported",
        ),
        (
            {"iss": "https://c.test"},
            "",
            "issuer_not_trusted",
        ),
    ],
)
def test_failed_check_shows_found_value_and_issuer(
    claims: dict[str, Any], issuer: str, code: str, messages: Messages
) -> None:
    why = explain_token(configured(USERS), token(roles=["user"], **claims))
    assert why.issuer == issuer
    (failed,) = (check for check in why.checks if check.outcome == "failed")
    assert failed.code == code
    messages.check(failed.detail)
    assert not any(check.detail for check in why.checks if check is not failed)


def refused_texts() -> list[tuple[str, str, set[str]]]:
    """Return refused tokens: the text, the code, and the checks that must not be shown."""
    key = ISSUER.keys[0]
    header, payload, signature = token().split(".")
    alg, kid = ("typ_not_allowed", "issuer_not_trusted"), ("key_not_found", "signature_invalid")
    unsigned = encode_base64url(b'{"alg":"none"}')
    stray = encode_base64url(json.dumps({"alg": "ES256", "kid": "stray"}).encode())
    return [
        ("no.token", "token_malformed", {"token_base64_invalid", "token_json_invalid", "alg_not_allowed", *alg}),
        (f"%%.{payload}.{signature}", "token_base64_invalid", {"token_json_invalid", "alg_not_allowed", *alg}),
        (f"{header}.%%.{signature}", "token_base64_invalid", {"token_json_invalid", "alg_not_allowed", *alg, *kid}),
        (f"{header}.e30x.{signature}", "token_json_invalid", {"token_base64_invalid", *alg, *kid}),
        (f"{unsigned}.{payload}.{signature}", "alg_not_allowed", {"token_base64_invalid", "token_json_invalid", *alg}),
        (f"{stray}.%%.{signature}", "token_base64_invalid", {"token_json_invalid", *alg, *kid}),
        (f"{stray}.{payload}.{signature}", "key_not_found", {"token_base64_invalid", "key_alg_mismatch", *kid[1:]}),
        (f"{header}.{payload}.%%", "token_base64_invalid", {"signature_invalid", "token_expired"}),
        (compact({"alg": key.algorithm, "kid": key.kid}, b"[]", key), "token_json_invalid", {*alg, *kid}),
    ]


@pytest.mark.parametrize(("text", "code", "hidden"), refused_texts())
def test_checks_that_did_not_run_are_hidden(text: str, code: str, hidden: set[str]) -> None:
    why = explain_token(configured(USERS), text)
    shown = outcomes(why)
    assert shown["failed"] == {code}
    assert not shown["passed"] & {*hidden, code}
    assert {check.name for check in CHECKS if check.code in hidden} <= set(why.not_run)


@pytest.mark.parametrize("text", ["Bearer x.y.z", "'x.y.z'", "undefined"])
def test_checks_of_refused_header_are_shown(text: str) -> None:
    shown = outcomes(explain_token(configured(USERS), text))
    assert shown["failed"] == {"header_malformed"}
    assert shown["passed"] == {"header_repeated", "token_missing", "token_too_long"}


def test_wrong_key_type_passes_key_lookup() -> None:
    # The token names a key of another type.
    other = LocalIssuer(URL, algorithm="ES384", clock=lambda: NOW)
    shown = outcomes(explain_token(configured(USERS), other.token(roles=["user"])))
    assert shown["failed"] == {"key_alg_mismatch"}
    assert "key_not_found" in shown["passed"]


def test_claims_alone_skip_signature_and_keys() -> None:
    why = keycloak().explain(CLAIMS)
    assert {"signature valid", "key found", "issuer trusted"} <= set(why.not_run)
    assert "signature" not in str(why)


def test_provider_outage_is_shown_as_refusal() -> None:
    down = LocalIssuer(URL, algorithm="ES256")
    down.fault = Fault.DOWN
    document = {"issuer": presets.generic(URL, audience="agents")}
    why = explain_token(OIDCAuth.from_dict(document, fetcher=down, clock=lambda: NOW), token())
    assert why.refusal.startswith("keys_unavailable:")
    assert (outcomes(why)["failed"], "key found" in why.not_run) == (set(), True)
    assert "issuer_not_trusted" in outcomes(why)["passed"]


def test_explaining_claims_fetches_nothing() -> None:
    fetched = len(ISSUER.fetched)
    document = {"issuer": presets.generic(URL, audience="agents")}
    oidc = OIDCAuth.from_dict(document, fetcher=ISSUER, clock=lambda: NOW)
    assert oidc.explain({"sub": "u", "scope": "threads:read"}).allows("threads:read")
    assert len(ISSUER.fetched) == fetched
