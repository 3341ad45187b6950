"""What holds for every token: less never grants more, and no value reaches further than the configuration says."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from kit.mapping import authenticated, configured

from oidc_auth import Caller, Explanation, OIDCAuth, OIDCAuthError
from oidc_auth.enforcement.access_request import AccessRequest
from oidc_auth.enforcement.authorize import decide
from oidc_auth.enforcement.decision import NoRestriction
from oidc_auth.permissions.names import EVENTS, NAMES, Reach, split_reach
from oidc_auth.permissions.permission_maps import claim_values, conditions_met, rights_from_claims, rights_from_value
from oidc_auth.tokens.claim_path import find_claim

if TYPE_CHECKING:
    from collections.abc import Mapping

settings.register_profile("rules", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(settings.get_profile("rules"), max_examples=120)

ROLES = {
    "user": ["threads:write", "assistants:read"],
    "admin": ["user", "*:read@all"],
    "docs": {"permissions": ["threads:create_run"], "graphs": ["docs_agent"]},
    "sales": {"permissions": ["threads:create_run", "crons:write"], "graphs": ["sales_agent"]},
}
GRANTS: list[dict[str, Any]] = [
    {"claim": "scope", "accept": ["threads:*", "assistants:read", "threads:read@tenant"]},
    {"claim": "groups", "values": {"eng-*": ["user"], "admins": ["admin"], "/ops": ["*@tenant"]}},
    {"claim": "ctx.roles", "values": {"docs": ["docs"], "sales": ["sales"], "store": ["store:write"]}},
    {
        "claim": "members",
        "object_keys": True,
        "values": {"acme": ["crons:read@tenant"], "all": ["assistants:write@all"]},
    },
    {"claim": "list", "split": ",", "strip_prefix": "a:", "accept": ["store:*"]},
    {"claim": "azp", "values": {"*": ["threads:create_run"]}, "when": {"gty": ["cc", "pw"]}},
]
WORDS = [
    *("eng-1", "eng-*", "admins", "/ops", "docs", "sales", "store", "acme", "all", "cc", "pw", "spa", "*", "", "a:*"),
    *("threads:read", "threads:read@tenant", "threads:create", "threads:*", "a:store:put", "store:put", "*@all"),
    *("assistants:read", "threads:write threads:read", "a:store:get,a:store:put", "threads:read@all", "Admins"),
]

words = st.sampled_from(WORDS)
atoms = st.none() | st.booleans() | st.integers(-3, 3) | words
flat = words | st.lists(words, max_size=5) | st.dictionaries(words, atoms, max_size=3) | atoms
claims_ = st.fixed_dictionaries(
    {"sub": st.just("alice")},
    optional={
        "scope": st.lists(words, max_size=5).map(" ".join) | flat,
        "groups": flat,
        "ctx": st.fixed_dictionaries({}, optional={"roles": flat}) | flat,
        "members": flat,
        "list": st.lists(words, max_size=4).map(",".join) | flat,
        "azp": flat,
        "gty": flat,
        "org": words | st.lists(words, max_size=2) | atoms,
    },
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | words, inner, max_size=3),
    max_leaves=8,
)
any_claims = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "typ", "cnf", "scope", "groups", "ctx", "members"])
    | st.sampled_from(["list", "azp", "gty", "org", "token_use", "events", "name", "email"])
    | st.text(max_size=6),
    json_values,
    max_size=8,
)


@cache
def rules(*numbers: int) -> OIDCAuth:
    """Return the authenticator with these permission maps, in this order; with all of them when none is named."""
    permission_maps = [GRANTS[number] for number in numbers or range(len(GRANTS))]
    return configured(*permission_maps, roles=ROLES, tenant="org", display_name="name", claims=["email", "ctx"])


def reaches(why: Explanation) -> dict[str, int]:
    """Return how far each event reaches by its filter: 0 denied, 1 own, 2 tenant, 3 all."""
    caller = Caller(identity="alice", rights=dict(why.rights), tenancy=why.tenancy, graphs=why.graphs)
    return {event: width(caller, event) for event in EVENTS}


def width(caller: Caller, event: str) -> int:
    decision = decide(caller, AccessRequest(event=event))
    if not decision.allowed:
        return 0
    if isinstance(decision.filter, NoRestriction):
        return 3
    where = decision.filter.where.get("$or", [decision.filter.where])[0]
    assert where["tenant"] == (caller.tenancy and caller.tenancy.tenant)
    return 1 if where.get("owner") == "alice" else 2


def is_not_wider(less: Explanation, more: Explanation) -> bool:
    """Tell whether nothing was added: no permission, no wider filter, no graph."""
    narrower = all(
        reach <= more_reach for reach, more_reach in zip(reaches(less).values(), reaches(more).values(), strict=True)
    )
    # A role's graphs limit the right to start runs: without that right there is nothing to limit.
    starts_runs = "threads:create_run" in less.rights
    graphs = more.graphs is None or (less.graphs is not None and less.graphs <= more.graphs) or not starts_runs
    return narrower and set(less.rights) <= set(more.rights) and graphs


@quick
@given(claims=claims_, data=st.data())
def test_removing_claim_never_adds_permissions(claims: dict[str, Any], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(claims)))
    # A tenant that cannot be told apart refuses the whole token; without the claim it is one without a tenant.
    assume(not rules().explain(claims).refusal.startswith("tenant_invalid"))
    less = {name: value for name, value in claims.items() if name != gone}
    assert is_not_wider(rules().explain(less), rules().explain(claims))


@quick
@given(claims=claims_, member=words, place=st.integers(0, 4))
def test_removing_value_never_adds_permissions(claims: dict[str, Any], member: str, place: int) -> None:
    for name in ("scope", "groups", "members", "list", "azp", "gty"):
        values = claims.get(name)
        if isinstance(values, list):
            more = [*values[:place], member, *values[place:]]
            assert is_not_wider(rules().explain(claims), rules().explain({**claims, name: more}))


@quick
@given(claims=claims_, numbers=st.lists(st.integers(0, len(GRANTS) - 1), unique=True, min_size=2, max_size=4))
def test_removing_map_never_adds_permissions(claims: dict[str, Any], numbers: list[int]) -> None:
    assert is_not_wider(rules(*sorted(numbers)[1:]).explain(claims), rules(*sorted(numbers)).explain(claims))


@quick
@given(claims=claims_, data=st.data())
def test_order_never_matters(claims: dict[str, Any], data: st.DataObject) -> None:
    shuffled = {
        name: data.draw(st.permutations(value)) if isinstance(value, list) else value
        for name, value in data.draw(st.permutations(sorted(claims.items(), key=lambda item: item[0])))
    }
    numbers = data.draw(st.sampled_from([(5, 4, 3, 2, 1, 0), (2, 0, 4, 1, 5, 3)]))
    one, two = rules().explain(claims), rules(*numbers).explain(shuffled)
    assert (one.rights, one.graphs, one.tenancy) == (two.rights, two.graphs, two.tenancy)


def configured_reach() -> Mapping[str, Reach]:
    """Return the widest reach that the configuration above writes down, for each name."""
    widest = dict.fromkeys(NAMES, Reach.TENANT)
    widest |= dict.fromkeys([name for name in NAMES if name.startswith("store:")], Reach.OWN)
    widest |= dict.fromkeys(["threads:read", "threads:search", "assistants:read", "assistants:search"], Reach.ALL)
    widest |= dict.fromkeys(["crons:read", "crons:search"], Reach.ALL)
    widest |= dict.fromkeys(["store:read", "store:get", "store:search", "store:list_namespaces"], Reach.ALL)
    return widest | dict.fromkeys([name for name in NAMES if name.startswith("assistants:")], Reach.ALL)


@quick
@given(claims=claims_ | any_claims.map(lambda claims: {**claims, "sub": "alice"}))
def test_token_value_never_exceeds_configured_reach(claims: dict[str, Any]) -> None:
    why = rules().explain({name: value for name, value in claims.items() if name != "iss"})
    widest = configured_reach()
    assert all(name in NAMES and reach <= widest[name] for name, reach in why.rights.items())


@cache
def own_only() -> OIDCAuth:
    return configured({"claim": "scope", "accept": ["*"]}, {"claim": "groups", "values": {"eng-*": ["threads:read"]}})


@quick
@given(text=st.text() | words | st.sampled_from(sorted(NAMES)).map("{}@all".format))
def test_own_map_never_gives_wider_reach(text: str) -> None:
    for value in (text, [text], text.split(" ")):
        why = own_only().explain({"sub": "alice", "scope": value, "groups": value})
        assert set(why.rights.values()) <= {Reach.OWN}


@quick
@given(start=st.text(max_size=4) | words, end=st.text(max_size=4) | words)
def test_value_with_star_gives_nothing(start: str, end: str) -> None:
    claims = {"sub": "alice", "groups": f"{start}*{end}", "scope": [f"{start}*{end}"], "azp": f"*{end}", "gty": "cc"}
    assert not rules().explain(claims).rights
    assert not own_only().explain(claims).rights


@quick
@given(claims=any_claims | claims_)
def test_explain_handles_any_claims(claims: dict[str, Any]) -> None:
    why = rules().explain(claims)
    assert str(why)
    assert bool(why.refusal) != bool(why.rights) or why.refusal.startswith("no_permissions")
    assert [why.allows(event) for event in EVENTS] == [not why.refusal and event in why.rights for event in EVENTS]


@settings(quick, max_examples=60)
@given(claims=any_claims | claims_)
def test_any_signed_claims_give_caller_or_error(claims: dict[str, Any]) -> None:
    try:
        caller = authenticated(rules(), **claims)
    except OIDCAuthError:
        return
    user = caller.user()
    assert json.loads(json.dumps(user)) == user
    assert not any("*" in permission for permission in user["permissions"])
    assert {split_reach(permission)[0] for permission in user["permissions"]} == set(caller.rights)


@pytest.mark.parametrize("org", [["acme", "other"], ["acme", None]])
def test_two_tenants_mean_no_tenant(org: list[str | None]) -> None:
    tenancies = [rules().explain({"sub": "alice", "org": members}).tenancy for members in (org, org[:1])]
    assert [tenancy and tenancy.tenant for tenancy in tenancies] == [None, "acme"]


@quick
@given(claims=claims_)
def test_explained_values_match_combined_rights(claims: dict[str, Any]) -> None:
    (mapping,) = rules()._settings.mapping.values()
    each = [
        right
        for permission_map in mapping.permission_maps
        if conditions_met(permission_map.when, claims)
        for value in claim_values(find_claim(claims, permission_map.path), permission_map)
        for right in rights_from_value(value, permission_map)
    ]
    assert set(map(id, each)) == set(map(id, rights_from_claims(claims, mapping.permission_maps)))
