"""All commands: help, documentation, output format and the source of the configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values
from kit.command_runner import error_of, run

from oidc_auth.cli.app import app
from oidc_auth.cli.langgraph_json import read_environment

if TYPE_CHECKING:
    from kit.snapshots import Messages

    from oidc_auth.testing import LocalIssuer

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "oidc-auth.toml"
ALICE: dict[str, Any] = {"sub": "alice", "org": "acme", "roles": ["editor"]}


@pytest.mark.parametrize("command", [("check",), ("explain", "--claims", "-"), ("doctor",)])
def test_output_without_terminal_is_plain(command: tuple[str, ...], issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        shown = run(command[0], str(QUICKSTART), *command[1:], given=json.dumps(ALICE), env={"OIDC_ISSUER": url})
    assert len(shown.output) > 100
    assert "\x1b" not in shown.output


@pytest.mark.parametrize("command", [("check",), ("explain", "--claims", "-"), ("doctor",)])
def test_lines_have_no_trailing_spaces(command: tuple[str, ...], issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        shown = run(command[0], str(QUICKSTART), *command[1:], given=json.dumps(ALICE), env={"OIDC_ISSUER": url})
    assert [line for line in shown.output.splitlines() if line != line.rstrip()] == []


def test_terminal_output_is_coloured() -> None:
    assert "\x1b[32mvalid" in run("check", str(QUICKSTART), env={"FORCE_COLOR": "1"}).output


def test_schema_json_is_one_line() -> None:
    printed = run("schema", "--json")
    assert (printed.exit_code, printed.output.count("\n")) == (0, 1)
    assert json.loads(printed.output) == json.loads(run("schema").output)


def test_schema_knows_every_preset() -> None:
    printed = run("schema")
    schema = json.loads(printed.output)
    assert (printed.exit_code, schema["$schema"]) == (0, "https://json-schema.org/draft/2020-12/schema")
    assert {"keycloak", "auth0", "github-actions"} <= set(
        schema["$defs"]["IssuerTable"]["properties"]["preset"]["enum"]
    )


@pytest.mark.parametrize(
    "command", ["init", "check", "explain", "can", "store-label", "doctor", "schema", "provider", "demo"]
)
def test_every_command_documents_exit_status(command: str) -> None:
    shown = run(command, "--help")
    assert (shown.exit_code, "xit code" in " ".join(shown.output.split())) == (0, True)


def test_every_command_is_documented() -> None:
    page = (QUICKSTART.parents[2] / "docs" / "command-line.md").read_text("utf-8")
    assert set(app.commands) == set(re.findall(r"^## (\S+)$", page, re.MULTILINE))
    assert set(app.commands) == {row.split()[0] for row in re.findall(r"^\| `([^`]+)`.*\?", page, re.MULTILINE)}


def keys_in(document: object) -> set[str]:
    """Return the keys of an answer, and those of the tables in its lists."""
    if isinstance(document, list):
        return {key for member in document for key in keys_in(member)}
    if not isinstance(document, dict):
        return set()
    return {*document, *(key for name in ("checks", "findings", "problems") for key in keys_in(document.get(name)))}


def test_every_json_key_is_documented(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[[issuer]]\n", "utf-8")
    claims = (str(QUICKSTART), "--claims", "-", "--json")
    options = ("generic", "--issuer", "https://x.test", "--audience", "a", "--dir", str(tmp_path / "app"), "--json")
    commands = [
        ("check", str(QUICKSTART), "--json"),
        ("check", str(wrong), "--json"),
        ("explain", *claims, "--verbose"),
        ("can", *claims, "threads:read"),
        ("store-label", *claims),
        ("doctor", str(wrong), "--json"),
        ("init", *options),
        ("init", *options, "--dry-run", "--force"),
    ]
    page = (QUICKSTART.parents[2] / "docs" / "command-line.md").read_text("utf-8").partition("## init")[0]
    rows = {line.split("`")[1]: set(line.split("`")[3::2]) for line in page.splitlines() if line.startswith("| `")}
    told: dict[str, set[str]] = {}
    for command in commands:
        answer = json.loads(run(*command, given=json.dumps(ALICE)).output)
        told[command[0]] = told.get(command[0], set()) | keys_in(answer)
    assert told == {name: keys for name, keys in rows.items() if name in told}


ENV_FILE = """\
# the provider
export OIDC_ISSUER="https://sso.acme.test"   # of the company
AUDIENCE = 'agents'
PLAIN=a#b # a remark
ESCAPED="say \\"hi\\""
KEY="-----BEGIN
OIDC_ISSUER=https://evil.test
-----END"
EMPTY=
no assignment
"""


def project(folder: Path, env: object) -> Path:
    """Write a project with a configuration that needs the variables of langgraph.json."""
    (folder / "langgraph.json").write_text(json.dumps({"env": env}), "utf-8")
    (folder / ".env").write_text(ENV_FILE, "utf-8")
    file = folder / "oidc-auth.toml"
    file.write_text('[[issuer]]\npreset = "generic"\nissuer = "${OIDC_ISSUER}"\naudience = "${AUDIENCE}"\n', "utf-8")
    return file


@pytest.mark.parametrize("env", [".env", {"OIDC_ISSUER": "https://sso.acme.test", "AUDIENCE": "agents"}])
def test_langgraph_json_environment_is_used(tmp_path: Path, env: object) -> None:
    file = project(tmp_path, env)
    assert "issuer  https://sso.acme.test, audience agents" in run("check", str(file)).output
    claims = json.dumps({"sub": "a", "scope": "threads:read"})
    assert run("can", str(file), "--claims", "-", "threads:read", given=claims).stdout == "yes\n"
    checks = json.loads(run("doctor", str(file), "--json").output)["checks"]
    assert checks[0] == {"id": "configuration", "status": "ok", "skipped": "", "findings": []}


def test_env_file_is_read_like_server(tmp_path: Path) -> None:
    project(tmp_path, ".env")
    read = read_environment(tmp_path / "langgraph.json")
    assert read == dotenv_values(tmp_path / ".env") | {"KEY": read["KEY"]}
    assert read["KEY"].startswith("-----BEGIN\nOIDC_ISSUER")


@pytest.mark.parametrize("env", [None, "missing.env", ["x"]])
def test_missing_env_leaves_variable_unset(tmp_path: Path, env: object, messages: Messages) -> None:
    refused = run("check", str(project(tmp_path, env)))
    assert refused.exit_code == 1
    messages.check(error_of(refused), {tmp_path: "FOLDER"})


FOUND: dict[str, dict[str, str]] = {
    "environment": {"OIDC_AUTH_ISSUER": "https://x.test", "OIDC_AUTH_AUDIENCE": "agents"},
    "named": {"OIDC_AUTH_CONFIG": "acme.toml"},
    "local": {},
}


@pytest.mark.parametrize("way", sorted(FOUND))
def test_commands_find_file_like_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in {"named": ["acme.toml"], "local": ["oidc-auth.toml"]}.get(way, []):
        Path(name).write_text(
            '[[issuer]]\npreset = "generic"\nissuer = "https://x.test"\naudience = "agents"\n', "utf-8"
        )
    given = json.dumps({"sub": "a", "scope": "threads:read"})
    assert "issuer  https://x.test, audience agents" in run("check", env=FOUND[way]).output
    assert "identity  a" in run("explain", "--claims", "-", given=given, env=FOUND[way]).output
    assert run("can", "--claims", "-", "threads:read", given=given, env=FOUND[way]).stdout == "yes\n"
    assert run("store-label", "--claims", "-", given=given, env=FOUND[way]).exit_code == 0
    checks = json.loads(run("doctor", "--json", env=FOUND[way]).output)["checks"]
    assert checks[0]["status"] == "ok"


def test_missing_configuration_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Messages) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run("check")
    assert refused.exit_code == 1
    messages.check(error_of(refused), {tmp_path: "FOLDER"})
    assert json.loads(run("doctor", "--json").output)["checks"][0]["status"] == "error"


@pytest.mark.parametrize(
    "command", [("assign-owners", "127.0.0.1:9", "--owner-from", "a"), ("doctor", "--url", "127.0.0.1:9")]
)
def test_url_without_scheme_is_usage_error(command: tuple[str, ...], messages: Messages) -> None:
    refused = run(*command)
    assert refused.exit_code == 2
    messages.check(error_of(refused))


def test_invalid_configuration_fails_every_command(tmp_path: Path, messages: Messages) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[[issuer]]\n", "utf-8")
    for command in (["explain"], ["store-label"], ["can", "threads:read"]):
        refused = run(command[0], str(wrong), "--claims", "-", *command[1:], given="{}")
        assert refused.exit_code == 1
        messages.check(error_of(refused), {tmp_path: "FOLDER"})


def test_name_between_colons_is_shown_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "oidc-auth.toml"
    file.write_text('[[issuer]]\npreset = "generic"\nissuer = "https://x.test"\naudience = "urn:id:agents"\n', "utf-8")
    claims = json.dumps({"sub": "a:smile:b", "aud": "urn:id:agents", "groups": ["x:id:y"]})
    shown = run("check", str(file)).output + run("explain", str(file), "--claims", "-", given=claims).output
    assert all(text in shown for text in ("audience urn:id:agents", "identity  a:smile:b", "groups: ['x:id:y']"))
