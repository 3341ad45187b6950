"""Configurations for ``oidc-auth doctor``, and its result."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from oidc_auth.testing.signing import SigningKey

from .command_runner import run

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from click.testing import Result

GRANT = '[[issuer.permission_map]]\nclaim = "roles"\nvalues = { editor = ["threads:write"] }\n'
RSA = SigningKey.make("rsa", "RS256").jwk()
JWK = json.dumps(RSA).replace('": ', '" = ')


def run_doctor(*arguments: str, token: str = "") -> Result:
    """Run ``oidc-auth doctor``."""
    return run("doctor", *arguments, env={"OIDC_AUTH_TOKEN": token, "OIDC_ISSUER": os.environ.get("OIDC_ISSUER")})


def write_configuration(folder: Path, issuer: str, more: str = "", *, limits: str = "") -> Path:
    """Write a configuration with one issuer."""
    file = folder / "oidc-auth.toml"
    file.write_text(f'[[issuer]]\nissuer = "{issuer}"\naudience = "agents"\n{more}\n{GRANT}{limits}', "utf-8")
    return file


def examined(file: Path, *options: str, token: str = "") -> dict[str, dict[str, Any]]:
    """Return the result of each check by its ID. The exit code must agree with it."""
    done = run_doctor(str(file), *options, "--json", token=token)
    checks = {check["id"]: check for check in json.loads(done.output)["checks"]}
    assert done.exit_code == int(any(check["status"] == "error" for check in checks.values())), done.output
    return checks


def text(entry: dict[str, Any]) -> str:
    """Return the findings of a check."""
    return " ".join(f"{found['what']} -> {found['hint']}" for found in entry["findings"])


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    """Serve a handler on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
