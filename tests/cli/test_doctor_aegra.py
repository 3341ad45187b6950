"""``oidc-auth doctor``: a deployment of Aegra."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
from kit.doctor import examined, serving, text

if TYPE_CHECKING:
    from pathlib import Path

    from kit.snapshots import Messages

ENTRY = "oidc_auth.aegra:auth"
OF_LANGGRAPH = ("studio-disabled", "langsmith-keys", "mount-prefix", "token-not-copied", "library-included")


def deployment(folder: Path, roles: str = "", name: str = "aegra.json", **document: Any) -> Path:
    """Write a configuration with inline keys, and the file of the server. Return the configuration."""
    document = {"graphs": {}, "auth": {"path": ENTRY}, **document}
    (folder / name).write_text(json.dumps(document), "utf-8")
    file = folder / "oidc-auth.toml"
    issuer = '[[issuer]]\npreset = "generic"\nissuer = "http://127.0.0.1:9"\naudience = "agents"\ntenant = "org"\n'
    file.write_text(f"{issuer}{roles}", "utf-8")
    return file


def test_aegra_deployment_is_recognized(tmp_path: Path) -> None:
    checks = examined(deployment(tmp_path))
    assert (checks["auth-hook-configured"]["status"], checks["aegra-settings"]["status"]) == ("ok", "ok")
    assert {checks[name]["status"] for name in OF_LANGGRAPH} == {"skipped"}


def test_langgraph_json_can_be_of_aegra(tmp_path: Path) -> None:
    checks = examined(deployment(tmp_path, name="langgraph.json"))
    assert (checks["auth-hook-configured"]["status"], checks["aegra-settings"]["status"]) == ("ok", "ok")


def test_unsupported_setting_is_an_error(tmp_path: Path, messages: Messages) -> None:
    roles = '[roles]\nadmin = ["*@tenant"]\nroot = ["*@all"]\n[langgraph]\nresume = "other"\n'
    checks = examined(deployment(tmp_path, roles))
    assert checks["aegra-settings"]["status"] == "error"
    assert len(checks["aegra-settings"]["findings"]) == 3
    messages.check(text(checks["aegra-settings"]))


@pytest.mark.parametrize("auth", [{}, {"path": "oidc_auth.langgraph:auth"}])
def test_other_hook_is_an_error(tmp_path: Path, auth: dict[str, str]) -> None:
    entry = examined(deployment(tmp_path, auth=auth))["auth-hook-configured"]
    assert (entry["status"], ENTRY in text(entry)) == ("error", True)


@pytest.mark.parametrize("path", ["oidc_auth.aegra", "nothing:auth"])
def test_hint_names_hook_of_aegra(tmp_path: Path, path: str) -> None:
    hook = examined(deployment(tmp_path, auth={"path": path}))["auth-hook-configured"]
    assert (hook["status"], ENTRY in text(hook), "oidc_auth.langgraph" in text(hook)) == ("error", True, False)


@pytest.mark.parametrize("path", ["oidc_auth:auth", "oidc_auth.aegra:app", "oidc_auth_aegra:auth"])
def test_misspelt_hook_is_an_error(tmp_path: Path, path: str) -> None:
    assert examined(deployment(tmp_path, auth={"path": path}))["auth-hook-configured"]["status"] == "error"


def test_custom_routes_need_authentication(tmp_path: Path) -> None:
    http = {"app": "./routes.py:app"}
    assert examined(deployment(tmp_path, http=http))["custom-routes"]["status"] == "error"
    http_with_auth = {**http, "enable_custom_route_auth": True}
    assert examined(deployment(tmp_path, http=http_with_auth))["custom-routes"]["status"] == "ok"


def test_langgraph_deployment_skips_check_of_aegra(tmp_path: Path) -> None:
    file = deployment(tmp_path, name="langgraph.json", auth={"path": "oidc_auth.langgraph:auth"})
    assert examined(file)["aegra-settings"]["status"] == "skipped"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("0.11.0", "ok"),
        ("0.11.7", "ok"),
        ("0.10.9", "warning"),
        ("0.12.0", "warning"),
        ("1.0", "warning"),
        ("unreadable", "warning"),
    ],
)
def test_untested_version_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, status: str
) -> None:
    metadata = tmp_path / "site" / f"aegra_api-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: aegra-api\nVersion: {version}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    entry = examined(deployment(tmp_path))["aegra-version"]
    assert (entry["status"], version in text(entry)) == (status, status == "warning")


def refusing(status: int, body: Any) -> type[BaseHTTPRequestHandler]:
    """Return a server that answers all requests in the same way, without WWW-Authenticate."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Print nothing."""

    return Handler


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": "unauthorized", "message": "token_missing: none"}, "ok"),
        (401, {"error": "unauthorized", "message": "Authentication system error"}, "error"),
        (401, ["token_missing: x"], "error"),
        (200, {"threads": []}, "error"),
        (500, {"error": "internal_error", "message": "An unexpected error occurred"}, "error"),
    ],
)
def test_anonymous_aegra_server_is_an_error(tmp_path: Path, status: int, body: Any, expected: str) -> None:
    with serving(refusing(status, body)) as url:
        checks = examined(deployment(tmp_path), "--url", url)
    assert checks["anonymous-denied"]["status"] == expected
