"""What holds for every token: less never grants more, and no value reaches further than the configuration says."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from world.mapping import authenticated, configured

from oidc_auth import Caller, Explanation, OIDCAuth, OIDCAuthError
from oidc_auth.permissions.decide import Ask, NoRestriction, decide
from oidc_auth.permissions.mapping import holds, rights_for, rights_of, values_of
from oidc_auth.permissions.names import EVENTS, NAMES, Reach, split_reach
from oidc_auth.tokens.claim_path import find

if TYPE_CHECKING:
    from collections.abc import Mapping

settings.register_profile("rules", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(settings.get_profile("rules"), max_examples=120)

ROLES = {
    "user": ["threads:write", "assistants:read"],
    "admin": ["user", "*:read@all"],
    "docs": {"allow": ["threads:create_run"], "graphs": ["docs_agent"]},
    "sales": {"allow": ["threads:create_run", "crons:write"], "graphs": ["sales_agent"]},
}
GRANTS: list[dict[str, Any]] = [
    {"claim": "scope", "accept": ["threads:*", "assistants:read", "threads:read@tenant"]},
    {"claim": "groups", "values": {"eng-*": ["user"], "admins": ["admin"], "/ops": ["*@tenant"]}},
    {"claim": "ctx.roles", "values": {"docs": ["docs"], "sales": ["sales"], "store": ["store:write"]}},
    {"claim": "members", "keys": True, "values": {"acme": ["crons:read@tenant"], "all": ["assistants:write@all"]}},
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
    """Return the authenticator with these grants, in this order; with all of them when none is named."""
    grants = [GRANTS[number] for number in numbers or range(len(GRANTS))]
    return configured(*grants, roles=ROLES, tenant="org", display_name="name", claims=["email", "ctx"])


def reaches(why: Explanation) -> dict[str, int]:
    """Return how far each event reaches by its filter: 0 denied, 1 own, 2 tenant, 3 all."""
    caller = Caller(identity="alice", rights=dict(why.rights), tenancy=why.tenancy, graphs=why.graphs)
    return {event: width(caller, event) for event in EVENTS}


def width(caller: Caller, event: str) -> int:
    decision = decide(caller, Ask(event=event))
    if not decision.allowed:
        return 0
    if isinstance(decision.filter, NoRestriction):
        return 3
    where = decision.filter.where.get("$or", [decision.filter.where])[0]
    assert where["tenant"] == (caller.tenancy and caller.tenancy.tenant)
    return 1 if where.get("owner") == "alice" else 2


def is_no_more(less: Explanation, more: Explanation) -> bool:
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
def test_a_claim_less_never_grants_more(claims: dict[str, Any], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(claims)))
    # A tenant that cannot be told apart refuses the whole token; without the claim it is one without a tenant.
    assume(not rules().explain(claims).refusal.startswith("tenant_invalid"))
    less = {name: value for name, value in claims.items() if name != gone}
    assert is_no_more(rules().explain(less), rules().explain(claims))


@quick
@given(claims=claims_, member=words, place=st.integers(0, 4))
def test_a_value_less_never_grants_more(claims: dict[str, Any], member: str, place: int) -> None:
    for name in ("scope", "groups", "members", "list", "azp", "gty"):
        values = claims.get(name)
        if isinstance(values, list):
            more = [*values[:place], member, *values[place:]]
            assert is_no_more(rules().explain(claims), rules().explain({**claims, name: more}))


@quick
@given(claims=claims_, numbers=st.lists(st.integers(0, len(GRANTS) - 1), unique=True, min_size=2, max_size=4))
def test_a_grant_less_never_grants_more(claims: dict[str, Any], numbers: list[int]) -> None:
    assert is_no_more(rules(*sorted(numbers)[1:]).explain(claims), rules(*sorted(numbers)).explain(claims))


@quick
@given(claims=claims_, data=st.data())
def test_the_order_of_claims_values_and_grants_is_irrelevant(claims: dict[str, Any], data: st.DataObject) -> None:
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
def test_no_token_value_reaches_further_than_the_configuration(claims: dict[str, Any]) -> None:
    why = rules().explain({name: value for name, value in claims.items() if name != "iss"})
    widest = configured_reach()
    assert all(name in NAMES and reach <= widest[name] for name, reach in why.rights.items())


@cache
def own_only() -> OIDCAuth:
    return configured({"claim": "scope", "accept": ["*"]}, {"claim": "groups", "values": {"eng-*": ["threads:read"]}})


@quick
@given(text=st.text() | words | st.sampled_from(sorted(NAMES)).map("{}@all".format))
def test_a_grant_of_own_objects_gives_own_objects_whatever_the_token_says(text: str) -> None:
    for value in (text, [text], text.split(" ")):
        why = own_only().explain({"sub": "alice", "scope": value, "groups": value})
        assert set(why.rights.values()) <= {Reach.OWN}


@quick
@given(start=st.text(max_size=4) | words, end=st.text(max_size=4) | words)
def test_a_value_with_a_star_gives_nothing(start: str, end: str) -> None:
    claims = {"sub": "alice", "groups": f"{start}*{end}", "scope": [f"{start}*{end}"], "azp": f"*{end}", "gty": "cc"}
    assert not rules().explain(claims).rights
    assert not own_only().explain(claims).rights


@quick
@given(claims=any_claims | claims_)
def test_explain_answers_for_any_claims(claims: dict[str, Any]) -> None:
    why = rules().explain(claims)
    assert str(why)
    assert bool(why.refusal) != bool(why.rights) or why.refusal.startswith("no_permission_maps")
    assert [why.allows(event) for event in EVENTS] == [not why.refusal and event in why.rights for event in EVENTS]


@settings(quick, max_examples=60)
@given(claims=any_claims | claims_)
def test_a_signed_token_with_any_claims_is_a_caller_or_our_error(claims: dict[str, Any]) -> None:
    try:
        caller = authenticated(rules(), **claims)
    except OIDCAuthError:
        return
    user = caller.user()
    assert json.loads(json.dumps(user)) == user
    assert not any("*" in permission for permission in user["permissions"])
    assert {split_reach(permission)[0] for permission in user["permissions"]} == set(caller.rights)


@pytest.mark.parametrize("org", [["acme", "other"], ["acme", None]])
def test_a_choice_of_two_tenants_is_none_so_that_one_of_them_less_may_give_one(org: list[str | None]) -> None:
    tenancies = [rules().explain({"sub": "alice", "org": members}).tenancy for members in (org, org[:1])]
    assert [tenancy and tenancy.tenant for tenancy in tenancies] == [None, "acme"]


@quick
@given(claims=claims_)
def test_what_explain_says_of_each_value_is_what_all_values_give_together(claims: dict[str, Any]) -> None:
    (mapping,) = rules()._settings.mapping.values()
    each = [
        right
        for grant in mapping.grants
        if holds(grant.when, claims)
        for value in values_of(find(claims, grant.path), grant)
        for right in rights_for(value, grant)
    ]
    assert set(map(id, each)) == set(map(id, rights_of(claims, mapping.grants)))
