"""The audit log of a session on a real server, as an auditor reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.audit import KEYS, flush, read_records

from oidc_auth import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from kit.live_server import LiveServer


def audit(live_server: LiveServer, file: Path, **options: Any) -> None:
    live_server.enforce(observability={"audit": str(file)}, **options)


def read_session(live_server: LiveServer, file: Path) -> list[tuple[Any, ...]]:
    """Return the records, without the time and the issuer, which all of them have."""
    flush(live_server.oidc)
    records = read_records(file)
    assert all(list(record) == KEYS for record in records)
    keys = [key for key in KEYS if key not in ("time", "issuer")]
    return [tuple(record[key] for key in keys) for record in records]


def test_auditor_reads_a_session(live_server: LiveServer, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    audit(live_server, file)
    alice, bob = live_server.user("alice", "editor"), live_server.user("bob", "editor")
    viewer, root = live_server.user("carol", "viewer"), live_server.user("dora", "root", tenant=None)
    assert live_server.server.request("GET", "/threads").status_code in (401, 404, 405)
    thread = alice.thread()
    assert [user("GET", thread).status_code for user in (alice, bob, root)] == [200, 404, 200]
    assert viewer("DELETE", thread).status_code == 403
    ids = {"thread_id": thread.removeprefix("/threads/")}
    assert read_session(live_server, file) == [
        ("authenticate", "failed", "token_missing", None, None, None, {}),
        ("authenticate", "succeeded", None, "alice", "acme", None, {}),
        ("threads:create", "allowed", None, "alice", "acme", "threads:create", ids),
        ("authenticate", "succeeded", None, "alice", "acme", None, {}),
        ("threads:read", "allowed", None, "alice", "acme", "threads:read", ids),
        # Without a reach the permission covers bob's own threads, so the server answered 404.
        ("authenticate", "succeeded", None, "bob", "acme", None, {}),
        ("threads:read", "allowed", None, "bob", "acme", "threads:read", ids),
        ("authenticate", "succeeded", None, "dora", None, None, {}),
        ("threads:read", "allowed", None, "dora", None, "threads:read@all", ids),
        ("authenticate", "succeeded", None, "carol", "acme", None, {}),
        ("threads:delete", "denied", "permission_missing", "carol", "acme", "threads:delete", ids),
    ]
    text = file.read_text()
    assert not any(user.token in text for user in (alice, bob, viewer, root))
    assert text.count(live_server.issuer.url) == 10


def test_first_record_opens_file_beside_the_loop(live_server: LiveServer, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    audit(live_server, file)
    # The server makes each blocking call on its event loop an error, and the file must be opened again.
    file.unlink()
    assert live_server.user("alice", "editor").thread()
    assert [record[0] for record in read_session(live_server, file)] == ["authenticate", "threads:create"]


def test_replaced_handlers_are_recorded(live_server: LiveServer, tmp_path: Path) -> None:
    async def allow_own(ctx: Any, value: Any) -> Any:
        return {"owner": ctx.user.identity}

    async def deny(ctx: Any, value: Any) -> bool:
        return False

    async def fail(ctx: Any, value: Any) -> None:
        raise RuntimeError

    file = tmp_path / "audit.jsonl"
    audit(live_server, file, replace={"threads:search": allow_own, "threads:create": deny, "assistants:search": fail})
    alice = live_server.user("alice", "editor")
    statuses = [alice("POST", path, {}).status_code for path in ("/threads/search", "/threads", "/assistants/search")]
    assert statuses == [200, 403, 500]
    assert [record[:4] for record in read_session(live_server, file) if record[0] != "authenticate"] == [
        ("threads:search", "allowed", None, "alice"),
        ("threads:create", "denied", "custom_rule_denied", "alice"),
        ("assistants:search", "denied", "custom_rule_failed", "alice"),
    ]


def test_wrong_path_stops_the_start(live_server: LiveServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        audit(live_server, tmp_path / "missing" / "audit.jsonl")
