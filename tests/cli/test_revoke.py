"""``oidc-auth revoke`` and ``oidc-auth revocations`` with a real Redis server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from kit import redis_server as redis_kit
from kit.clock import DAY, OffsetClock
from kit.command_runner import run
from kit.revocations import following, open_redis, revoked

from oidc_auth.revocation.entries import MAX_NAME, Kind, Revocation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.redis_server import RedisServer

ISSUER = "https://sso.acme.com"
PASSWORD = "s3cret-of-redis"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server with a password, which no output may contain."""
    with redis_kit.running_redis(tmp_path / "redis", "--requirepass", PASSWORD) as server:
        server.address = server.address.replace("redis://", f"redis://:{PASSWORD}@")
        yield server


def configuration(folder: Path, store: str | None, **settings: Any) -> str:
    path = folder / "oidc-auth.json"
    tables: dict[str, Any] = {"issuer": {"preset": "generic", "issuer": ISSUER, "audience": "agents", **settings}}
    if store is not None:
        tables["revocation"] = {"store": store}
    path.write_text(json.dumps(tables), "utf-8")
    return str(path)


def read(address: str) -> list[Revocation]:
    async def use() -> list[Revocation]:
        async with following(address) as store:
            return [*store.live.entries(time.time())]

    return asyncio.run(use())


TARGETS = [("--subject", Kind.SUBJECT), ("--session", Kind.SESSION), ("--token-id", Kind.TOKEN)]


@pytest.mark.parametrize(("option", "kind"), TARGETS)
@pytest.mark.parametrize("source", ["file", "option", "variable"])
def test_revocation_reaches_the_store(
    redis_server: RedisServer, tmp_path: Path, option: str, kind: Kind, source: str
) -> None:
    before = time.time()
    named = {
        "file": [configuration(tmp_path, redis_server.address)],
        "option": ["--redis", redis_server.address],
        "variable": [],
    }[source]
    env = {"OIDC_AUTH_REDIS": redis_server.address if source == "variable" else None}
    shown = run("revoke", *named, "--issuer", ISSUER, option, "alice", env=env)
    (found,) = read(redis_server.address)
    assert shown.exit_code == 0
    assert (found.issuer, found.kind, found.value) == (ISSUER, kind, "alice")
    assert before - 1 <= found.time <= time.time() + 1
    assert PASSWORD not in shown.output
    # Without a configuration, a misspelt issuer would revoke nothing.
    assert ("not checked" in shown.stderr) == (source != "file")


def test_json_is_one_object(redis_server: RedisServer, tmp_path: Path) -> None:
    file = configuration(tmp_path, redis_server.address)
    shown = run("revoke", file, "--issuer", ISSUER, "--subject", "alice", "--json")
    (found,) = read(redis_server.address)
    assert json.loads(shown.output) == {"issuer": ISSUER, "kind": "subject", "value": "alice", "time": found.time}
    listed = run("revocations", file, "--json")
    assert json.loads(listed.output) == {"revocations": [json.loads(shown.output)]}
    assert (shown.exit_code, listed.exit_code) == (0, 0)


def test_revocation_includes_aliases(redis_server: RedisServer, tmp_path: Path) -> None:
    alias = "https://login.acme.com"
    file = configuration(tmp_path, redis_server.address, aliases=[alias])
    for name in (ISSUER, alias):
        assert run("revoke", file, "--issuer", name, "--subject", name).exit_code == 0
        assert {each.issuer for each in read(redis_server.address) if each.value == name} == {ISSUER, alias}


def test_revocation_spares_other_tenants(redis_server: RedisServer, tmp_path: Path) -> None:
    tenants = [f"0000000{number}-0000-4000-8000-000000000000" for number in (1, 2)]
    issuers = [f"https://sso.acme.com/{tenant}" for tenant in tenants]
    settings = {"issuer": "https://sso.acme.com/{tenantid}", "tenants": tenants, "tenant": "tid"}
    file = configuration(tmp_path, redis_server.address, **settings)
    shown = run("revoke", file, "--issuer", issuers[0], "--subject", "alice")
    assert shown.exit_code == 0, shown.output
    assert [each.issuer for each in read(redis_server.address)] == issuers[:1]


def test_slow_clock_spares_no_token(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = OffsetClock()
    slow.offset = -600
    now = time.time()
    monkeypatch.setattr("oidc_auth.cli.revoke.wall_clock", slow)
    assert run("revoke", "--redis", redis_server.address, "--issuer", ISSUER, "--subject", "alice").exit_code == 0
    assert read(redis_server.address)[0].time >= now - 1


@pytest.mark.parametrize("given", [[], ["--subject", "a", "--session", "b"], ["--subject", ""]])
def test_exactly_one_target_is_required(redis_server: RedisServer, given: list[str]) -> None:
    shown = run("revoke", "--redis", redis_server.address, "--issuer", ISSUER, *given)
    assert shown.exit_code == 2
    assert redis_server.address not in shown.output


@pytest.mark.parametrize("command", ["revoke", "revocations"])
def test_unknown_issuer_is_refused(redis_server: RedisServer, tmp_path: Path, command: str) -> None:
    target = ["--subject", "alice"] if command == "revoke" else []
    for named in ([], ["--redis", redis_server.address]):
        file = configuration(tmp_path, redis_server.address)
        shown = run(command, file, *named, "--issuer", f"{ISSUER}/", *target)
        assert shown.exit_code == 1
        assert ISSUER in shown.output
        assert PASSWORD not in shown.output


def test_issuer_is_checked_beside_address(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alias = "https://login.acme.com"
    env = {"OIDC_AUTH_CONFIG": configuration(tmp_path, "memory", aliases=[alias])}
    monkeypatch.chdir(tmp_path)
    wrong, right = (
        run("revoke", "--redis", redis_server.address, "--issuer", issuer, "--subject", "alice", env=env)
        for issuer in (f"{ISSUER}/", ISSUER)
    )
    assert (wrong.exit_code, right.exit_code, right.stderr) == (1, 0, "")
    assert {each.issuer for each in read(redis_server.address)} == {ISSUER, alias}


@pytest.mark.parametrize("store", ["memory", None])
@pytest.mark.parametrize("command", ["revoke", "revocations"])
def test_memory_store_is_refused(tmp_path: Path, command: str, store: str | None) -> None:
    target = ["--issuer", ISSUER, "--subject", "alice"] if command == "revoke" else []
    assert run(command, configuration(tmp_path, store), *target).exit_code == 1


@pytest.mark.parametrize("address", ["memory", "", "http://host", f"redis://:{PASSWORD}@host:port", f"{PASSWORD}"])
@pytest.mark.parametrize("command", ["revoke", "revocations"])
def test_invalid_address_is_refused(command: str, address: str) -> None:
    target = ["--issuer", ISSUER, "--subject", "alice"] if command == "revoke" else []
    shown = run(command, "--redis", address, *target)
    assert (shown.exit_code, PASSWORD in shown.output) == (1, False)


@pytest.mark.parametrize("wrong", ["password", "port"])
@pytest.mark.parametrize("command", ["revoke", "revocations"])
def test_unreachable_store_is_an_error(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, command: str, wrong: str
) -> None:
    monkeypatch.setattr("oidc_auth.cli.revoke.LOAD_SECONDS", 0.5)
    address = redis_server.address.replace(PASSWORD, f"{PASSWORD}-old") if wrong == "password" else redis_server.address
    if wrong == "port":
        redis_server.kill()
    target = ["--issuer", ISSUER, "--subject", "alice"] if command == "revoke" else []
    shown = run(command, "--redis", address, *target)
    assert (shown.exit_code, PASSWORD in shown.output) == (1, False)


def test_missing_configuration_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run("revoke", "--issuer", ISSUER, "--subject", "alice")
    assert shown.exit_code == 1


@pytest.mark.parametrize("value", ["x" * (MAX_NAME + 1), "\udcff"])
def test_unreadable_value_is_refused(redis_server: RedisServer, value: str) -> None:
    # Servers would skip such an entry.
    shown = run("revoke", "--redis", redis_server.address, "--issuer", ISSUER, "--subject", value)
    assert shown.exit_code == 1
    assert read(redis_server.address) == []


def test_list_fits_eighty_columns(redis_server: RedisServer) -> None:
    asyncio.run(open_redis(redis_server.address).publish([revoked("u" * 100), revoked("[red]s1", Kind.SESSION)]))
    shown = run("revocations", "--redis", redis_server.address, env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= 80
    assert "[red]s1" in shown.output
    assert "u" * 100 in "".join(part.strip() for line in shown.output.splitlines() for part in line.split("│")[3:4])


def test_control_characters_are_escaped(redis_server: RedisServer) -> None:
    for command in (["revoke", "--issuer", ISSUER, "--subject", "\x1b[31malice"], ["revocations"]):
        shown = run(command[0], "--redis", redis_server.address, *command[1:])
        assert shown.exit_code == 0
        assert "\x1b" not in shown.output
        assert "alice" in shown.output


def test_list_can_name_one_issuer(redis_server: RedisServer) -> None:
    other = Revocation(issuer="https://other.test", kind=Kind.TOKEN, value="t1", time=time.time())
    asyncio.run(open_redis(redis_server.address).publish([revoked("alice"), other]))
    shown = run("revocations", "--redis", redis_server.address, "--issuer", other.issuer, "--json")
    assert [each["value"] for each in json.loads(shown.stdout)["revocations"]] == ["t1"]


def test_command_removes_no_old_entries(redis_server: RedisServer) -> None:
    # It does not know how long the servers keep entries.
    old = OffsetClock()
    old.offset = -30 * DAY
    asyncio.run(open_redis(redis_server.address, clock=old).publish([revoked("alice", at=old())]))
    assert run("revoke", "--redis", redis_server.address, "--issuer", ISSUER, "--subject", "bob").exit_code == 0
    shown = run("revocations", "--redis", redis_server.address, "--json")
    assert {each["value"] for each in json.loads(shown.output)["revocations"]} == {"alice", "bob"}


def test_missing_package_is_named() -> None:
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'redis' else find(name, *a)\n"
        "from oidc_auth.cli import main; main()"
    )
    arguments = ["revoke", "--redis", "redis://127.0.0.1:1", "--issuer", ISSUER, "--subject", "a"]
    shown = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 1
    assert "langgraph-oidc-auth[redis]" in shown.stderr
