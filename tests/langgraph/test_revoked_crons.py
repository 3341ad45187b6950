"""Crons stop when their user is revoked, and not when a session of the user ends."""

from __future__ import annotations

import time
from contextlib import contextmanager
from socket import socket
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.revocation.entries import Kind, Revocation, digest_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.live_server import LiveServer, SampleUser

EVERY_SECOND = "* * * * * *"
MEMORY = {"store": "memory"}


@contextmanager
def running_cron(live_server: LiveServer, person: SampleUser, schedule: str = EVERY_SECOND) -> Iterator[dict[str, Any]]:
    """Create a cron, and delete it at the end, also if its user is revoked."""
    body = {
        "assistant_id": "agent",
        "input": {"text": "tick"},
        "schedule": schedule,
        "metadata": {"job": person.name},
        "on_run_completed": "keep",
    }
    made = person("POST", "/runs/crons", body)
    assert made.status_code == 200, made.text
    try:
        yield made.json()
    finally:
        live_server.enforce()
        live_server.user("root", "root")("DELETE", path_of(made.json()))


def path_of(cron: dict[str, Any]) -> str:
    return f"/runs/crons/{cron['cron_id']}"


def count_fires(live_server: LiveServer, name: str) -> int:
    return len(live_server.user("root", "root").search("threads", job=name))


def wait_for_fires(live_server: LiveServer, name: str, count: int) -> None:
    """Wait until a cron has fired so many times, for at most ten seconds."""
    for _ in range(200):
        if count_fires(live_server, name) >= count:
            return
        time.sleep(0.05)  # the scheduler offers no event to wait for
    raise AssertionError("the cron did not fire")


def revoke(live_server: LiveServer, kind: Kind, value: str, at: float | None = None) -> None:
    assert live_server.oidc.revocation is not None
    now = time.time()
    revocation = Revocation(issuer=live_server.issuer.url, kind=kind, value=value, time=now if at is None else at)
    live_server.oidc.revocation.store.live.add(revocation, now)


def log_in_again(live_server: LiveServer, name: str) -> SampleUser:
    """Return the user with a token that is newer than any revocation."""
    return live_server.user(name, "editor", iat=int(time.time()) + 2)


def test_cron_of_revoked_user_stops_until_renewed(live_server: LiveServer) -> None:
    live_server.enforce(revocation=MEMORY)
    with running_cron(live_server, live_server.user("nora", "editor")) as made:
        wait_for_fires(live_server, "nora", 1)
        revoke(live_server, Kind.SUBJECT, "nora")
        live_server.wait_for_denial(ErrorCode.CRON_REVOKED)
        before = count_fires(live_server, "nora")
        live_server.wait_for_denial(ErrorCode.CRON_REVOKED)
        assert count_fires(live_server, "nora") == before
        # A change by a colleague says nothing about the rights of the owner.
        touched = live_server.user("cora", "colleague")("PATCH", path_of(made), {"timezone": "Europe/Berlin"})
        assert touched.status_code == 200
        live_server.wait_for_denial(ErrorCode.CRON_REVOKED)
        renewed = log_in_again(live_server, "nora")("PATCH", path_of(made), {"input": {"text": "again"}})
        assert renewed.status_code == 200
        assert renewed.json()["payload"]["metadata"]["authorized_at"] > made["metadata"]["authorized_at"]
        wait_for_fires(live_server, "nora", before + 1)


def test_session_logout_does_not_stop_cron(live_server: LiveServer) -> None:
    live_server.enforce(revocation=MEMORY)
    user = live_server.user("sean", "editor", sid="s1", jti="j1")
    with running_cron(live_server, user):
        revoke(live_server, Kind.SESSION, "s1")
        revoke(live_server, Kind.SUBJECT_WITHOUT_SESSION, "sean")
        revoke(live_server, Kind.TOKEN, "j1")
        assert user("GET", "/threads/x").status_code == 401
        wait_for_fires(live_server, "sean", count_fires(live_server, "sean") + 2)


def test_token_older_than_revocation_authorizes_no_cron(live_server: LiveServer) -> None:
    """The notice of a revocation arrives after it. A cron can be created between the two."""
    live_server.enforce(revocation=MEMORY)
    issued = int(time.time()) - 20
    with running_cron(live_server, live_server.user("lena", "editor", iat=issued)) as made:
        assert made["metadata"]["authorized_at"] == issued
        revoke(live_server, Kind.SUBJECT, "lena", at=issued + 10)
        live_server.wait_for_denial(ErrorCode.CRON_REVOKED)


def test_cron_carries_user_without_revocations(live_server: LiveServer) -> None:
    """So that revocations can be turned on later."""
    with running_cron(live_server, live_server.user("otto", "editor")) as made:
        assert made["metadata"]["authorized_for"] == digest_subject(live_server.issuer.url, "otto")
        live_server.enforce(revocation=MEMORY)
        wait_for_fires(live_server, "otto", 1)
        revoke(live_server, Kind.SUBJECT, "otto")
        live_server.wait_for_denial(ErrorCode.CRON_REVOKED)


def test_older_cron_runs_only_without_revocations(live_server: LiveServer) -> None:
    async def stamp_as_before(ctx: Any, value: Any) -> None:
        value["metadata"].update(owner="olga", tenant="acme", authorized_until=time.time() + 600)

    live_server.enforce(replace={"crons:create": stamp_as_before})
    with running_cron(live_server, live_server.user("olga", "editor")) as made:
        assert "authorized_for" not in made["metadata"]
        wait_for_fires(live_server, "olga", 1)
        live_server.enforce(revocation=MEMORY)
        live_server.wait_for_denial(ErrorCode.CRON_EXPIRED)


def test_cron_waits_for_unknown_revocations(live_server: LiveServer) -> None:
    pytest.importorskip("redis")
    # A socket that is bound and does not listen refuses connections.
    with socket() as closed, running_cron(live_server, live_server.user("rita", "editor")):
        closed.bind(("127.0.0.1", 0))
        wait_for_fires(live_server, "rita", 1)
        live_server.enforce(revocation={"store": f"redis://127.0.0.1:{closed.getsockname()[1]}"})
        unreachable = live_server.oidc
        try:
            live_server.wait_for_denial(ErrorCode.REVOCATIONS_UNAVAILABLE)
        finally:
            live_server.server.run(unreachable.aclose)
