"""Sharing: the owner of a thread lists its readers, editors and approvers in its metadata.

A list only adds objects. The caller's own permissions decide what they may do at all. A list counts inside the owner's
tenant only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..errors import ErrorCode
from ..json_values import is_list
from ..permissions.names import SHARE
from ..tokens.policy import MAX_IDENTITY
from .access_request import read_new_thread, read_thread_change
from .crons import RUN_PERMISSION
from .decision import Filter, NoRestriction, Restriction, deny, deny_missing
from .filters import (
    cover_run_cleanup,
    cover_run_control,
    filter_reach,
    filter_thread_access,
    filter_thread_change,
    own_objects,
)
from .ownership import clean_change, get_metadata, stamp_object
from .reserved_keys import APPROVERS, ASSISTANT, EDITORS, LISTS, RESERVED, TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.caller import Caller
    from ..permissions.names import Reach
    from .access_request import AccessRequest, Value
    from .decision import AllowedAccess, Decision

MAX_LISTED = 100
"""The longest list. Servers compare it with each caller of the thread."""

Where = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sharing:
    """The rules for threads while sharing is on. Their methods are columns of rows in ``event_rules``.

    Attributes:
        has_tenants: an issuer of this server has tenants.
        separates_approvers: ``langgraph.resume`` is ``other``: no approver may also run, and only the owner lists them.
    """

    has_tenants: bool
    separates_approvers: bool

    def find_branches(self, caller: Caller, *lists: str, **also: str) -> list[Where]:
        """Return a filter for each list that may have the caller."""
        if caller.tenancy is None:
            # Without a tenant in the filter, a list would count in every tenant.
            tenant: Where | None = None if self.has_tenants else {}
        else:
            # A missing tenant is not a tenant that all such callers share.
            tenant = None if caller.tenancy.tenant is None else {TENANT: caller.tenancy.tenant}
        if tenant is None:
            return []
        return [{**tenant, **also, name: {"$contains": caller.identity}} for name in lists]

    def filter_read(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        """Return the filter for reading threads, and for finding them."""
        allowed = filter_thread_access(caller, reach, request)
        # A copy would belong to the owner of the original. A cron runs as its creator.
        if request.for_copy or request.creates_cron:
            return allowed
        return add_branches(allowed, self.find_branches(caller, *LISTS))

    def filter_run(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        """Return the filter for starting runs: editors run the thread's own assistant, approvers only resume."""
        resumes = request.steering is not None and request.steering.is_resume
        # A run of another graph would change what an approver sees.
        lists = (EDITORS, APPROVERS) if resumes else (EDITORS,)
        branches = self.find_branches(caller, *lists, **{ASSISTANT: str(request.assistant)})
        return add_branches(filter_reach(caller, reach, request), branches)

    def filter_change(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        """Return the filter for changing threads and their lists, and for stopping runs."""
        if request.controls_run:
            return self._add_edited(caller, request, filter_thread_change(caller, reach, request))
        share = caller.rights.get(SHARE)
        if not request.lists or share is None:
            return filter_thread_change(caller, reach, request)
        if self.separates_approvers and APPROVERS in request.lists:
            # Someone else could make the owner an approver.
            return own_objects(caller)
        return filter_thread_change(caller, min(reach, share) if request.changes_more else share, request)

    def filter_deletion(self, caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
        """Return the filter for deleting threads and runs."""
        allowed = filter_reach(caller, reach, request)
        return self._add_edited(caller, request, allowed) if request.deletes_run else allowed

    def cover_run_control(self, caller: Caller, request: AccessRequest) -> Filter | None:
        """Return the filter for stopping own runs and those of edited threads, or None for another change."""
        allowed = cover_run_control(caller, request)
        return None if allowed is None else self._add_edited(caller, request, allowed)

    def cover_run_cleanup(self, caller: Caller, request: AccessRequest) -> Filter | None:
        """Return the filter for deleting runs, or own threads that the server made for one run."""
        allowed = cover_run_cleanup(caller, request)
        return self._add_edited(caller, request, allowed) if request.deletes_run and allowed is not None else allowed

    def _add_edited(self, caller: Caller, request: AccessRequest, allowed: Filter) -> Filter:
        # A request for all own runs must not stop those on the threads of others.
        if request.bulk or RUN_PERMISSION not in caller.rights:
            return allowed
        return add_branches(allowed, self.find_branches(caller, EDITORS))

    def check_lists(self, caller: Caller, request: AccessRequest) -> Decision | None:
        """Return the denial if the caller may not set the lists of a request."""
        if not request.lists:
            return None
        if SHARE not in caller.rights:
            return deny_missing(request.event, SHARE)
        for name, people in request.lists.items():
            if (found := _find_fault(people, caller.identity)) is not None:
                expected = f"{name}: at most {MAX_LISTED} identities, without the caller's"
                return deny(request.event, ErrorCode.SHARING_LIST_INVALID, expected=expected, found=found)
        return self._check_separation(request)

    def _check_separation(self, request: AccessRequest) -> Decision | None:
        editors, approvers = request.lists.get(EDITORS), request.lists.get(APPROVERS)
        if not self.separates_approvers or (editors is None and approvers is None):
            return None
        expected = f"{EDITORS} and {APPROVERS} together, without a common identity"
        # The stored list is not visible, so both must be in the request.
        if editors is None or approvers is None:
            found = f"only {APPROVERS if editors is None else EDITORS}"
            return deny(request.event, ErrorCode.SHARING_LIST_INVALID, expected=expected, found=found)
        if set(cast("list[str]", editors)).isdisjoint(cast("list[str]", approvers)):
            return None
        return deny(request.event, ErrorCode.SHARING_LIST_INVALID, expected=expected, found="a common identity")


def add_branches(allowed: Filter, branches: list[Where]) -> Filter:
    """Return a filter that also matches what one of the branches matches."""
    if isinstance(allowed, NoRestriction):
        return allowed
    # Nothing is added by a branch within the filter, such as a list in the tenant that the caller reaches anyway.
    more = [branch for branch in branches if not all(branch.get(key) == value for key, value in allowed.where.items())]
    return Restriction({"$or": [dict(allowed.where), *more]}) if more else allowed


def read_shared_thread(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:create``, with the lists of the new thread."""
    return read_new_thread(event, value)._replace(lists=_read_lists(value))


def read_shared_change(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:update``, with the changed lists."""
    request = read_thread_change(event, value)
    if request.controls_run or not (lists := _read_lists(value)):
        return request
    # Reserved keys are removed from a change, so they change nothing.
    others = get_metadata(value).keys() - {*RESERVED}
    return request._replace(lists=lists, changes_more=bool(others))


def stamp_shared_thread(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into a new thread, and the lists that the caller may set."""
    return _keep_lists(value, access.request.lists, stamp_object(value, access))


def clean_shared_change(value: Value, access: AllowedAccess) -> Decision:
    """Remove the reserved keys from a change, without the lists that the caller may set."""
    return _keep_lists(value, access.request.lists, clean_change(value, access))


def _keep_lists(value: Value, lists: Mapping[str, object], decision: Decision) -> Decision:
    if decision.allowed and lists:
        get_metadata(value).update(lists)
    return decision


def _read_lists(value: Value) -> dict[str, object]:
    metadata: object = value.get("metadata")
    found = cast("Value", metadata) if isinstance(metadata, dict) else {}
    return {name: found[name] for name in LISTS if name in found}


def _find_fault(people: object, caller: str) -> str | None:
    """Return what is wrong with a list, without its identities, or None."""
    if not is_list(people):
        return "no list"
    if len(people) > MAX_LISTED:
        return f"{len(people)} identities"
    if not all(_is_identity(person) for person in people):
        return "a member that is not an identity"
    # A list must not make the caller an approver of their own runs.
    return "the caller" if caller in people else None


def _is_identity(person: object) -> bool:
    return isinstance(person, str) and 0 < len(person) <= MAX_IDENTITY
