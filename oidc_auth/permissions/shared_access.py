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
_THREADS = {
    "own": "own threads",
    "tenant": "threads of the tenant",
    "all": "all threads",
    EDITORS: "threads that list them as editor",
    APPROVERS: "threads that list them as approver",
}
"""The text for each answer of ``SharedAccess``."""
RESUME_RULES: Mapping[ResumeMode, str] = {
    "run": f"callers with {RUN}",
    "permission": f"callers with {RESUME}",
    "other": f"callers with {RESUME} that the owner lists as approvers, never the owner",
}
"""Who may resume a paused run, for each mode."""


def describe_threads(threads: Sequence[str]) -> str:
    """Return the answer of ``SharedAccess`` as text."""
    return " and ".join(_THREADS[name] for name in threads) or "no threads"


def describe_sharing(rights: Rights, access: SharedAccess) -> str:
    """Return the threads that a caller may share, as text."""
    threads = access.shareable(rights)
    # The other permission can come from another role of the same caller.
    return "only with threads:update" if SHARE in rights and not threads else describe_threads(threads)


@dataclass(frozen=True, slots=True)
class SharedAccess:
    """What a configuration lets callers do with shared threads and paused runs.

    Attributes:
        sharing: Whether the lists of a thread count.
        resume: Who may resume a paused run.
    """

    sharing: bool = False
    resume: ResumeMode = "run"

    def shareable(self, rights: Rights) -> tuple[str, ...]:
        """Return the threads that a caller may share: ``own``, ``tenant``, ``all`` or nothing."""
        # Lists are metadata, so the caller must also be allowed to change or create a thread.
        changes = rights.get("threads:update", Reach.OWN if "threads:create" in rights else None)
        if changes is None or SHARE not in rights:
            return ()
        return (_REACHES[min(changes, rights[SHARE])],)

    def approvable(self, rights: Rights) -> tuple[str, ...]:
        """Return the threads that a caller may approve: a reach, a list whose members may approve, both or nothing."""
        if (reach := rights.get(RUN if self.resume == "run" else RESUME)) is None:
            return ()
        listed = (EDITORS if self.resume == "run" else APPROVERS,) if self.sharing else ()
        # A filter cannot exclude the owner, so with "other" only the list counts.
        if self.resume == "other":
            return listed
        # All threads include those that list the caller.
        return (_REACHES[reach],) if reach is Reach.ALL else (_REACHES[reach], *listed)

    def on_list(self, rights: Rights, name: str) -> str:
        """Return what a caller may do on a thread that has them on a list: ``-``, ``read``, ``run`` or ``resume``."""
        if not self.sharing or "threads:read" not in rights:
            return "-"
        if name == EDITORS and RUN in rights:
            return "run"
        return "resume" if name == APPROVERS and self.resume != "run" and RESUME in rights else "read"
