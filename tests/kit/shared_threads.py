"""A configuration with sharing and approvals, and threads whose graphs are paused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kit.sample_users import configuration_for

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser

MEMBER = ["threads:write", "threads:share", "assistants:write"]
RIGHTS = {
    "member": MEMBER,
    "runner": ["threads:write"],
    "resumer": ["threads:write", "threads:resume", "assistants:write", "crons:write"],
    "approver": ["threads:resume"],
    "tenant_approver": ["threads:resume@tenant"],
    "both": [*MEMBER, "threads:resume"],
    "sharer": ["threads:write", "threads:share@tenant"],
    "root": ["*@all", "threads:share@all", "threads:resume@all"],
}
"""Claim values and what they give, in addition to those of ``kit.sample_users``."""

INPUT = {"text": "pay"}


def enforce(live_server: LiveServer, resume: str = "run", rights: dict[str, list[str]] = RIGHTS, **more: Any) -> None:
    """Install the rules with sharing and one value of ``langgraph.resume``."""
    issuer = configuration_for(live_server.issuer)["issuer"]
    issuer["permission_map"]["values"] |= rights
    live_server.enforce(issuer=issuer, langgraph={"resume": resume}, **more)


def run(graph: str = "agent", **more: Any) -> dict[str, Any]:
    """Return the body of a run."""
    return {"assistant_id": graph, "input": INPUT, **more}


def pause(user: SampleUser, graph: str = "approval", **metadata: Any) -> str:
    """Return the path of a thread whose graph waits."""
    path = user.thread(**metadata)
    waited = user("POST", f"{path}/runs/wait", run(graph))
    assert waited.status_code == 200, waited.text
    assert is_paused(user, path)
    return path


def is_paused(user: SampleUser, path: str) -> bool:
    """Return whether the graph of a thread waits, after all its runs ended."""
    wait_for_runs(user, path)
    state = user("GET", f"{path}/state").json()
    return bool(state["next"]) and "acted_as" not in state["values"]


def wait_for_runs(user: SampleUser, path: str) -> None:
    """Wait until no run of a thread is pending, for at most ten seconds. Delayed runs are not waited for."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        runs = user("GET", f"{path}/runs").json()
        if not [each for each in runs if each["status"] == "running"] and user("GET", path).json()["status"] != "busy":
            return
        time.sleep(0.02)
    raise AssertionError(f"a run of {path} did not end")


def find_interrupt(user: SampleUser, path: str) -> str:
    """Return the id of the question that a thread waits for."""
    (interrupts,) = user("GET", path).json()["interrupts"].values()
    found: str = interrupts[0]["id"]
    return found
