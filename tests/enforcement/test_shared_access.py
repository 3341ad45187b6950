"""What ``SharedAccess`` tells about a caller is what the rules decide about the caller's requests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.enforcement.authorize import ServerFacts
from oidc_auth.enforcement.decision import NoRestriction
from oidc_auth.enforcement.enforce import enforce
from oidc_auth.enforcement.limits import EnforcementSettings
from oidc_auth.permissions.names import Reach, expand, format_permission, split_reach
from oidc_auth.permissions.permission_maps import Right, merge_rights
from oidc_auth.permissions.shared_access import LISTS, ResumeMode, SharedAccess

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = ServerFacts(is_studio=False, in_request=True, expiry_leeway=None)
INTERRUPT = "0123456789abcdef0123456789abcdef"
ASSISTANT = "fe096781-5601-53d2-b2f6-0d3403f7e9ca"
RUN = {"thread_id": "t", "assistant_id": ASSISTANT, "metadata": {}}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "read": ("threads:read", {"thread_id": "t"}),
    "run": ("threads:create_run", {**RUN, "kwargs": {"input": {"text": "x"}, "context": {}}}),
    "resume": ("threads:create_run", {**RUN, "kwargs": {"command": {"resume": {INTERRUPT: 1}}, "context": {}}}),
    "share": ("threads:update", {"thread_id": "t", "metadata": {"shared_with": ["bob"]}}),
}
THREADS: Mapping[str, Mapping[str, Any]] = {
    "own": {"owner": "alice", "tenant": "acme", "assistant_id": ASSISTANT},
    "tenant": {"owner": "bob", "tenant": "acme", "assistant_id": ASSISTANT},
    "all": {"owner": "bob", "tenant": "globex", "assistant_id": ASSISTANT},
}
LISTED: Mapping[str, Mapping[str, Any]] = {name: {**THREADS["tenant"], name: ["alice"]} for name in LISTS}
REACHED = {"own": ["own"], "tenant": ["own", "tenant"], "all": ["own", "tenant", "all"]}
PERMISSIONS = [
    "threads:read",
    "threads:write",
    "threads:create_run@tenant",
    "threads:resume",
    "threads:resume@tenant",
    "threads:resume@all threads:write",
    "threads:write threads:share",
    "threads:write threads:share@tenant threads:resume",
    "threads:write@tenant threads:share@all",
    "threads:share",
    "*@tenant",
    "*@all",
]


def copied(value: Any) -> Any:
    return {name: copied(member) for name, member in value.items()} if isinstance(value, dict) else value


def matches(where: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Tell whether a thread matches a filter, as the server decides it."""
    return all(matches_one(key, wanted, metadata) for key, wanted in where.items())


def matches_one(key: str, wanted: Any, metadata: Mapping[str, Any]) -> bool:
    if key in ("$or", "$and"):
        found = [matches(branch, metadata) for branch in wanted]
        return any(found) if key == "$or" else all(found)
    if isinstance(wanted, dict) and "$contains" in wanted:
        return wanted["$contains"] in metadata.get(key, [])
    return bool(metadata.get(key) == (wanted["$eq"] if isinstance(wanted, dict) else wanted))


def may(request: str, permissions: list[str], access: SharedAccess, thread: Mapping[str, Any]) -> bool:
    """Tell whether Alice may send a request for a thread."""
    event, value = REQUESTS[request]
    settings = EnforcementSettings(resume=access.resume, sharing=access.sharing)
    user = SimpleNamespace(
        identity="alice", permissions=permissions, tenant="acme", graphs=None, resume_graphs=None, issued_at=0
    )
    decision = enforce(user, event, copied(value), settings, 0, FACTS)
    if not decision.allowed:
        return False
    return isinstance(decision.filter, NoRestriction) or matches(decision.filter.where, thread)


@pytest.mark.parametrize("resume", ["run", "permission", "other"])
@pytest.mark.parametrize("given", PERMISSIONS)
def test_answers_are_those_of_the_rules(given: str, resume: ResumeMode) -> None:
    pairs = [split_reach(word) for word in given.split()]
    rights = merge_rights(Right(name, reach) for pattern, reach in pairs for name in expand(pattern))
    permissions = [format_permission(name, Reach(reach)) for name, reach in rights.items()]
    access = SharedAccess(sharing=True, resume=resume)
    shareable, approvable = access.shareable(rights), access.approvable(rights)
    for name, thread in THREADS.items():
        reached = [reach for reach, names in REACHED.items() if name in names]
        if "threads:update" in rights:
            assert may("share", permissions, access, thread) == (not set(reached).isdisjoint(shareable)), name
        assert may("resume", permissions, access, thread) == (not set(reached).isdisjoint(approvable)), name
    for name, thread in LISTED.items():
        mark = access.on_list(rights, name)
        others = {request: may(request, permissions, access, THREADS["tenant"]) for request in REQUESTS}
        assert may("read", permissions, access, thread) == (mark != "-" or others["read"]), name
        assert may("run", permissions, access, thread) == (mark == "run" or others["run"]), name
        resumes = mark == "resume" or (mark == "run" and resume == "run")
        assert may("resume", permissions, access, thread) == (resumes or others["resume"]), name
        # All threads include those that list the caller.
        assert resumes == (name in approvable) or "all" in approvable
