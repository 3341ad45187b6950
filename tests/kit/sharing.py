"""People around a shared thread, on a server with sharing.

Alice owns the thread. Rita is on its list of readers, Eddie is an editor and April is an approver. Cora is a colleague
who is on no list. Everybody has every permission for own objects. So a denial is due to the thread and not to a missing
permission.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from kit.live_server import LiveServer
from oidc_auth.permissions.names import EVENTS
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from kit.live_server import SampleUser
    from kit.server import Server

READERS, EDITORS, APPROVERS = "shared_with", "shared_editors", "shared_approvers"
LISTS = (READERS, EDITORS, APPROVERS)
SHARED: dict[str, list[str]] = {READERS: ["rita"], EDITORS: ["eddie"], APPROVERS: ["april"]}
"""The lists of a shared thread."""

OWN = [*EVENTS, "threads:share", "threads:resume"]
"""Every permission for own objects. The last two are in no pattern."""
ROLES: dict[str, list[str]] = {
    "member": OWN,
    "user": list(EVENTS),
    "sharer": [*EVENTS, "threads:share"],
    "resumer": [*EVENTS, "threads:resume"],
    "approver": ["threads:resume", "assistants:read"],
    "viewer": ["threads:read"],
    "finder": ["threads:search"],
    "runner": ["threads:create_run", "assistants:read"],
    "manager": [*(f"{event}@tenant" for event in EVENTS if not event.startswith("store:")), "threads:share@tenant"],
    "clerk": [f"{event}@tenant" for event in EVENTS if not event.startswith("store:")],
    "supervisor": ["threads:read@tenant", "threads:resume@tenant", "assistants:read"],
    "admin": ["*@all", "threads:share@all", "threads:resume@all"],
    "patterns": ["*@all", "threads:*@all"],
    "creator": ["threads:create"],
}
WITHOUT_LITERALS = {name: rights for name, rights in ROLES.items() if name in {"user", "clerk", "viewer", "patterns"}}
"""Roles that name neither ``threads:share`` nor ``threads:resume``, so that sharing is off."""


class People(NamedTuple):
    """The users of the tests."""

    alice: SampleUser
    rita: SampleUser
    eddie: SampleUser
    april: SampleUser
    cora: SampleUser
    twins: tuple[SampleUser, ...]
    stranger: SampleUser
    root: SampleUser

    @property
    def others(self) -> list[SampleUser]:
        """Users whom no list of the thread names: a colleague, the same identities in other tenants, a stranger."""
        return [self.cora, *self.twins, self.stranger]

    @property
    def listed(self) -> list[SampleUser]:
        """The users on the lists."""
        return [self.rita, self.eddie, self.april]


class SharingServer(LiveServer):
    """A server with sharing, and the people around a thread."""

    def __init__(self, server: Server, mode: str = "run", roles: dict[str, list[str]] | None = None) -> None:
        self.mode, self.roles = mode, ROLES if roles is None else roles
        super().__init__(server, LocalIssuer(algorithm="ES256"))

    def enforce(self, **tables: Any) -> None:
        """Install the roles, and the mode of approvals."""
        issuer = {
            "preset": "generic",
            "issuer": self.issuer.url,
            "audience": "agents",
            "tenant": "org",
            "permission_map": {"claim": "roles", "values": self.roles},
        }
        super().enforce(**{"issuer": issuer, "langgraph": {"resume": self.mode}, **tables})

    def change(self, mode: str, roles: dict[str, list[str]] | None = None) -> None:
        """Use another mode, and other roles, with the same objects and tokens."""
        self.mode, self.roles = mode, ROLES if roles is None else roles
        self.enforce()

    def people(self) -> People:
        """Return the users, all with every permission for own objects, except the administrator."""
        names = ("alice", "rita", "eddie", "april", "cora")
        twins = [
            self.user(name, "member", tenant=tenant)
            for name in ("alice", "rita", "eddie", "april")
            for tenant in ("globex", None)
        ]
        return People(
            *(self.user(name, "member") for name in names),
            tuple(twins),
            self.user("mallory", "member", tenant="globex"),
            self.user("root", "admin", tenant="globex"),
        )


def share(owner: SampleUser, thread: str, **lists: list[str]) -> None:
    """Set lists of a thread. Without lists, the usual ones."""
    answer = owner("PATCH", thread, {"metadata": lists or SHARED})
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()["metadata"].get(name) for name in lists or SHARED} == (lists or SHARED)


def shared_thread(owner: SampleUser, **metadata: Any) -> str:
    """Return the path of a thread with a state, shared with the usual people."""
    thread = owner.thread(graph_id="agent", **metadata)
    run = {"assistant_id": "agent", "input": {"text": "hello"}}
    assert owner("POST", f"{thread}/runs/wait", run).status_code == 200
    share(owner, thread)
    return thread


def pause(owner: SampleUser, graph: str = "approval", **lists: list[str]) -> str:
    """Return the path of a shared thread with a graph that waits."""
    thread = owner.thread()
    answer = owner("POST", f"{thread}/runs/wait", {"assistant_id": graph, "input": {"text": "pay"}})
    assert answer.status_code == 200, answer.text
    share(owner, thread, **lists)
    assert is_paused(owner, thread)
    return thread


def is_paused(owner: SampleUser, thread: str) -> bool:
    """Tell whether the graph of a thread still waits where it was paused. Runs that are in flight are waited for."""
    found = settle(owner, thread)
    return found["status"] == "interrupted" and not (found["values"] or {}).get("acted_as")


def settle(owner: SampleUser, thread: str) -> dict[str, Any]:
    """Return a thread without a run in flight."""
    deadline = time.monotonic() + 10
    while True:
        found: dict[str, Any] = owner("GET", thread).json()
        if found["status"] != "busy":
            return found
        assert time.monotonic() < deadline, "the run did not end"
        time.sleep(0.02)


def find_interrupt(owner: SampleUser, thread: str) -> str:
    """Return the id of the only pending interrupt."""
    ((found,),) = owner("GET", thread).json()["interrupts"].values()
    identifier: str = found["id"]
    return identifier


def contents(owner: SampleUser, thread: str) -> list[Any]:
    """Return what is stored about a thread: itself, its state and its runs."""
    return [owner("GET", thread + below).json() for below in ("", "/state", "/runs", "/history?limit=100")]
