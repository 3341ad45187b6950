"""The vocabulary: what there is to grant, and what each name stands for."""

from __future__ import annotations

import pytest
from world.mapping import configured, names

from oidc_auth.permissions.names import (
    EVENTS,
    GROUPS,
    NAMES,
    NameUnknownError,
    Reach,
    closure,
    expand,
    includes,
    spelled,
    split_reach,
)

CLOSURES = {
    "threads:create": "",
    "threads:read": "threads:search",
    "threads:update": "",
    "threads:delete": "",
    "threads:search": "",
    "threads:create_run": "threads:read threads:search",
    "threads:write": "threads:create threads:update threads:delete threads:create_run threads:read threads:search",
    "assistants:create": "",
    "assistants:read": "assistants:search",
    "assistants:update": "",
    "assistants:delete": "",
    "assistants:search": "",
    "assistants:write": "assistants:create assistants:update assistants:delete assistants:read assistants:search",
    "crons:create": "",
    "crons:read": "crons:search threads:read threads:search assistants:read assistants:search",
    "crons:update": "",
    "crons:delete": "",
    "crons:search": "",
    "crons:write": "crons:create crons:update crons:delete crons:read crons:search "
    "threads:read threads:search assistants:read assistants:search",
    "store:put": "",
    "store:get": "",
    "store:search": "",
    "store:list_namespaces": "",
    "store:delete": "",
    "store:read": "store:get store:search store:list_namespaces",
    "store:write": "store:put store:delete store:read store:get store:search store:list_namespaces",
}

PATTERNS = {
    "*": set(CLOSURES),
    "threads:*": {name for name in CLOSURES if name.startswith("threads:")},
    "store:*": {name for name in CLOSURES if name.startswith("store:")},
    "*:read": {"threads:read", "assistants:read", "crons:read", "store:read"},
    "*:write": {"threads:write", "assistants:write", "crons:write", "store:write"},
    "threads:read": {"threads:read"},
    "store:write": {"store:write"},
    "runs:create": {"threads:create_run"},
}


def test_there_are_21_events_and_four_resources() -> None:
    assert sorted(EVENTS) == sorted(
        [
            f"{kind}:{act}"
            for kind in ("threads", "assistants", "crons")
            for act in ["create", "read", "update", "delete"]
        ]
        + ["threads:search", "assistants:search", "crons:search", "threads:create_run"]
        + [f"store:{act}" for act in ["put", "get", "search", "list_namespaces", "delete"]]
    )
    assert len(EVENTS) == 21


def test_every_resource_has_a_read_and_a_write_group() -> None:
    assert set(GROUPS) == {"threads:write", "assistants:write", "crons:write", "store:read", "store:write"}
    assert frozenset(CLOSURES) == NAMES


@pytest.mark.parametrize(("name", "implied"), CLOSURES.items())
def test_a_name_implies_exactly(name: str, implied: str) -> None:
    assert set(closure(name, Reach.OWN)) == {name, *implied.split()}


@pytest.mark.parametrize(("name", "implied"), CLOSURES.items())
def test_a_token_gets_the_name_and_all_it_implies(name: str, implied: str) -> None:
    oidc = configured({"claim": "scope", "accept": ["*"]})
    assert names(oidc, scope=name) == sorted({name, *implied.split()})


@pytest.mark.parametrize("name", CLOSURES)
def test_what_is_implied_in_another_resource_stays_own(name: str) -> None:
    resource = name.partition(":")[0]
    for implied, reach in closure(name, Reach.ALL).items():
        assert reach is (Reach.ALL if implied.startswith(f"{resource}:") else Reach.OWN)


@pytest.mark.parametrize("name", CLOSURES)
def test_a_tenant_reach_stops_at_the_store_and_at_other_resources(name: str) -> None:
    resource = name.partition(":")[0]
    reaches = {implied: reach for implied, reach in closure(name, Reach.TENANT).items() if reach is Reach.TENANT}
    expected = set() if resource == "store" else {n for n in CLOSURES[name].split() if n.startswith(resource)} | {name}
    assert set(reaches) == expected


@pytest.mark.parametrize(("pattern", "covered"), PATTERNS.items())
def test_a_pattern_covers_exactly(pattern: str, covered: set[str]) -> None:
    assert expand(pattern) == covered


@pytest.mark.parametrize(
    "text",
    [
        *("", "*:*", "**", "*:create", "*:", ":read", "threads", "threads:", "threads:rea*", "thr*:read", "runs:*"),
        *("Threads:read", "threads:READ", " threads:read", "threads:read:x", "runs:read", "admin", "threads.read"),
    ],
)
def test_what_is_no_name_and_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(NameUnknownError, match="unknown permission"):
        expand(text)


def test_an_alias_is_understood_in_a_configuration_and_never_emitted() -> None:
    oidc = configured({"claim": "roles", "values": {"runner": ["runs:create"]}})
    assert names(oidc, roles=["runner"]) == ["threads:create_run", "threads:read", "threads:search"]


def test_an_alias_in_accept_is_not_taken_from_a_token() -> None:
    oidc = configured({"claim": "scope", "accept": ["runs:create"]})
    assert names(oidc, scope="runs:create") == []
    assert names(oidc, scope="threads:create_run") == ["threads:create_run", "threads:read", "threads:search"]


@pytest.mark.parametrize(
    ("text", "name", "reach"),
    [
        ("threads:read", "threads:read", Reach.OWN),
        ("threads:read@tenant", "threads:read", Reach.TENANT),
        ("threads:read@all", "threads:read", Reach.ALL),
        ("*@all", "*", Reach.ALL),
        ("runs:create@tenant", "runs:create", Reach.TENANT),
    ],
)
def test_a_suffix_says_how_far_a_right_reaches(text: str, name: str, reach: Reach) -> None:
    assert split_reach(text) == (name, reach)
    assert spelled(name, reach) == text


@pytest.mark.parametrize("suffix", ["@", "@own", "@tennant", "@ALL", "@all@all", "@all ", "@*", "@tenant@all"])
def test_any_other_suffix_is_refused(suffix: str) -> None:
    with pytest.raises(NameUnknownError, match="unknown reach"):
        split_reach(f"threads:read{suffix}")


def test_own_is_narrower_than_tenant_and_tenant_than_all() -> None:
    assert Reach.OWN < Reach.TENANT < Reach.ALL


@pytest.mark.parametrize("event", EVENTS)
def test_the_hint_for_a_missing_event_names_what_really_includes_it(event: str) -> None:
    assert set(includes(event)) == {name for name, implied in CLOSURES.items() if event in implied.split()}
