"""Names of permissions, and what each one includes."""

from __future__ import annotations

import pytest
from kit.mapping import configured, names

from oidc_auth.permissions.names import (
    EVENTS,
    GROUPS,
    NAMES,
    Reach,
    UnknownPermissionError,
    closure,
    expand,
    format_permission,
    names_including,
    narrowest_group,
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
    "threads:share": "",
    "threads:resume": "threads:read threads:search",
    "store:put": "",
    "store:get": "",
    "store:search": "",
    "store:list_namespaces": "",
    "store:delete": "",
    "store:read": "store:get store:search store:list_namespaces",
    "store:write": "store:put store:delete store:read store:get store:search store:list_namespaces",
}

LITERALS = {"threads:share", "threads:resume"}
PATTERNS = {
    "*": set(CLOSURES) - LITERALS,
    "threads:*": {name for name in CLOSURES if name.startswith("threads:")} - LITERALS,
    "store:*": {name for name in CLOSURES if name.startswith("store:")},
    "*:read": {"threads:read", "assistants:read", "crons:read", "store:read"},
    "*:write": {"threads:write", "assistants:write", "crons:write", "store:write"},
    "threads:read": {"threads:read"},
    "store:write": {"store:write"},
    "runs:create": {"threads:create_run"},
    "threads:share": {"threads:share"},
    "threads:resume": {"threads:resume"},
}


def test_vocabulary_has_21_events_and_four_resources() -> None:
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


def test_every_resource_has_read_and_write_groups() -> None:
    assert set(GROUPS) == {"threads:write", "assistants:write", "crons:write", "store:read", "store:write"}
    assert frozenset(CLOSURES) == NAMES


@pytest.mark.parametrize(("name", "implied"), CLOSURES.items())
def test_name_implies_exact_names(name: str, implied: str) -> None:
    assert set(closure(name, Reach.OWN)) == {name, *implied.split()}


@pytest.mark.parametrize(("name", "implied"), CLOSURES.items())
def test_token_gets_name_and_implied_names(name: str, implied: str) -> None:
    oidc = configured({"claim": "scope", "accept": ["*", *LITERALS]})
    assert names(oidc, scope=name) == sorted({name, *implied.split()})


@pytest.mark.parametrize("name", CLOSURES)
def test_implied_names_in_other_resources_are_own(name: str) -> None:
    resource = name.partition(":")[0]
    for implied, reach in closure(name, Reach.ALL).items():
        assert reach is (Reach.ALL if implied.startswith(f"{resource}:") else Reach.OWN)


@pytest.mark.parametrize("name", CLOSURES)
def test_tenant_reach_stops_at_resource(name: str) -> None:
    resource = name.partition(":")[0]
    reaches = {implied: reach for implied, reach in closure(name, Reach.TENANT).items() if reach is Reach.TENANT}
    expected = set() if resource == "store" else {n for n in CLOSURES[name].split() if n.startswith(resource)} | {name}
    assert set(reaches) == expected


@pytest.mark.parametrize(("pattern", "covered"), PATTERNS.items())
def test_pattern_covers_exact_names(pattern: str, covered: set[str]) -> None:
    assert expand(pattern) == covered


@pytest.mark.parametrize(
    "text",
    [
        *("", "*:*", "**", "*:create", "*:", ":read", "threads", "threads:", "threads:rea*", "thr*:read", "runs:*"),
        *("Threads:read", "threads:READ", " threads:read", "threads:read:x", "runs:read", "admin", "threads.read"),
    ],
)
def test_unknown_name_or_pattern_is_rejected(text: str) -> None:
    with pytest.raises(UnknownPermissionError, match="unknown permission"):
        expand(text)


def test_alias_is_accepted_but_never_emitted() -> None:
    oidc = configured({"claim": "roles", "values": {"runner": ["runs:create"]}})
    assert names(oidc, roles=["runner"]) == ["threads:create_run", "threads:read", "threads:search"]


def test_alias_in_accept_is_ignored_in_token() -> None:
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
def test_suffix_sets_reach(text: str, name: str, reach: Reach) -> None:
    assert split_reach(text) == (name, reach)
    assert format_permission(name, reach) == text


@pytest.mark.parametrize("suffix", ["@", "@own", "@tennant", "@ALL", "@all@all", "@all ", "@*", "@tenant@all"])
def test_unknown_suffix_is_rejected(suffix: str) -> None:
    with pytest.raises(UnknownPermissionError, match="unknown reach"):
        split_reach(f"threads:read{suffix}")


def test_reaches_are_ordered() -> None:
    assert Reach.OWN < Reach.TENANT < Reach.ALL


@pytest.mark.parametrize("event", EVENTS)
def test_hint_names_including_permission(event: str) -> None:
    assert set(names_including(event)) == {name for name, implied in CLOSURES.items() if event in implied.split()}


@pytest.mark.parametrize(
    ("name", "group"),
    [("assistants:search", "assistants:read"), ("assistants:read", "assistants:write"), ("threads:write", "")],
)
def test_hint_prefers_narrowest_group(name: str, group: str) -> None:
    assert narrowest_group(name) == group
