"""The command line: what it says, how it ends, and that it prints no token."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from dotenv import dotenv_values

from oidc_auth import store_label
from oidc_auth.cli.app import app
from oidc_auth.cli.langgraph_json import read_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.testing import LocalIssuer

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart" / "oidc-auth.toml"
ALICE: dict[str, Any] = {"sub": "alice", "org": "acme", "roles": ["editor"]}


def run(*arguments: str, given: str | None = None, env: Mapping[str, str] | None = None) -> Result:
    environ = {"OIDC_ISSUER": "https://issuer.test", **(env or {})}
    return CliRunner().invoke(app, arguments, input=given, env=environ)


def test_check_shows_permissions_of_each_role() -> None:
    shown = run("check", str(QUICKSTART))
    assert shown.exit_code == 0
    lines = {line.split("│")[1].strip(): line for line in shown.output.splitlines() if line.count("│") > 2}
    assert [cell.strip() for cell in lines["threads:create"].split("│")[2:7]] == ["own", "-", "tenant", "-", "-"]
    assert "issuer  https://issuer.test, audience agents" in shown.output


def test_check_lists_exact_issuers(tmp_path: Path) -> None:
    file = tmp_path / "entra.toml"
    tenant = "8d5f2a3e-0000-4000-8000-000000000001"
    file.write_text(f'[[issuer]]\npreset = "entra"\ntenants = "{tenant}"\naudience = "a"\n', "utf-8")
    issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
    assert json.loads(run("check", str(file), "--json").output)["issuers"] == [issuer]
    assert f"issuer  {issuer}, audience a" in run("check", str(file)).output


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


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_wide_table_keeps_permission_names(tmp_path: Path, columns: int) -> None:
    roles = [f"a-role-with-a-long-name-{number}" for number in range(10)]
    file = tmp_path / "oidc-auth.toml"
    permission_maps = f'[[issuer.permission_map]]\nclaim = "roles"\nvalues = {{ all = {json.dumps(roles)} }}\n'
    given = "".join(f'{role} = ["threads:{"read" if role.endswith("3") else "write"}"]\n' for role in roles)
    file.write_text(
        f'[[issuer]]\nissuer = "https://x.test"\naudience = "a"\n{permission_maps}[roles]\n{given}', "utf-8"
    )
    lines = run("check", str(file), env={"COLUMNS": str(columns)}).output.splitlines()
    cells = [cell.strip() for line in lines if line.startswith("│ threads:create ") for cell in line.split("│")[2:-1]]
    headings = [cell.strip() for line in lines if line.startswith("┃") for cell in line.split("┃")[2:-1]]
    assert (headings, cells) == (roles, ["own", "own", "own", "-", *["own"] * 6])
    assert max(len(line) for line in lines if line.startswith("│")) <= columns


def test_wildcard_is_shown_with_expansion() -> None:
    assert "every permission: all 21" in run("check", str(QUICKSTART)).output


def test_bracketed_names_are_shown_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "[bold]oidc.toml"
    issuer = '[[issuer]]\npreset = "generic"\nissuer = "https://x.test"\naudience = "[/a]"\n'
    file.write_text(f'{issuer}[roles]\n"[/x]" = ["threads:read"]\n', "utf-8")
    shown = run("check", str(file))
    assert shown.exit_code == 0
    assert all(name in shown.output for name in (file.name, "audience [/a]", "[/x]"))


def test_check_prints_json() -> None:
    described = json.loads(run("check", str(QUICKSTART), "--json").output)
    assert (described["valid"], described["issuers"]) == (True, ["https://issuer.test"])
    assert described["roles"]["robot"] == ["threads:create_run", "threads:read", "threads:search"]


def test_check_shows_wildcards_accepted_names_and_graphs(tmp_path: Path) -> None:
    file = tmp_path / "wild.toml"
    permission_maps = (
        '[[issuer.permission_map]]\nclaim = "scope"\naccept = ["threads:*"]\n'
        '[[issuer.permission_map]]\nclaim = "groups"\nvalues = { ops = ["*:read@all"], docs = ["docs"] }\n'
    )
    roles = '[roles]\ndocs = { permissions = ["threads:create_run"], graphs = ["faq"] }\n'
    file.write_text(f'[[issuer]]\nissuer = "https://x.test"\naudience = "a"\n{permission_maps}{roles}', "utf-8")
    described = json.loads(run("check", str(file), "--json").output)
    assert described["accepted"] == {"scope": ["threads:*"]}
    assert described["graphs"] == {"docs": ["faq"]}
    assert set(described["wildcards"]) == {"*:read@all", "threads:*"}
    assert "store:read@all" in described["wildcards"]["*:read@all"]
    assert "crons:search@all" in described["values"]["groups = ops"]
    assert "groups = docs" not in described["values"]
    shown = run("check", str(file)).output
    assert all(text in shown for text in ("accepts scope: threads:*", "starts faq only", "groups = ops", "*:read@all"))


def test_check_of_invalid_file_exits_with_one(tmp_path: Path) -> None:
    wrong = tmp_path / "oidc-auth.toml"
    wrong.write_text('[[issuer]]\nisuer = "https://x.test"\naudiance = "a"\n', "utf-8")
    refused = run("check", str(wrong))
    assert refused.exit_code == 1
    assert "issuer[0].audiance: unknown key (did you mean 'audience'?)" in refused.output
    problems = json.loads(run("check", str(wrong), "--json").output)["problems"]
    assert {"where": "issuer[0].isuer", "message": "unknown key", "hint": "did you mean 'issuer'?"} in problems


def test_check_warns_of_dangerous_settings(tmp_path: Path) -> None:
    file = tmp_path / "open.toml"
    text = '[[issuer]]\npreset = "generic"\nissuer = "https://x.test"\ninsecure_skip_audience = true\n'
    file.write_text(text, "utf-8")
    shown = run("check", str(file))
    assert (shown.exit_code, "warning issuer[0]: insecure_skip_audience" in shown.output) == (0, True)


@pytest.mark.parametrize(
    ("claims", "code"), [(ALICE, 0), ({**ALICE, "roles": ["Editor"]}, 1), ({"roles": ["editor"]}, 1)]
)
def test_explain_without_permissions_exits_with_one(claims: dict[str, Any], code: int) -> None:
    explained = run("explain", str(QUICKSTART), "--claims", "-", given=json.dumps(claims))
    assert explained.exit_code == code
    assert ("REFUSED" in explained.output) == bool(code)
    assert "claims only" in explained.output


def test_explain_prints_json() -> None:
    explained = run("explain", str(QUICKSTART), "--claims", "-", "--json", given=json.dumps(ALICE))
    described = json.loads(explained.output)
    assert (described["identity"], described["tenant"], described["graphs"]) == ("alice", "acme", None)
    assert "threads:write" in described["permissions"]
    passed = {"code": "token_use_not_allowed", "name": "token use allowed", "outcome": "passed", "detail": ""}
    assert passed in described["checks"]
    assert "signature_invalid" not in [check["code"] for check in described["checks"]]
    assert "not_run" not in described


@pytest.mark.parametrize("as_json", [True, False])
def test_verbose_explain_names_checks_not_run(*, as_json: bool) -> None:
    options = ["--claims", "-", "--verbose", *(["--json"] if as_json else [])]
    output = run("explain", str(QUICKSTART), *options, given=json.dumps(ALICE)).output
    assert ("signature valid" in json.loads(output)["not_run"]) if as_json else "not run   one credential" in output


@pytest.mark.parametrize("way", ["file", "stdin", "variable"])
def test_explain_verifies_token_without_printing_it(tmp_path: Path, issuer: LocalIssuer, way: str) -> None:
    with issuer.served() as url:
        token = issuer.token(roles=["editor"], org="acme")
        (tmp_path / "token").write_text(f"Bearer {token}\n", "utf-8")
        options = {"file": ["--token-file", str(tmp_path / "token")], "stdin": ["--token-file", "-"], "variable": []}
        environ = {"OIDC_ISSUER": url, "OIDC_AUTH_TOKEN": token if way == "variable" else ""}
        explained = run("explain", str(QUICKSTART), *options[way], given=token, env=environ)
    assert explained.exit_code == 0, explained.output
    assert "identity  alice" in explained.output
    assert "signature valid" in explained.output
    assert "not run" not in explained.output
    assert not any(part in explained.output for part in token.split("."))


def test_rejected_token_shows_expected_found_and_hint(issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        token = issuer.token(audience="billing")
        explained = run("explain", str(QUICKSTART), "--token-file", "-", given=token, env={"OIDC_ISSUER": url})
    assert explained.exit_code == 1
    assert "audience_mismatch" in explained.output
    assert "expected agents; found 'billing'" in explained.output
    assert "\nidentity " not in explained.output, "a line for what is not known"


@pytest.mark.parametrize(
    ("permission", "code", "said"),
    [
        ("threads:delete", 0, "yes\n"),
        ("threads:delete@tenant", 1, "no: threads:delete reaches less far\n"),
        ("assistants:create", 1, "no: missing permission assistants:create (assistants:write includes it)\n"),
        ("threads:dleete", 2, "unknown permission 'threads:dleete': did you mean 'threads:delete'?"),
        ("qqq", 2, "unknown permission 'qqq': the names are in docs/permissions.md"),
        ("threads:*", 2, "'threads:*' stands for several permissions"),
        ("threads:read@qqq", 2, "unknown reach '@qqq'"),
    ],
)
def test_can_answers_by_exit_status(permission: str, code: int, said: str) -> None:
    answered = run("can", str(QUICKSTART), "--claims", "-", permission, given=json.dumps(ALICE))
    assert (answered.exit_code, said in answered.output) == (code, True)


@pytest.mark.parametrize("names", [(), (str(QUICKSTART), "threads:read", "threads:write")])
def test_can_accepts_one_permission(names: tuple[str, ...]) -> None:
    refused = run("can", *names, "--claims", "-", given="{}")
    assert (refused.exit_code, "one permission is expected" in refused.output) == (2, True)


def test_can_and_store_label_print_json() -> None:
    given = json.dumps(ALICE)
    answered = run("can", str(QUICKSTART), "--claims", "-", "threads:delete@all", "--json", given=given)
    said = {"permission": "threads:delete@all", "allowed": False, "reason": "threads:delete reaches less far"}
    assert (answered.exit_code, json.loads(answered.output)) == (1, said)
    printed = json.loads(run("store-label", str(QUICKSTART), "--claims", "-", "--json", given=given).output)
    assert printed == {"identity": "alice", "label": store_label({"identity": "alice", "tenant": "acme"})}


@pytest.mark.parametrize("way", ["file", "variable"])
def test_can_and_store_label_verify_token(issuer: LocalIssuer, way: str) -> None:
    with issuer.served() as url:
        good, bad = issuer.token(roles=["editor"], org="acme"), issuer.token(roles=["editor"], audience="billing")
        said: list[tuple[int, str]] = []
        for token in (good, bad):
            options = ["--token-file", "-"] if way == "file" else []
            environ = {"OIDC_ISSUER": url, "OIDC_AUTH_TOKEN": token if way == "variable" else ""}
            for command in (["can", str(QUICKSTART), "threads:delete"], ["store-label", str(QUICKSTART)]):
                done = run(*command, *options, given=token, env=environ)
                said.append((done.exit_code, done.output.strip()))
    assert said[:2] == [(0, "yes"), (0, store_label({"identity": "alice", "tenant": "acme"}))]
    assert [(code, "audience_mismatch" in text) for code, text in said[2:]] == [(1, True), (1, True)]


def test_can_shows_reason() -> None:
    answered = run("can", str(QUICKSTART), "--claims", "-", "threads:read", given='{"sub": "x"}')
    assert (answered.exit_code, answered.output[:19]) == (1, "no: no_permissions:")


def test_store_label_matches_store() -> None:
    printed = run("store-label", str(QUICKSTART), "--claims", "-", given=json.dumps(ALICE))
    assert printed.output.strip() == store_label({"identity": "alice", "tenant": "acme"})
    assert run("store-label", str(QUICKSTART), "--claims", "-", given="{}").exit_code == 1


def test_explain_lists_unread_claims() -> None:
    given = json.dumps({**ALICE, "groups": ["admins"]})
    explained = run("explain", str(QUICKSTART), "--claims", "-", given=given)
    assert "unmapped  groups: ['admins']: no permission map reads it" in explained.output


def test_claims_with_token_is_usage_error() -> None:
    refused = run("explain", str(QUICKSTART), "--claims", "-", "--token-file", "-", given="{}")
    assert (refused.exit_code, "not both" in refused.output) == (2, True)


def test_token_given_as_claims_is_hidden(issuer: LocalIssuer) -> None:
    token = issuer.token()
    refused = run("store-label", str(QUICKSTART), "--claims", "-", given=token)
    assert refused.exit_code == 1
    assert not any(part in refused.output for part in token.split("."))


@pytest.mark.parametrize(("given", "said"), [("no json", "not JSON"), ("[]", "a JSON object"), ("", "not JSON")])
def test_invalid_claims_are_rejected_with_reason(given: str, said: str) -> None:
    refused = run("store-label", str(QUICKSTART), "--claims", "-", given=given)
    assert (refused.exit_code, said in refused.output) == (1, True)


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


@pytest.mark.parametrize("command", ["init", "check", "explain", "can", "store-label", "doctor", "schema", "demo"])
def test_every_command_documents_exit_status(command: str) -> None:
    shown = run(command, "--help")
    assert (shown.exit_code, "xit status" in " ".join(shown.output.split())) == (0, True)


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
    """Write a project whose configuration needs the variables that langgraph.json sets."""
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
    assert run("can", str(file), "--claims", "-", "threads:read", given=claims).output == "yes\n"
    checks = json.loads(run("doctor", str(file), "--json").output)["checks"]
    assert checks[0] == {"id": "configuration", "status": "ok", "skipped": "", "findings": []}


def test_env_file_is_read_like_server(tmp_path: Path) -> None:
    project(tmp_path, ".env")
    read = read_environment(tmp_path / "langgraph.json")
    assert read == dotenv_values(tmp_path / ".env") | {"KEY": read["KEY"]}
    assert read["KEY"].startswith("-----BEGIN\nOIDC_ISSUER")


@pytest.mark.parametrize("env", [None, "missing.env", ["x"]])
def test_missing_env_leaves_variable_unset(tmp_path: Path, env: object) -> None:
    refused = run("check", str(project(tmp_path, env)))
    assert (refused.exit_code, "the environment has no variable AUDIENCE" in refused.output) == (1, True)


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
    assert run("can", "--claims", "-", "threads:read", given=given, env=FOUND[way]).output == "yes\n"
    assert run("store-label", "--claims", "-", given=given, env=FOUND[way]).exit_code == 0
    checks = json.loads(run("doctor", "--json", env=FOUND[way]).output)["checks"]
    assert checks[0]["status"] == "ok"


def test_missing_configuration_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run("check")
    assert (refused.exit_code, "no configuration: neither $OIDC_AUTH_CONFIG" in refused.output) == (1, True)
    assert json.loads(run("doctor", "--json").output)["checks"][0]["status"] == "error"


@pytest.mark.parametrize(
    "command", [("assign-owners", "127.0.0.1:9", "--owner-from", "a"), ("doctor", "--url", "127.0.0.1:9")]
)
def test_url_without_scheme_is_usage_error(command: tuple[str, ...]) -> None:
    refused = run(*command)
    assert (refused.exit_code, "http:// for this machine" in " ".join(refused.output.split())) == (2, True)


def test_missing_token_is_reported() -> None:
    refused = run("explain", str(QUICKSTART), env={"OIDC_AUTH_TOKEN": ""})
    assert (refused.exit_code, "OIDC_AUTH_TOKEN" in refused.output, "--claims" in refused.output) == (1, True, True)


def test_invalid_configuration_fails_every_command(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[[issuer]]\n", "utf-8")
    for command in (["explain"], ["store-label"], ["can", "threads:read"]):
        refused = run(command[0], str(wrong), "--claims", "-", *command[1:], given="{}")
        assert (refused.exit_code, "no permission map" in refused.output) == (1, True)


def test_name_between_colons_is_shown_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "oidc-auth.toml"
    file.write_text('[[issuer]]\npreset = "generic"\nissuer = "https://x.test"\naudience = "urn:id:agents"\n', "utf-8")
    claims = json.dumps({"sub": "a:smile:b", "aud": "urn:id:agents", "groups": ["x:id:y"]})
    shown = run("check", str(file)).output + run("explain", str(file), "--claims", "-", given=claims).output
    assert all(text in shown for text in ("audience urn:id:agents", "identity  a:smile:b", "groups: ['x:id:y']"))
