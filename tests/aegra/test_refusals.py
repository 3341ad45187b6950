"""Aegra servers that must refuse all requests, and servers with a provider and a Redis on the network."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aegra.conftest import configuration_for
from aegra.server import (
    CONFIGURATION,
    HERE,
    REPOSITORY,
    AegraServer,
    running_aegra,
    write_aegra_json,
    write_configuration,
)
from kit.command_runner import run
from kit.doctor import examined, text

from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.introspection import CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kit.postgres_server import PostgresServer
    from kit.redis_server import RedisServer

    Start = Callable[..., Any]

EXAMPLE = REPOSITORY / "examples" / "aegra"
SECONDS = 10.0
UNREACHABLE = "http://127.0.0.1:9"
TOML = "oidc-auth.toml"
REQUESTS = [("GET", "/threads"), ("POST", "/runs/wait"), ("PUT", "/store/items")]
ISSUER = '[[issuer]]\npreset = "generic"\nissuer = "https://a.test"\naudience = "a"\n'
BROKEN: Mapping[str, str | None] = {
    "no file": None,
    "syntax error": "[[issuer]\n",
    "not UTF-8": "\ud800",
    "unknown key": f'{ISSUER}audiance = "a"\n',
    "no issuer": "[roles]\n",
    "missing variable": ISSUER.replace("https://a.test", "${OIDC_AUTH_TEST_MISSING}"),
    "unknown permission": f'{ISSUER}[roles]\na = ["x"]\n',
    "not enforceable": f'{ISSUER}[roles]\na = ["*@all"]\n',
}


@pytest.fixture
def start(aegra_python: Path, postgres: PostgresServer, tmp_path: Path) -> Start:
    """Return a function that starts a server in the folder of the test."""

    @contextmanager
    def running(auth: str, **environ: str) -> Iterator[AegraServer]:
        database = postgres.create_database(f"refusals-{time.monotonic_ns()}")
        with running_aegra(aegra_python, tmp_path, database, environ, auth) as server:
            yield server

    return running


def statuses(server: AegraServer, token: str | None = None) -> set[int]:
    bodies = {"/runs/wait": {"assistant_id": "agent", "input": {}}}
    sent = (server.request(method, path, token, bodies.get(path)) for method, path in REQUESTS)
    return {answer.status_code for answer in sent}


def bearer(issuer: LocalIssuer, name: str = "alice") -> str:
    return issuer.token(name, roles=["administrator"], org="acme")


def test_broken_configuration_refuses_everybody(start: Start, issuer: LocalIssuer, tmp_path: Path) -> None:
    valid = configuration_for(issuer)
    with start("oidc_auth.aegra:auth") as server:
        for name, content in BROKEN.items():
            if content is not None:
                (tmp_path / TOML).write_bytes(content.encode("utf-8", "surrogatepass"))
            assert statuses(server, bearer(issuer)) == {500}, name
        assert statuses(server) == {500}
        # A misspelt name in the right module.
        write_aegra_json(tmp_path, "oidc_auth.aegra:app")
        assert statuses(server, bearer(issuer)) == {500}
        write_aegra_json(tmp_path)
        # The server answers as soon as the operator corrected the file.
        (tmp_path / TOML).unlink()
        (tmp_path / "oidc-auth.json").unlink(missing_ok=True)
        (tmp_path / TOML).write_text(to_toml(valid), "utf-8")
        assert statuses(server) == {401}
        assert server.request("GET", "/threads", bearer(issuer)).status_code == 200
        log = server.log.read_text("utf-8")
    assert "audiance" in log
    assert "OIDC_AUTH_TEST_MISSING" in log
    assert "roles.a: '*@all'" in log
    assert bearer(issuer).rpartition(".")[0] not in log


@pytest.mark.parametrize("path", ["oidc_auth:auth", "oidc_auth.agra:auth"])
def test_wrong_path_in_package_refuses_everybody(start: Start, issuer: LocalIssuer, tmp_path: Path, path: str) -> None:
    write_configuration(tmp_path, configuration_for(issuer))
    with start(path, OIDC_AUTH_CONFIG=CONFIGURATION) as server:
        assert statuses(server) == statuses(server, bearer(issuer)) == {500}
        assert "oidc_auth.aegra:auth" in server.log.read_text("utf-8")


def test_entry_in_graph_stops_broken_server(start: Start, tmp_path: Path) -> None:
    """Aegra imports the graphs at start, and the hook with the first request."""
    write_aegra_json(tmp_path)
    graph = (HERE / "graph.py").read_text("utf-8")
    (tmp_path / "graph.py").write_text(f"{graph}\nfrom oidc_auth.aegra import auth\n", "utf-8")
    (tmp_path / TOML).write_text(BROKEN["unknown key"] or "", "utf-8")
    with pytest.raises(AssertionError, match="audiance"), start(""):
        pass


def to_toml(tables: Mapping[str, Any]) -> str:
    """Return a configuration with the first issuer and the roles that the test needs."""
    issuer = {key: tables["issuer"][key] for key in ("preset", "issuer", "audience", "tenant", "jwks")}
    lines = [f"{key} = {inline(value)}" for key, value in issuer.items()]
    values = 'values = { administrator = ["*"] }'
    return "\n".join(["[[issuer]]", *lines, "[[issuer.permission_map]]", 'claim = "roles"', values])


def inline(value: Any) -> str:
    """Return a JSON value in TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {inline(member)}" for key, member in value.items()) + " }"
    return f"[{', '.join(map(inline, value))}]" if isinstance(value, list) else json.dumps(value)


def test_entry_of_langgraph_servers_refuses_everybody(start: Start, issuer: LocalIssuer, tmp_path: Path) -> None:
    write_configuration(tmp_path, configuration_for(issuer))
    with start("oidc_auth.langgraph:auth", OIDC_AUTH_CONFIG=CONFIGURATION) as server:
        assert statuses(server) == statuses(server, bearer(issuer)) == {401}
        assert "oidc_auth.aegra:auth" in server.request("GET", "/threads", bearer(issuer)).json()["message"]


def test_misspelt_module_is_found_by_doctor(start: Start, issuer: LocalIssuer, tmp_path: Path) -> None:
    """Aegra serves all users as anonymous if auth.path names no module. No library can refuse them."""
    write_configuration(tmp_path, configuration_for(issuer))
    with start("oidc_auth_aegra:auth", OIDC_AUTH_CONFIG=CONFIGURATION) as server:
        assert server.request("GET", "/threads").json() == {"threads": [], "total": 0}
        checks = examined(tmp_path / CONFIGURATION, "--url", server.url)
    assert checks["anonymous-denied"]["status"] == "error"
    assert "found 200" in text(checks["anonymous-denied"])


def test_refusals_of_network_services_reach_clients(start: Start, tmp_path: Path, redis_server: RedisServer) -> None:
    """The keys, the answers about tokens and the revocations come from the network, after the start of the server."""
    provider = LocalIssuer(algorithm="ES256")
    with provider.served() as url:
        tables = configuration_for(provider, revocation={"store": redis_server.address})
        del tables["issuer"]["jwks"]
        tables["issuer"] |= {"issuer": url, "introspection": introspection(), "identity_prefix": ""}
        tables["issuer"] = [tables["issuer"], {**tables["issuer"], "issuer": UNREACHABLE, "identity_prefix": "u:"}]
        write_configuration(tmp_path, tables)
        with start("oidc_auth.aegra:auth", OIDC_AUTH_CONFIG=CONFIGURATION) as server:
            alice, bob, carol = (bearer(provider, name) for name in ("alice", "bob", "carol"))
            provider.revoke(carol)
            assert [server.request("GET", "/threads", token).status_code for token in (alice, bob)] == [200, 200]
            refused = {"inactive": server.request("GET", "/threads", carol)}
            target = ("--issuer", url, "--subject", "alice", "--redis", redis_server.address)
            assert run("revoke", *target).exit_code == 0
            refused["revoked"] = wait_for_refusal(server, alice)
            refused["unreachable"] = server.request(
                "GET", "/threads", bearer(LocalIssuer(UNREACHABLE, algorithm="ES256"))
            )
            assert server.request("GET", "/threads", bob).status_code == 200
    # Aegra answers each refusal of the hook with 401.
    codes = {name: (answer.status_code, answer.json()["message"]) for name, answer in refused.items()}
    assert {name: (status, message.partition(":")[0]) for name, (status, message) in codes.items()} == {
        "inactive": (401, "token_inactive"),
        "revoked": (401, "token_revoked"),
        "unreachable": (401, "keys_unavailable"),
    }


def introspection() -> dict[str, Any]:
    client, secret = CLIENT
    return {"mode": "always", "client_id": client, "client_secret": secret}


def wait_for_refusal(server: AegraServer, token: str) -> Any:
    end = time.monotonic() + SECONDS
    while (answer := server.request("GET", "/threads", token)).status_code == 200:
        assert time.monotonic() < end, "the revocation had no effect"
        time.sleep(0.05)
    return answer


def test_example_starts_denies_and_allows(start: Start, tmp_path: Path) -> None:
    for file in EXAMPLE.iterdir():
        shutil.copy(file, tmp_path)
    provider = LocalIssuer(algorithm="ES256")
    with provider.served() as url, start("", OIDC_ISSUER=url) as server:
        tokens = [None, *(provider.token("alice", roles=[role], org="acme") for role in ("editor", "viewer"))]
        made = [server.request("POST", "/threads", token, {}).status_code for token in tokens]
        ran = server.request("POST", "/runs/wait", tokens[1], {"assistant_id": "agent", "input": {"text": "hi"}}).json()
        checks = examined_example(url, tmp_path / TOML, server)
    assert (made, ran["answer"]) == ([401, 200, 403], "acme/alice said hi")
    assert {checks[name]["status"] for name in ("auth-hook-configured", "aegra-settings", "anonymous-denied")} == {"ok"}


def examined_example(issuer: str, file: Path, server: AegraServer) -> dict[str, Any]:
    done = run("doctor", str(file), "--url", server.url, "--json", env={"OIDC_ISSUER": issuer})
    return {check["id"]: check for check in json.loads(done.output)["checks"]}
