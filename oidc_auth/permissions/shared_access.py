"""Who may share threads, and who may approve: what ``explain``, ``check`` and ``assert_matrix`` tell about a caller.

The handlers decide requests with filters. ``SharedAccess`` tells the same for a caller without a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .names import RESUME, SHARE, Reach

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Rights = Mapping[str, Reach]

ResumeMode = Literal["run", "permission", "other"]

READERS, EDITORS, APPROVERS = "shared_with", "shared_editors", "shared_approvers"
LISTS = (READERS, EDITORS, APPROVERS)
"""The metadata keys of a thread that list the people with access."""

RUN = "threads:create_run"
_REACHES = {Reach.OWN: "own", Reach.TENANT: "tenant", Reach.ALL: "all"}
_REACHED = {"own": "own threads", "tenant": "threads of the tenant", "all": "all threads"}
_LISTED = {EDITORS: "editor", APPROVERS: "approver"}
RESUME_RULES: Mapping[ResumeMode, str] = {
    "run": f"callers with {RUN}",
    "permission": f"callers with {RESUME}",
    "other": f"callers with {RESUME} that the owner lists as approvers, never the owner",
}
"""Who may resume a paused run, for each mode."""


def describe_threads(threads: Sequence[str]) -> str:
    """Return the answer of ``SharedAccess`` as text."""
    reached = [_REACHED[name] for name in threads if name in _REACHED]
    listed = " or ".join(_LISTED[name] for name in threads if name in _LISTED)
    return ", and ".join([*reached, f"threads that list them as {listed}"] if listed else reached) or "no threads"


def describe_sharing(rights: Rights, access: SharedAccess) -> str:
    """Return the threads that a caller may share, as text."""
    threads = access.shareable(rights)
    if threads or SHARE not in rights:
        return describe_threads(threads)
    # A configuration that names the permission turns sharing on. Without a tenant, no list counts.
    return "only with threads:update" if access.sharing else "no threads, because the token has no tenant"


@dataclass(frozen=True, slots=True)
class SharedAccess:
    """What callers may do with shared threads and paused runs.

    Attributes:
        sharing: Whether the lists of a thread count.
        resume: Who may resume a paused run.
    """

    sharing: bool = False
    resume: ResumeMode = "run"

    def shareable(self, rights: Rights) -> tuple[str, ...]:
        """Return the threads that a caller may share: ``own``, ``tenant``, ``all`` or nothing."""
        if not self.sharing or SHARE not in rights:
            return ()
        if "threads:update" in rights:
            return (_REACHES[rights[SHARE]],)
        # A new thread can have lists too.
        return ("own",) if "threads:create" in rights else ()

    def approvable(self, rights: Rights) -> tuple[str, ...]:
        """Return the threads that a caller may approve: a reach, lists that allow it, both or nothing."""
        if (reach := rights.get(self._permission)) is None:
            return ()
        lists = self._approving_lists if self.sharing else ()
        # A filter cannot exclude the owner, so with "other" only the list counts.
        if self.resume == "other":
            return lists
        # All threads include those that list the caller.
        return (_REACHES[reach],) if reach is Reach.ALL else (_REACHES[reach], *lists)

    def on_list(self, rights: Rights, name: str) -> str:
        """Return what a caller may do on a thread that has them on a list: ``-``, ``read``, ``run`` or ``resume``."""
        if not self.sharing or "threads:read" not in rights:
            return "-"
        if name == EDITORS and RUN in rights:
            return "run"
        return "resume" if name in self._approving_lists and self._permission in rights else "read"

    @property
    def _permission(self) -> str:
        return RUN if self.resume == "run" else RESUME

    @property
    def _approving_lists(self) -> tuple[str, ...]:
        return (EDITORS, APPROVERS) if self.resume == "run" else (APPROVERS,)
