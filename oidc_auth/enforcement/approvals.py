"""Approvals: who may move a paused graph, while ``langgraph.resume`` is ``permission`` or ``other``.

``permission``: steering needs ``threads:resume``, also on own threads. ``other``: only the approvers of a thread move
it, and only by a pure resume. See ``steering`` for the two terms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..permissions.names import RESUME, Reach
from .access_request import read_assistant, read_cron_change, read_new_cron, read_run
from .crons import RUN_PERMISSION
from .decision import MATCH_NOTHING, Filter, Restriction, deny, deny_missing
from .filters import filter_reach, filter_thread_change
from .limits import deny_graphs
from .ownership import write_run_stamp
from .reserved_keys import APPROVED_BY, APPROVERS, ASSISTANT
from .sharing import add_branches
from .steering import Steering, read_assistant_steering, read_cron_steering, read_run_steering

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..permissions.caller import Caller
    from .access_request import AccessRequest, Value
    from .decision import AllowedAccess, Decision
    from .sharing import Sharing

    ReachFilter = Callable[[Caller, Reach, AccessRequest], Filter]

NO_STEERING = Steering()


@dataclass(frozen=True, slots=True)
class Approvals:
    """The rules for paused graphs. Their methods are columns of rows in ``event_rules``.

    Attributes:
        only_others: ``langgraph.resume`` is ``other``.
        sharing: finds the threads that list the caller, or None while sharing is off.
        filter_input: the filter for runs that do not steer.
        filter_change: the filter for changes of threads.
    """

    only_others: bool
    sharing: Sharing | None
    filter_input: ReachFilter
    filter_change: ReachFilter

    def filter_run(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        """Return the filter for starting runs; a resume reaches what ``threads:resume`` reaches."""
        steering = request.steering or NO_STEERING
        if not steering.steers:
            return self.filter_input(caller, reach, request)
        if steering.is_resume:
            return _of_assistant(self._filter_resume(caller, reach, request), request)
        # A missing permission is denied before. Until then the request reaches nothing.
        resume = caller.rights.get(RESUME)
        if resume is None:
            return MATCH_NOTHING
        allowed = filter_reach(caller, min(reach, resume), request)
        return _of_assistant(allowed, request) if steering.continues else allowed

    def _filter_resume(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        branches = [] if self.sharing is None else self.sharing.find_branches(caller, APPROVERS)
        if self.only_others:
            # Filters have no "not", so a reach cannot exclude the owner.
            return Restriction(branches[0]) if branches else MATCH_NOTHING
        return add_branches(filter_reach(caller, reach, request), branches)

    def filter_state(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        """Return the filter for changing threads; a change of state needs both permissions."""
        resume = caller.rights.get(RESUME)
        if not request.changes_state or resume is None:
            return self.filter_change(caller, reach, request)
        limited = replace(caller, graphs=_common_graphs(caller))
        return filter_thread_change(limited, min(reach, resume), request)

    def check_run(self, caller: Caller, request: AccessRequest) -> Decision | None:
        """Return the denial if the caller may not steer in this way."""
        steering = request.steering or NO_STEERING
        if not steering.steers:
            return None
        if self.only_others and not (steering.is_resume and steering.names_interrupts and steering.is_bare):
            return _deny_steering(request, "a command with resume and interrupt ids only")
        if steering.is_resume:
            return None
        if RESUME not in caller.rights:
            return deny_missing(request.event, RESUME)
        return deny_graphs(caller.resume_graphs, request)

    def check_state(self, caller: Caller, request: AccessRequest) -> Decision | None:
        """Return the denial if the caller may not change the state of threads."""
        if not request.changes_state:
            return None
        if self.only_others:
            return _deny_steering(request, "no change of state")
        return None if RESUME in caller.rights else deny_missing(request.event, RESUME)


def choose_run_permission(request: AccessRequest) -> str:
    """Return the permission that a run needs. An approver needs no permission to run."""
    return RESUME if request.steering is not None and request.steering.is_resume else RUN_PERMISSION


def check_never_steers(caller: Caller, request: AccessRequest) -> Decision | None:
    """Return the denial of a cron or assistant that steers."""
    del caller
    steers = request.steering is not None and request.steering.steers
    # A cron runs without a request, and an assistant's configuration is merged after the handlers.
    return _deny_steering(request, "nothing that moves a paused graph") if steers else None


def stamp_approved_run(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner of a run and who moved the paused graph."""
    write_run_stamp(value, make_approved_stamp(access))
    return access.decision


def make_approved_stamp(access: AllowedAccess) -> dict[str, object]:
    """Return the metadata of a run. Null, because a run without the key has the one of its thread or assistant."""
    steering = access.request.steering or NO_STEERING
    return {**access.decision.stamp, APPROVED_BY: access.caller.identity if steering.steers else None}


def read_steered_run(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:create_run``, with how it steers."""
    return read_run(event, value)._replace(steering=read_run_steering(value))


def read_steered_new_cron(event: str, value: Value) -> AccessRequest:
    """Read a ``crons:create``, with how its runs steer."""
    return read_new_cron(event, value)._replace(steering=read_cron_steering(value))


def read_steered_cron_change(event: str, value: Value) -> AccessRequest:
    """Read a ``crons:update``, with how its runs steer."""
    return read_cron_change(event, value)._replace(steering=read_cron_steering(value))


def read_steered_assistant(event: str, value: Value) -> AccessRequest:
    """Read an ``assistants:create`` or ``assistants:update``, with how its runs steer."""
    return read_assistant(event, value)._replace(steering=read_assistant_steering(value))


def _of_assistant(allowed: Filter, request: AccessRequest) -> Restriction:
    """Return the filter for threads of the run's assistant. Another graph must not run on their state."""
    same = {ASSISTANT: str(request.assistant)}
    return Restriction({**allowed.where, **same} if isinstance(allowed, Restriction) else same)


def _common_graphs(caller: Caller) -> frozenset[str] | None:
    if caller.graphs is None or caller.resume_graphs is None:
        return caller.resume_graphs if caller.graphs is None else caller.graphs
    return caller.graphs & caller.resume_graphs


def _deny_steering(request: AccessRequest, expected: str) -> Decision:
    return deny(request.event, ErrorCode.RESUME_NOT_ALLOWED, expected=expected, found="another way to move a run")
