"""The module in langgraph.json: its configuration is used, and its errors are reported."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import error_of, run

if TYPE_CHECKING:
    from pathlib import Path

    from kit.snapshots import Messages

PRESET = 'presets.keycloak("https://sso.acme.com/realms/acme", audience="agents")'
MODULE = f"""\
from oidc_auth import presets
from oidc_auth.langgraph import protect

auth = protect({PRESET})
"""
CLAIMS = json.dumps({"sub": "alice", "aud": "agents", "exp": 2**33, "scope": "threads:read"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a langgraph.json that names ./auth.py."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "./auth.py:auth")
    return tmp_path


def write(folder: Path, path: str, **more: Any) -> None:
    hook = {"path": path, "disable_studio_auth": True}
    (folder / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "auth": hook, **more}), "utf-8")


def hook_check() -> dict[str, Any]:
    checks: dict[str, dict[str, Any]] = {
        check["id"]: check for check in json.loads(run("doctor", "--json").stdout)["checks"]
    }
    return {**checks["auth-hook-configured"], "configuration": checks["configuration"]}


def finding() -> str:
    (found,) = hook_check()["findings"]
    return f"{found['what']} -> {found['hint']}"


@pytest.mark.usefixtures("project")
def test_module_configuration_is_used(project: Path) -> None:
    (project / "auth.py").write_text(MODULE, "utf-8")
    described = json.loads(run("check", "--json").stdout)
    assert (described["valid"], described["issuers"]) == (True, ["https://sso.acme.com/realms/acme"])
    assert run("can", "--claims", "-", "threads:read", given=CLAIMS).stdout == "yes\n"
    assert run("store-label", "--claims", "-", given=CLAIMS).exit_code == 0
    assert json.loads(run("explain", "--claims", "-", "--json", given=CLAIMS).stdout)["identity"] == "alice"
    entry = hook_check()
    assert (entry["status"], entry["configuration"]["status"]) == ("ok", "ok")


def test_module_wins_over_local_file(project: Path) -> None:
    (project / "auth.py").write_text(MODULE, "utf-8")
    other = '[[issuer]]\npreset = "generic"\nissuer = "https://other.test"\naudience = "a"\n'
    (project / "oidc-auth.toml").write_text(other, "utf-8")
    assert json.loads(run("check", "--json").stdout)["issuers"] == ["https://sso.acme.com/realms/acme"]
    assert json.loads(run("check", "oidc-auth.toml", "--json").stdout)["issuers"] == ["https://other.test"]


def test_authenticate_hook_configuration_is_used(project: Path) -> None:
    text = f"""\
from langgraph_sdk import Auth
from oidc_auth import OIDCAuth, presets
from oidc_auth.langgraph import authenticate_hook

auth = Auth()
auth.authenticate(authenticate_hook(OIDCAuth.from_dict({{"issuer": {PRESET}}})))
"""
    (project / "auth.py").write_text(text, "utf-8")
    assert json.loads(run("check", "--json").stdout)["issuers"] == ["https://sso.acme.com/realms/acme"]


def test_module_gets_environment_and_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "./src/hook_module.py:auth", dependencies=["./src"], env={"REALM": "https://env.test/realms/a"})
    (project / "src").mkdir()
    (project / "src" / "hook_settings.py").write_text("import os\nREALM = os.environ['REALM']\n", "utf-8")
    text = MODULE.replace('"https://sso.acme.com/realms/acme"', "REALM")
    (project / "src" / "hook_module.py").write_text(f"from hook_settings import REALM\nprint('noise')\n{text}", "utf-8")
    before, path = dict(os.environ), [*sys.path]
    described = json.loads(run("check", "--json").stdout)
    assert described["issuers"] == ["https://env.test/realms/a"]
    assert (dict(os.environ), sys.path) == (before, path)


def test_module_configuration_error_is_reported(project: Path) -> None:
    (project / "auth.py").write_text(MODULE.replace('"agents")', '"agents", audiance="x")'), "utf-8")
    refused = run("check")
    assert refused.exit_code == 1
    assert "audiance" in refused.output
    assert hook_check()["status"] == "error"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("import os\nos.environ['KEYCLOAK_URL']\n", ["KeyError", "auth.py, line 2", "KEYCLOAK_URL"]),
        ("import missing_package.part\n", ["ModuleNotFoundError", "missing_package"]),
        ("open('nowhere.txt')\n", ["FileNotFoundError", "auth.py, line 1"]),
        ("raise SystemExit('stopped')\n", ["SystemExit", "stopped"]),
        ("def (\n", ["SyntaxError"]),
        ("other = 1\n", ["auth", "none"]),
        ("auth = 1\n", ["a int", "protect("]),
        ("from langgraph_sdk import Auth\nauht = Auth()\n", ["'auht'"]),
    ],
)
def test_broken_module_is_explained(project: Path, text: str, parts: list[str]) -> None:
    (project / "auth.py").write_text(text, "utf-8")
    checked = run("check")
    told = finding()
    assert checked.exit_code == 1
    assert [part for part in parts if part not in told or part not in checked.output] == []
    assert hook_check()["status"] == "error"


@pytest.mark.parametrize(
    "path",
    [
        "./atuh.py:auth",
        "./src/auth.py:auth",
        "oidc_auth.langgraf:auth",
        "oidc_auth.langgraph:atuh",
        "qqq:z",
        "auth.py",
    ],
)
def test_wrong_hook_path_gets_suggestion(project: Path, path: str, messages: Messages) -> None:
    (project / "auth.py").write_text(MODULE, "utf-8")
    write(project, path)
    messages.check(finding(), {project: "FOLDER"})
    assert hook_check()["status"] == "error"
    assert run("check").exit_code == 1


def test_installed_module_is_preferred_like_server(project: Path, messages: Messages) -> None:
    (project / "tabnanny.py").write_text(MODULE, "utf-8")
    write(project, "tabnanny:auth")
    messages.check(finding(), {project: "FOLDER"})


def test_hook_without_this_library_is_noted(project: Path, messages: Messages) -> None:
    (project / "auth.py").write_text("from langgraph_sdk import Auth\nauth = Auth()\n", "utf-8")
    messages.check(finding())
    assert hook_check()["status"] == "info"
    # The configuration is then that of a server without a hook.
    refused = run("check")
    assert refused.exit_code == 1
    messages.check(error_of(refused), {project: "FOLDER"})


def test_javascript_hook_is_not_imported(project: Path) -> None:
    write(project, "./auth.mts:auth")
    assert hook_check()["status"] == "info"
