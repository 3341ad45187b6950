"""Every filter that we can return is one that each LangGraph server understands."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import pytest

from oidc_auth.enforcement.access_request import AccessRequest
from oidc_auth.enforcement.authorize import decide
from oidc_auth.enforcement.custom_rules import validate_filter
from oidc_auth.enforcement.decision import NoRestriction, Restriction
from oidc_auth.enforcement.limits import EnforcementSettings
from oidc_auth.enforcement.rule_tables import find_rules
from oidc_auth.enforcement.steering import Steering
from oidc_auth.permissions.caller import Caller, Tenancy
from oidc_auth.permissions.names import EVENTS, LITERAL_PERMISSIONS, Reach, clamp_reach

if TYPE_CHECKING:
    from collections.abc import Iterator

MODES: tuple[Literal["run", "permission", "other"], ...] = ("run", "permission", "other")
SETTINGS = [
    EnforcementSettings(resume=mode, sharing=sharing, has_tenants=has_tenants)
    for mode, sharing, has_tenants in product(MODES, (False, True), (False, True))
]
RESUME = Steering(steers=True, continues=True, is_resume=True, names_interrupts=True, is_bare=True)
REQUESTS: dict[str, list[dict[str, Any]]] = {
    "threads:create": [{}, {"copies_thread": True}, {"lists": {"shared_with": ["a"]}}],
    "threads:read": [{}, {"creates_cron": True}, {"for_copy": True}],
    "threads:update": [
        {},
        {"controls_run": True},
        {"controls_run": True, "bulk": True},
        {"changes_state": True},
        {"metadata_graphs": ("g1",)},
        {"lists": {"shared_with": ["a"]}},
        {"lists": {"shared_with": ["a"]}, "changes_more": True, "metadata_graphs": ("g1",)},
        {"lists": {"shared_approvers": ["a"], "shared_editors": []}, "changes_more": True},
    ],
    "threads:delete": [{}, {"deletes_run": True}],
    "threads:create_run": [
        {"assistant": "g1"},
        {"assistant": "g1", "steering": Steering()},
        {"assistant": "g1", "steering": RESUME},
        {"assistant": "g1", "steering": Steering(steers=True, continues=True)},
        {"assistant": "g1", "steering": Steering(steers=True)},
    ],
    "crons:update": [{}, {"edits_payload": True}],
}
TENANCIES = [None, Tenancy(None), Tenancy("acme")]
GRAPHS = [None, frozenset[str](), frozenset({"g1"}), frozenset({"g1", "g2"})]
CUSTOM: list[dict[str, Any]] = [
    {"team": "a"},
    {"team": {"$eq": "a"}, "labels": {"$contains": ["a", "b"]}},
    {"$or": [{"team": "a"}, {"team": {"$contains": "b"}}]},
    {"$and": [{"team": "a"}, {"level": 3}], "open": True},
]


def callers() -> Iterator[Caller]:
    names = (*EVENTS, *LITERAL_PERMISSIONS)
    for reach, tenancy, graphs in product(Reach, TENANCIES, GRAPHS):
        rights = {name: clamp_reach(name, reach) for name in names}
        wide_runs = {**rights, "threads:create_run": Reach.ALL, "threads:update": Reach.TENANT}
        # Without the permission itself, another one covers a part of the event.
        covered = {name: held for name, held in rights.items() if name not in ("threads:update", "threads:delete")}
        for held in (rights, wide_runs, covered):
            yield Caller(identity="auth0|bob", rights=held, tenancy=tenancy, graphs=graphs, resume_graphs=graphs)


def filters() -> dict[str, dict[str, Any]]:
    """Return each filter that some request gets, by its text."""
    found: dict[str, dict[str, Any]] = {}
    for settings, caller, event in product(SETTINGS, callers(), EVENTS):
        for request in REQUESTS.get(event, [{}]):
            decision = decide(caller, AccessRequest(event, **request), find_rules(settings))
            if decision.allowed and isinstance(decision.filter, Restriction):
                where = dict(decision.filter.where)
                found[json.dumps(where, sort_keys=True)] = where
            else:
                assert not decision.allowed or isinstance(decision.filter, NoRestriction)
    return found


FILTERS = filters()


def test_all_kinds_of_filters_are_covered() -> None:
    text = " ".join(FILTERS)
    wanted = ("owner", "tenant", "shared_with", "shared_editors", "shared_approvers", "assistant_id", "graph_id")
    assert [name for name in (*wanted, "$or", "$contains", "created_by") if name not in text] == []
    assert len(FILTERS) >= 40


@pytest.mark.usefixtures("server")
def test_every_filter_translates_for_licensed_server() -> None:
    from langgraph_api.grpc.ops import _filters_to_proto

    for text, where in FILTERS.items():
        assert _filters_to_proto(where), text
        for custom in CUSTOM:
            assert _filters_to_proto({"$and": [where, custom]}), (text, custom)


@pytest.mark.usefixtures("server")
def test_every_filter_fits_in_memory_server() -> None:
    from langgraph_runtime_inmem.ops import _check_filter_match

    for text, where in FILTERS.items():
        assert not _check_filter_match({"owner": "eve", "tenant": "umbrella", "created_by": "eve"}, where), text
        for custom in CUSTOM:
            assert not _check_filter_match({"owner": "eve", "tenant": "umbrella"}, {"$and": [where, custom]}), text


def test_every_filter_has_known_operators() -> None:
    for where in FILTERS.values():
        assert validate_filter(where) is where


@pytest.mark.usefixtures("server")
def test_deeper_filter_does_not_translate() -> None:
    """The tests above would otherwise prove nothing."""
    from langgraph_api.grpc.ops import _filters_to_proto
    from starlette.exceptions import HTTPException

    branches = [{"owner": "a"}, {"owner": "b"}]
    for bad in ({"$and": [{"$or": [{"$or": branches}, {"a": 1}]}, {"a": 1}]}, {"owner": {"$in": ["a"]}}):
        with pytest.raises(HTTPException):
            _filters_to_proto(bad)
