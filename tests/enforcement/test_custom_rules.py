"""The operator's own rule: it can deny or narrow, and never widen."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.enforcement.custom_rules import FilterError, run_custom_rule, validate_filter
from oidc_auth.enforcement.decision import Decision, NoRestriction, Restriction

OURS = Restriction({"owner": "alice"})


def apply_rule(answer: Any, value: dict[str, Any] | None = None, ours: Any = OURS, edit: Any = None) -> Decision:
    async def rule(ctx: object, value: dict[str, Any]) -> Any:
        if edit is not None:
            edit(value)
        if isinstance(answer, Exception):
            raise answer
        return answer

    decision = Decision(event="threads:read", allowed=True, filter=ours)
    return asyncio.run(run_custom_rule(rule, object(), {} if value is None else value, decision))


def test_rule_denies_with_false() -> None:
    assert apply_rule(answer=False).code is ErrorCode.CUSTOM_RULE_DENIED


@pytest.mark.parametrize("answer", [None, True])
@pytest.mark.parametrize("ours", [OURS, NoRestriction()])
def test_silent_rule_keeps_our_filter(answer: Any, ours: Any) -> None:
    assert apply_rule(answer, ours=ours).filter == ours


def test_rules_filter_is_added_to_ours() -> None:
    theirs = {"title": "plans"}
    assert apply_rule(theirs).filter == Restriction({"$and": [{"owner": "alice"}, theirs]})
    assert apply_rule(theirs, ours=NoRestriction()).filter == Restriction(theirs)


def test_store_rule_returns_no_filter() -> None:
    with pytest.raises(FilterError):
        apply_rule({"title": "plans"}, {"namespace": ("x",)})


VALID = [
    {"a": "x"},
    {"a": 1, "b": True, "c": None},
    {"a": {"$eq": "x"}},
    {"a": {"$contains": "x"}},
    {"a": {"$contains": ["x", "y"]}},
    {"$or": [{"a": 1}, {"b": 2}]},
    {"$and": [{"a": 1}, {"b": {"$eq": 2}}], "c": 3},
]
INVALID = [
    {},
    [],
    "text",
    7,
    {"a": {"$in": ["x", "y"]}},
    {"$not": {"a": "x"}},
    {"$not": "x"},
    {"$or": [{"$not": "x"}, {"a": "x"}]},
    {"a": {"$eq": "x", "$contains": "x"}},
    {"a": {"b": 1}},
    {"a": {}},
    {"$or": [{"a": "x"}]},
    {"$or": {"a": "x"}},
    {"$or": [{"a": "x"}, {}]},
    {"$or": [{"a": "x"}, "text"]},
    {"$or": [{"$and": [{"a": 1}, {"b": 1}]}, {"c": 3}]},
    {"a": ["x"]},
    {"a": 1.5},
    {"a": {"$contains": []}},
    {"a": {"$contains": [{}]}},
    {5: "x"},
]


@pytest.mark.parametrize("filter_", VALID)
def test_filter_that_servers_understand_is_valid(filter_: Any) -> None:
    assert validate_filter(filter_) == filter_


@pytest.mark.parametrize("filter_", INVALID)
def test_ambiguous_filter_is_refused(filter_: Any) -> None:
    with pytest.raises(FilterError):
        validate_filter(filter_)


def reserved() -> dict[str, Any]:
    return {
        "metadata": {"owner": "alice", "tenant": "acme", "created_by": "system", "title": "x"},
        "kwargs": {"config": {"configurable": {"langgraph_auth_user": {"identity": "alice"}}}},
        "payload": {
            "metadata": {"authorized_until": 20},
            "config": {"configurable": {"colour": "blue"}},
        },
        "namespace": ("label", "notes"),
    }


def overwrite(value: dict[str, Any]) -> None:
    forged = {
        "owner": "bob",
        "tenant": "globex",
        "authorized_until": 99,
        "oidc_auth_temporary": True,
        "created_by": "x",
    }
    value["metadata"].update(forged)
    value["payload"]["metadata"].update(forged)
    for holder in (value["kwargs"], value["payload"]):
        user = {"langgraph_auth_user": {"identity": "root"}, "langgraph_auth_permissions": ["*@all"]}
        holder["config"]["configurable"].update(user)
        holder["config"]["langgraph_auth_user"] = {"identity": "root"}
    value["namespace"] = ("elsewhere",)


def clear(value: dict[str, Any]) -> None:
    for member in (value["metadata"], value["payload"]["metadata"], value["kwargs"]["config"]["configurable"]):
        member.clear()
    del value["namespace"]


def remove(value: dict[str, Any]) -> None:
    del value["metadata"]


def replace(value: dict[str, Any]) -> None:
    value["metadata"]["owner"] = "bob"
    value["metadata"] = {"owner": "bob"}
    value["kwargs"]["config"]["configurable"] = {"langgraph_auth_user": {"identity": "root"}}


@pytest.mark.parametrize("edit", [overwrite, clear, remove, replace])
@pytest.mark.parametrize("answer", [None, False, RuntimeError()])
def test_rule_cannot_change_reserved_fields(edit: Any, answer: Any) -> None:
    value = reserved()
    seen, user = value["metadata"], value["kwargs"]["config"]["configurable"]
    with contextlib.suppress(RuntimeError):
        apply_rule(answer, value, edit=edit)
    for metadata in (value["metadata"], seen):
        assert {key: metadata[key] for key in ("owner", "tenant")} == {"owner": "alice", "tenant": "acme"}
        assert metadata["created_by"] == "system"
        assert not {"authorized_until", "oidc_auth_temporary"} & metadata.keys()
    for configurable in (user, value["kwargs"]["config"]["configurable"]):
        assert configurable["langgraph_auth_user"] == {"identity": "alice"}
        assert "langgraph_auth_permissions" not in configurable
    assert value["payload"]["metadata"]["authorized_until"] == 20
    assert "owner" not in value["payload"]["metadata"]
    assert set(value["kwargs"]["config"]) == set(value["payload"]["config"]) == {"configurable"}
    assert value["payload"]["config"]["configurable"] == {"colour": "blue"}
    assert value["namespace"] == ("label", "notes")


@pytest.mark.parametrize(
    "value", [{}, {"metadata": None}, {"metadata": [1]}, {"metadata": {"x": 1}}, {"payload": [1]}, {"kwargs": "x"}]
)
def test_value_without_reserved_fields_stays(value: dict[str, Any]) -> None:
    before = copy.deepcopy(value)
    apply_rule(None, value)
    assert value == before


def test_other_edits_of_rule_stay() -> None:
    value = reserved()
    apply_rule(None, value, edit=lambda value: value["metadata"].update(title="y"))
    assert value["metadata"]["title"] == "y"
