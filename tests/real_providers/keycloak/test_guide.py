"""The commands of the Keycloak guide run unchanged except for the ports, and its sample token is real."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from real_providers.keycloak.guide import GUIDE, blocks
from real_providers.keycloak.process import EXAMPLE, SCRIPT
from real_providers.keycloak.realm import Realm, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from real_providers.keycloak.process import KeycloakProcess

ROOT = Path(__file__).parents[3]
SERVER_WITHIN = 60.0


def version() -> str:
    (version,) = re.findall(r"^version=(.*)$", SCRIPT.read_text("utf-8"), re.MULTILINE)
    return str(version)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Terminal:
    """Runs the commands of the guide in a copy of the examples, with other ports."""

    def __init__(self, folder: Path, keycloak_port: int) -> None:
        shutil.copytree(EXAMPLE, folder / "examples" / "keycloak", ignore=shutil.ignore_patterns(".langgraph_api"))
        self.folder = folder
        self.server_port = free_port()
        self._ports = {"8080": str(keycloak_port), "2024": str(self.server_port)}
        # The commands come from the environment of the tests, also if it is not activated.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environment = {**os.environ, "PATH": path, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}
        # Lines of explain are longer than the default width of 80.
        self.environment = {**environment, "COLUMNS": "200"}

    def command(self, block: str) -> list[str]:
        """Return the command that runs a block. The first command that fails ends it."""
        for written, port in self._ports.items():
            block = re.sub(rf"\b{written}\b", port, block)
        return ["bash", "-euo", "pipefail", "-c", block]

    def run(self, block: str) -> str:
        """Run a block to its end, and return its output."""
        done = subprocess.run(  # noqa: S603 - the guide's own commands
            self.command(block),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serving(self, block: str) -> Iterator[None]:
        """Run a block that starts a server, within the context."""
        log = self.folder / "server.log"
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603 - the same
                self.command(block),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(server, log)
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(10)

    def _wait(self, server: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + SERVER_WITHIN
        while time.monotonic() < deadline:
            try:
                server.wait(0.2)
            except subprocess.TimeoutExpired:
                try:
                    if httpx.get(f"http://127.0.0.1:{self.server_port}/ok", timeout=1).is_success:
                        return
                except httpx.HTTPError:
                    continue
            else:
                break
        pytest.fail(log.read_text("utf-8", "replace"))


def test_guide_commands_lead_to_first_200(keycloak: KeycloakProcess, tmp_path: Path) -> None:
    first, second, third, fourth = blocks("bash")
    # The first command started Keycloak at the beginning of the session.
    assert first.strip() == str(SCRIPT.relative_to(ROOT))
    terminal = Terminal(tmp_path, keycloak.port)
    with terminal.serving(second):
        answers = terminal.run(third)
        explained, _, looked_at = terminal.run(third.partition("curl -i")[0] + fourth).partition(
            "ok       configuration: "
        )
    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["401", "200", "403"]
    assert '"owner":"00000000-0000-4000-8000-000000000001"' in answers
    assert "threads:create" in answers
    assert "resource_access.langgraph-api.roles: 'threads:read': grants threads:read" in explained
    assert "identity 00000000-0000-4000-8000-000000000001; allowed: threads:search" in looked_at


def test_guide_sample_token_matches_real_token(realm: Realm) -> None:
    (sample,) = [json.loads(block) for block in blocks("json")]
    claims = decoded(realm.login("alice")["access_token"])[1]
    assert set(sample) == set(claims)
    for name in ("sub", "typ", "azp", "groups", "preferred_username"):
        assert sample[name] == claims[name]
    # Keycloak writes these claims in any order.
    assert set(sample["aud"]) == set(claims["aud"])
    assert set(sample["scope"].split()) == set(claims["scope"].split())
    assert set(sample["realm_access"]["roles"]) == set(claims["realm_access"]["roles"])
    assert sample["exp"] - sample["iat"] == claims["exp"] - claims["iat"]


def test_guide_shows_example_configuration() -> None:
    shown = tomllib.loads(blocks("toml")[0])
    kept = tomllib.loads((EXAMPLE / "oidc-auth.toml").read_text("utf-8"))
    shown["issuer"][0]["url"] = kept["issuer"][0]["url"]
    assert shown == kept


def test_compose_file_and_script_share_version() -> None:
    assert f"image: quay.io/keycloak/keycloak:{version()}\n" in (EXAMPLE / "compose.yaml").read_text("utf-8")
    assert f"Keycloak {version()}" in GUIDE.read_text("utf-8")


def test_wrong_checksum_download_is_removed(tmp_path: Path) -> None:
    tools, cache = tmp_path / "tools", tmp_path / "cache"
    tools.mkdir()
    # A Maven server that always sends another file.
    fetched = 'for word; do case $word in -DoutputDirectory=*) echo no >"${word#*=}/keycloak-quarkus-dist-'
    for name, script in {"java": "", "mvn": f'{fetched}{version()}.tar.gz"; esac; done'}.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (tools / name).chmod(0o755)
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "OIDC_AUTH_CACHE": str(cache)}
    done = subprocess.run(  # noqa: S603 - our own script
        [SCRIPT, "prepare"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "checksum" in done.stderr) == (1, True)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
