"""Outputs of commands that pages show: each is what the command prints now."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from oidc_auth.cli.app import app
from oidc_auth.testing import LocalIssuer, assert_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).parent
QUICKSTART = "examples/quickstart/oidc-auth.toml"
ALICE = '{"sub": "alice", "org": "acme", "roles": ["viewer", "Editor"], "groups": ["agents-admins"]}'
PORT = re.compile(r"(http://127\.0\.0\.1):\d{5}")


def _ran(command: str, given: str = "", **environ: str) -> str:
    """Return a command's line and what it prints, as in a terminal of 80 columns."""
    fixed = {"COLUMNS": "80", "OIDC_ISSUER": "https://issuer.test", "OIDC_AUTH_TOKEN": ""}
    words = shlex.split(command)
    with contextlib.chdir(FOLDER.parent):
        printed = CliRunner().invoke(app, words[1:], input=given, env={**fixed, **environ}).output
    shown = f"$ {command}" if not given else f"$ echo '{given}' | {command}"
    return "\n".join(line.rstrip() for line in PORT.sub(r"\1:38080", f"{shown}\n{printed}").splitlines())


def _init() -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = "oidc-auth init keycloak --url https://sso.acme.com/realms/acme --audience agents --dir my-agent"
        return _ran(command.replace("my-agent", f"{folder}/my-agent")).replace(f"{folder}/", "")


def _doctor() -> str:
    issuer = LocalIssuer(algorithm="ES256")
    with tempfile.TemporaryDirectory() as folder, issuer.served() as url:
        toml = f'[[issuer]]\npreset = "generic"\nissuer = "{url}/"\naudience = "agents"\n'
        (Path(folder) / "oidc-auth.toml").write_text(toml, encoding="utf-8")
        hook = {"path": "oidc_auth.langgraph:auth"}
        (Path(folder) / "langgraph.json").write_text(
            json.dumps({"dependencies": [".", "langgraph-oidc-auth"], "auth": hook}), encoding="utf-8"
        )
        return _ran(f"oidc-auth doctor {folder}/oidc-auth.toml").replace(f"{folder}/", "")


def _matrix() -> str:
    config = tomllib.loads((FOLDER.parent / QUICKSTART).read_text("utf-8"))
    config["issuer"][0]["issuer"] = "https://issuer.test"
    config["roles"]["viewer"] = ["threads:write", "assistants:read", "store:read"]
    page = (FOLDER / "testing.md").read_text("utf-8")
    table = page.partition('TABLE = """')[2].partition('"""')[0]
    people = {name: {"roles": [name], "org": "acme"} for name in ("viewer", "editor", "admin")}
    try:
        assert_matrix(config, table, people)
    except AssertionError as failure:
        return str(failure).replace("of mapping", "of oidc-auth.toml")
    return "nothing differs"


SCREENS: Mapping[str, Callable[[], str]] = {
    "init": _init,
    "check": lambda: _ran(f"oidc-auth check {QUICKSTART}"),
    "explain": lambda: _ran(f"oidc-auth explain {QUICKSTART} --claims -", ALICE),
    "can": lambda: _ran(f"oidc-auth can {QUICKSTART} --claims - threads:delete", ALICE),
    "can-json": lambda: _ran(f"oidc-auth can {QUICKSTART} --claims - threads:read@tenant --json", ALICE),
    "namespace": lambda: _ran(f"oidc-auth store-label {QUICKSTART} --claims -", ALICE),
    "doctor": _doctor,
    "matrix": _matrix,
}
