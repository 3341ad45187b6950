"""The table of events for the settings of an operator.

With sharing off and ``langgraph.resume = "run"``, it is ``EVENT_RULES`` itself. Otherwise some rows have other columns.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .approvals import (
    Approvals,
    check_never_steers,
    choose_run_permission,
    read_steered_assistant,
    read_steered_cron_change,
    read_steered_new_cron,
    read_steered_run,
    stamp_approved_run,
)
from .event_rules import EVENT_RULES, EventRule
from .sharing import (
    Sharing,
    clean_shared_change,
    read_shared_change,
    read_shared_thread,
    stamp_shared_thread,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .limits import EnforcementSettings

    Columns = Mapping[str, Mapping[str, Any]]


def find_rules(settings: EnforcementSettings) -> Mapping[str, EventRule]:
    """Return the rules for an operator's settings."""
    if settings.resume == "run" and not settings.sharing:
        return EVENT_RULES
    return _build(settings.resume, sharing=settings.sharing, has_tenants=settings.has_tenants)


@lru_cache(maxsize=16)
def _build(resume: str, *, sharing: bool, has_tenants: bool) -> Mapping[str, EventRule]:
    rules = EVENT_RULES
    shared = Sharing(has_tenants, separates_approvers=resume == "other") if sharing else None
    if shared is not None:
        rules = _change(rules, _sharing_columns(rules, shared))
    if resume != "run":
        rules = _change(rules, _approval_columns(rules, shared, only_others=resume == "other"))
    return rules


def _sharing_columns(rules: Mapping[str, EventRule], shared: Sharing) -> Columns:
    create, update, delete = (rules[f"threads:{action}"] for action in ("create", "update", "delete"))
    return {
        "threads:create": {
            "read": read_shared_thread,
            "checks": (*create.checks, shared.check_lists),
            "stamp": stamp_shared_thread,
        },
        "threads:read": {"filter": shared.filter_read},
        "threads:search": {"filter": shared.filter_read},
        "threads:update": {
            "read": read_shared_change,
            "filter": shared.filter_change,
            "covered_by": {**update.covered_by, "threads:create_run": shared.cover_run_control},
            "checks": (*update.checks, shared.check_lists),
            "rewrite": clean_shared_change,
        },
        "threads:delete": {
            "filter": shared.filter_deletion,
            "covered_by": {**delete.covered_by, "threads:create_run": shared.cover_run_cleanup},
        },
        "threads:create_run": {"read": read_steered_run, "filter": shared.filter_run},
    }


def _approval_columns(rules: Mapping[str, EventRule], shared: Sharing | None, *, only_others: bool) -> Columns:
    run, update = rules["threads:create_run"], rules["threads:update"]
    approvals = Approvals(only_others, shared, filter_input=run.filter, filter_change=update.filter)
    readers = {
        "assistants:create": read_steered_assistant,
        "assistants:update": read_steered_assistant,
        "crons:create": read_steered_new_cron,
        "crons:update": read_steered_cron_change,
    }
    return {
        "threads:update": {
            "filter": approvals.filter_state,
            "checks": (*update.checks, approvals.check_state),
        },
        "threads:create_run": {
            "read": read_steered_run,
            "permission": choose_run_permission,
            "filter": approvals.filter_run,
            "checks": (*run.checks, approvals.check_run),
            "stamp": stamp_approved_run,
        },
        **{
            event: {"read": read, "checks": (*rules[event].checks, check_never_steers)}
            for event, read in readers.items()
        },
    }


def _change(rules: Mapping[str, EventRule], columns: Columns) -> Mapping[str, EventRule]:
    return {event: replace(row, **columns.get(event, {})) for event, row in rules.items()}
