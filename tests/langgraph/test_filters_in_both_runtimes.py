"""Every filter that enforcement can return is valid for both runtimes of the server, and means the same in both."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.handler_calls import AGENT, ASSISTANT, MODES, REQUESTS, DeniedError, Request, build_auth, build_user, call
from kit.sharing import LISTS

from oidc_auth.permissions.caller import Tenancy
from oidc_auth.permissions.names import EVENTS, Reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langgraph_sdk import Auth

# The names exist after the server has read its environment.
pytestmark = pytest.mark.usefixtures("server")

OPERATORS, COMPARISONS = {"$or", "$and"}, {"$eq", "$contains"}
MOST_NESTED = 2
identities = st.text(min_size=1, max_size=40) | st.sampled_from(['a"b\\c\x00', "$or", "$contains"])
tenancies = st.none() | st.builds(Tenancy, st.none() | st.text(min_size=1, max_size=20))
graph_limits = st.sampled_from([None, (), ("agent",), ("agent", "other", str(ASSISTANT))])
some_settings = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Alone, each permission has its own filters, for example where create_run covers an update.
PERMISSIONS = [(), *((name,) for name in (*EVENTS, "threads:share", "threads:resume"))]
SETTINGS: list[Any] = [(None, None), (Tenancy(None), ()), (Tenancy("acme"), ("agent", "other"))]
handlers = cache(build_auth)
each_setup = pytest.mark.parametrize(("mode", "shares"), [(mode, shares) for mode in MODES for shares in (False, True)])


class Drawn(NamedTuple):
    """A user, and metadata of an object that often name it."""

    user: Any
    metadata: dict[str, Any]


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Return a user with one permission or all, and the metadata of an object."""
    identity, tenancy, graphs = draw(identities), draw(tenancies), draw(graph_limits)
    reach, names = draw(st.sampled_from(Reach)), draw(st.sampled_from(PERMISSIONS))
    some = st.sampled_from([identity, "alice", ""])
    tenants = st.sampled_from([None, "acme", None if tenancy is None else tenancy.tenant])
    names_listed = st.lists(some, max_size=3) | some
    optional: dict[str, Any] = {
        **dict.fromkeys(LISTS, names_listed),
        "assistant_id": st.sampled_from([str(AGENT), str(ASSISTANT), "agent"]),
        "graph_id": st.just("agent"),
        "oidc_auth_temporary": st.booleans(),
    }
    metadata = st.fixed_dictionaries({"owner": some, "tenant": tenants}, optional=optional)
    return Drawn(build_user(identity, tenancy, reach, graphs, *names), draw(metadata))


def translate(found: dict[str, Any]) -> Any:
    from langgraph_api.grpc.ops import _filters_to_proto

    return _filters_to_proto(found)


def validate(found: dict[str, Any]) -> None:
    from langgraph_runtime_inmem.ops import _validate_filter_structure

    _validate_filter_structure(found, nesting_level=0)


def filters(auth: Auth, user: object) -> Iterator[tuple[Request, dict[str, Any]]]:
    """Yield each filter for this user."""
    for request in REQUESTS:
        with suppress(DeniedError):
            if (found := call(auth, user, request.event, request.value)) is not None:
                yield request, found


def check(found: dict[str, Any], depth: int = 0) -> None:
    """Assert that a filter has only the four operators, in the form that both runtimes accept."""
    assert found
    for key, condition in found.items():
        if key in OPERATORS:
            assert depth < MOST_NESTED
            assert isinstance(condition, list)
            branches = cast("list[dict[str, Any]]", condition)
            assert len(branches) >= 2
            for branch in branches:
                check(branch, depth + 1)
        else:
            assert not key.startswith("$")
            value = condition
            if isinstance(condition, dict):
                ((operator, value),) = cast("dict[str, Any]", condition).items()
                assert operator in COMPARISONS
            assert value is None or isinstance(value, (str, bool, int))


def check_all(auth: Auth, user: object) -> int:
    """Check each filter for this user, and return how many there are."""
    found = list(filters(auth, user))
    for request, where in found:
        check(where)
        validate(where)
        assert translate(where), (request.name, where)
    return len(found)


@each_setup
@pytest.mark.parametrize("reach", Reach)
def test_filter_of_every_permission_translates(mode: str, reach: Reach, *, shares: bool) -> None:
    auth, seen = handlers(mode, shares=shares), 0
    for names in PERMISSIONS:
        for tenancy, graphs in SETTINGS:
            seen += check_all(auth, build_user("alice", tenancy, reach, graphs, *names))
    assert seen > 50


@each_setup
@some_settings
@given(drawn=drawn())
def test_filter_of_any_identity_translates(mode: str, drawn: Drawn, *, shares: bool) -> None:
    check_all(handlers(mode, shares=shares), drawn.user)


def matches(proto: Any, metadata: dict[str, Any]) -> bool:
    """Evaluate translated filters as PostgreSQL compares JSON."""
    return all(_matches_one(one, metadata) for one in proto)


def _matches_one(one: Any, metadata: dict[str, Any]) -> bool:
    kind = one.WhichOneof("filter")
    if kind == "eq":
        return one.eq.key in metadata and _same(metadata[one.eq.key], json.loads(one.eq.match))
    if kind == "contains":
        held = metadata.get(one.contains.key)
        wanted = [json.loads(match) for match in one.contains.matches]
        return isinstance(held, list) and all(any(_same(each, match) for each in held) for match in wanted)
    if kind == "or_filter":
        return any(_matches_one(each, metadata) for each in one.or_filter.filters)
    assert kind == "and_filter"
    return all(_matches_one(each, metadata) for each in one.and_filter.filters)


def _same(one: Any, another: Any) -> bool:
    # In Python, True equals 1. In JSON it does not.
    return bool(one == another) and isinstance(one, bool) == isinstance(another, bool)


@each_setup
@some_settings
@given(drawn=drawn())
def test_filters_mean_same_in_both_runtimes(mode: str, drawn: Drawn, *, shares: bool) -> None:
    from langgraph_runtime_inmem.ops import _check_filter_match

    for request, found in filters(handlers(mode, shares=shares), drawn.user):
        matched = matches(translate(found), drawn.metadata)
        assert matched == _check_filter_match(drawn.metadata, found), (request.name, found)


@pytest.mark.parametrize("mode", MODES)
def test_filters_without_sharing_are_as_before(mode: str) -> None:
    own = {"owner": "alice", "tenant": "acme"}
    auth = handlers(mode, shares=False)
    for reach, where in ((Reach.OWN, own), (Reach.TENANT, {"tenant": "acme"}), (Reach.ALL, None)):
        user = build_user("alice", Tenancy("acme"), reach, None, *EVENTS)
        for request in REQUESTS:
            if request.name in {"read", "search", "runs", "title", "cancel", "delete", "delete run", "run"}:
                assert call(auth, user, request.event, request.value) == where, request.name
