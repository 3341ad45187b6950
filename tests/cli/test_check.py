"""``oidc-auth check``: errors, warnings and permissions of a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.command_runner import error_of, run

if TYPE_CHECKING:
    from kit.snapshots import Messages

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "oidc-auth.toml"
APPROVALS = QUICKSTART.parents[1] / "approvals" / "oidc-auth.toml"


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
    assert "all 21 permissions and 5 groups" in run("check", str(QUICKSTART)).output


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
    assert all(
        text in shown for text in ("accepts scope: threads:*", "can start faq only", "groups = ops", "*:read@all")
    )


def test_check_of_invalid_file_exits_with_one(tmp_path: Path, messages: Messages) -> None:
    wrong = tmp_path / "oidc-auth.toml"
    wrong.write_text('[[issuer]]\nisuer = "https://x.test"\naudiance = "a"\n', "utf-8")
    refused = run("check", str(wrong))
    assert refused.exit_code == 1
    messages.check(error_of(refused), {tmp_path: "FOLDER"})
    problems = json.loads(run("check", str(wrong), "--json").output)["problems"]
    assert {"issuer[0].audiance", "issuer[0].isuer"} <= {problem["where"] for problem in problems}
    assert all(set(problem) == {"where", "message", "hint"} for problem in problems)


def test_check_warns_of_dangerous_settings(tmp_path: Path) -> None:
    file = tmp_path / "open.toml"
    text = '[[issuer]]\npreset = "generic"\nissuer = "https://x.test"\ninsecure_skip_audience = true\n'
    file.write_text(text, "utf-8")
    shown = run("check", str(file))
    assert (shown.exit_code, "warning issuer[0]: insecure_skip_audience" in shown.output) == (0, True)


def test_check_shows_who_shares_and_approves(messages: Messages) -> None:
    lines = run("check", str(APPROVALS)).output.splitlines()
    messages.check("\n".join(line for line in lines if line.startswith(("sharing", "resume"))))
    table = next(number for number, line in enumerate(lines) if "can approve" in line)
    messages.check("\n".join(lines[table:]))
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines[:table] if line.startswith("│")]
    assert {("threads:share", "own", "-"), ("threads:resume", "-", "own")} <= {tuple(row) for row in cells}


def test_check_reports_sharing_as_json() -> None:
    described = json.loads(run("check", str(APPROVALS), "--json").output)
    assert (described["sharing"], described["resume"]) == (True, "other")
    assert described["can_share"] == {"requester": ["own"], "approver": []}
    assert described["can_approve"] == {"requester": [], "approver": ["shared_approvers"]}


def test_check_without_sharing_shows_no_table() -> None:
    shown = run("check", str(QUICKSTART)).output
    assert "can approve" not in shown
    assert "│ threads:share" not in shown


def test_check_shows_accepted_names_and_values(tmp_path: Path) -> None:
    file = tmp_path / "oidc-auth.toml"
    accepted = '[[issuer.permission_map]]\nclaim = "scope"\naccept = ["threads:write", "threads:share@tenant"]\n'
    values = '[[issuer.permission_map]]\nclaim = "roles"\nvalues = { boss = ["threads:resume@tenant"] }\n'
    issuer = '[[issuer]]\nissuer = "https://x.test"\naudience = "a"\ntenant = "org"\n'
    file.write_text(f'{issuer}{accepted}{values}[langgraph]\nresume = "permission"\n', "utf-8")
    described = json.loads(run("check", str(file), "--json").output)
    assert described["can_share"] == {"roles = boss": [], "scope, all names": ["tenant"]}
    assert described["can_approve"] == {"roles = boss": ["tenant", "shared_approvers"], "scope, all names": []}
