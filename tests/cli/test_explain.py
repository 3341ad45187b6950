"""``oidc-auth explain``, ``can`` and ``store-label``: the effect of claims and tokens."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import error_of, run

from oidc_auth import store_label
from oidc_auth.errors import ErrorCode
from oidc_auth.tokens.checks import CHECKS

if TYPE_CHECKING:
    from kit.snapshots import Messages

    from oidc_auth.testing import LocalIssuer

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "oidc-auth.toml"
APPROVALS = QUICKSTART.parents[1] / "approvals" / "oidc-auth.toml"
ALICE: dict[str, Any] = {"sub": "alice", "org": "acme", "roles": ["editor"]}


@pytest.mark.parametrize(
    ("claims", "code"), [(ALICE, 0), ({**ALICE, "roles": ["Editor"]}, 1), ({"roles": ["editor"]}, 1)]
)
def test_explain_without_permissions_exits_with_one(claims: dict[str, Any], code: int) -> None:
    explained = run("explain", str(QUICKSTART), "--claims", "-", given=json.dumps(claims))
    assert explained.exit_code == code
    assert ("REFUSED" in explained.output) == bool(code)
    assert "Not checked: signature, aud, exp." in explained.output


def test_explain_prints_json() -> None:
    explained = run("explain", str(QUICKSTART), "--claims", "-", "--json", given=json.dumps(ALICE))
    described = json.loads(explained.output)
    assert (described["identity"], described["tenant"], described["graphs"]) == ("alice", "acme", None)
    assert "threads:write" in described["permissions"]
    (check,) = [check for check in described["checks"] if check["code"] == "token_use_not_allowed"]
    assert (set(check), check["outcome"]) == ({"code", "name", "outcome", "detail"}, "passed")
    assert "signature_invalid" not in [check["code"] for check in described["checks"]]
    assert "not_run" not in described


@pytest.mark.parametrize(
    ("roles", "shares", "approves"),
    [
        (["requester"], ["own"], []),
        (["approver"], [], ["shared_approvers"]),
        (["requester", "approver"], ["own"], ["shared_approvers"]),
        (["guest"], [], []),
    ],
)
def test_explain_tells_who_shares_and_approves(roles: list[str], shares: list[str], approves: list[str]) -> None:
    claims = json.dumps({**ALICE, "roles": roles})
    described = json.loads(run("explain", str(APPROVALS), "--claims", "-", "--json", given=claims).output)
    assert (described["can_share"], described["can_approve"]) == (shares, approves)


def test_expired_claims_neither_share_nor_approve() -> None:
    claims = json.dumps({**ALICE, "roles": ["requester", "approver"], "exp": 1})
    described = json.loads(run("explain", str(APPROVALS), "--claims", "-", "--json", given=claims).output)
    assert (described["can_share"], described["can_approve"]) == ([], [])


@pytest.mark.parametrize("resume", ["run", "permission", "other"])
def test_explain_names_graphs_of_approver(tmp_path: Path, resume: str, messages: Messages) -> None:
    text = APPROVALS.read_text("utf-8").replace('resume = "other"', f'resume = "{resume}"')
    limited = 'approver = { permissions = ["threads:resume", "threads:create_run"], graphs = ["pay", "buy"] }'
    (tmp_path / "oidc-auth.toml").write_text(text.replace('approver = ["threads:resume"]', limited), "utf-8")
    given = json.dumps({**ALICE, "roles": ["approver"]})
    shown = run("explain", str(tmp_path / "oidc-auth.toml"), "--claims", "-", given=given).output
    messages.check(next(line for line in shown.splitlines() if line.startswith("approve ")))
    described = json.loads(
        run("explain", str(tmp_path / "oidc-auth.toml"), "--claims", "-", "--json", given=given).output
    )
    assert described["resume_graphs"] == ["buy", "pay"]


@pytest.mark.parametrize("resume", ["run", "other"])
def test_role_without_graphs_approves_nothing(tmp_path: Path, resume: str) -> None:
    text = APPROVALS.read_text("utf-8").replace('resume = "other"', f'resume = "{resume}"')
    limited = 'approver = { permissions = ["threads:resume", "threads:create_run"], graphs = [] }'
    (tmp_path / "oidc-auth.toml").write_text(text.replace('approver = ["threads:resume"]', limited), "utf-8")
    given = json.dumps({**ALICE, "roles": ["approver"]})
    shown = run("explain", str(tmp_path / "oidc-auth.toml"), "--claims", "-", "--json", given=given).output
    assert json.loads(shown)["can_approve"] == []


@pytest.mark.parametrize("roles", [["requester"], ["approver"], ["guest"]])
def test_explain_prints_who_shares_and_approves(roles: list[str], messages: Messages) -> None:
    lines = run("explain", str(APPROVALS), "--claims", "-", given=json.dumps({**ALICE, "roles": roles})).output
    messages.check("\n".join(line for line in lines.splitlines() if line.startswith(("share ", "approve "))))


@pytest.mark.parametrize("as_json", [True, False])
def test_verbose_explain_names_checks_not_run(*, as_json: bool) -> None:
    options = ["--claims", "-", "--verbose", *(["--json"] if as_json else [])]
    output = run("explain", str(QUICKSTART), *options, given=json.dumps(ALICE)).output
    assert ("signature valid" in json.loads(output)["not_run"]) if as_json else "not run   one credential" in output


def test_checks_without_result_are_shown_on_request() -> None:
    plain, verbose = (
        run("explain", str(QUICKSTART), "--claims", "-", *more, given=json.dumps(ALICE)).output
        for more in ([], ["--verbose"])
    )
    assert ("audience matches" in plain, "audience matches" in verbose) == (False, True)
    assert next(check.name for check in CHECKS if check.code is ErrorCode.TOKEN_USE_NOT_ALLOWED) in plain


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


def test_rejected_token_shows_expected_found_and_hint(issuer: LocalIssuer, messages: Messages) -> None:
    with issuer.served() as url:
        token = issuer.token(audience="billing")
        explained = run("explain", str(QUICKSTART), "--token-file", "-", given=token, env={"OIDC_ISSUER": url})
    assert explained.exit_code == 1
    assert "audience_mismatch" in explained.output
    messages.check(next(line for line in explained.output.splitlines() if line.startswith("REFUSED ")))
    assert "\nidentity " not in explained.output, "a line for what is not known"


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ("threads:delete", 0),
        ("threads:delete@tenant", 1),
        ("assistants:create", 1),
        ("threads:dleete", 2),
        ("qqq", 2),
        ("threads:*", 2),
        ("threads:read@qqq", 2),
    ],
)
def test_can_answers_by_exit_status(permission: str, code: int, messages: Messages) -> None:
    answered = run("can", str(QUICKSTART), "--claims", "-", permission, given=json.dumps(ALICE))
    assert answered.exit_code == code
    messages.check(error_of(answered) or answered.stdout.strip())


@pytest.mark.parametrize("names", [(), (str(QUICKSTART), "threads:read", "threads:write")])
def test_can_accepts_one_permission(names: tuple[str, ...], messages: Messages) -> None:
    refused = run("can", *names, "--claims", "-", given="{}")
    assert refused.exit_code == 2
    messages.check(error_of(refused))


def test_can_and_store_label_print_json() -> None:
    given = json.dumps(ALICE)
    answered = run("can", str(QUICKSTART), "--claims", "-", "threads:delete@all", "--json", given=given)
    reason = "expected threads:delete@all; found threads:delete"
    facts = {"permission": "threads:delete@all", "allowed": False, "reason": reason}
    assert (answered.exit_code, json.loads(answered.output)) == (
        1,
        {**facts, "not_checked": ["signature", "aud", "exp"]},
    )
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


def test_explain_lists_unread_claims(messages: Messages) -> None:
    given = json.dumps({**ALICE, "groups": ["admins"]})
    explained = run("explain", str(QUICKSTART), "--claims", "-", given=given)
    messages.check(next(line for line in explained.output.splitlines() if line.startswith("unmapped ")))


def test_claims_with_token_is_usage_error(messages: Messages) -> None:
    refused = run("explain", str(QUICKSTART), "--claims", "-", "--token-file", "-", given="{}")
    assert refused.exit_code == 2
    messages.check(error_of(refused))


def test_token_given_as_claims_is_hidden(issuer: LocalIssuer) -> None:
    token = issuer.token()
    refused = run("store-label", str(QUICKSTART), "--claims", "-", given=token)
    assert refused.exit_code == 1
    assert not any(part in refused.output for part in token.split("."))


@pytest.mark.parametrize("given", ["no json", "[]", ""])
def test_invalid_claims_are_rejected_with_reason(given: str, messages: Messages) -> None:
    refused = run("store-label", str(QUICKSTART), "--claims", "-", given=given)
    assert refused.exit_code == 1
    messages.check(error_of(refused))


def test_missing_token_is_reported() -> None:
    refused = run("explain", str(QUICKSTART), env={"OIDC_AUTH_TOKEN": ""})
    assert (refused.exit_code, "OIDC_AUTH_TOKEN" in refused.output, "--claims" in refused.output) == (1, True, True)


NOW = 2_000_000_000


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": ["account"]}, "audience_mismatch"),
        ({"aud": None}, "audience_mismatch"),
        ({"exp": NOW - 60}, "token_expired"),
        ({"exp": "soon"}, "token_expired"),
        ({"nbf": NOW + 3600}, "token_not_yet_valid"),
        ({"iat": NOW + 3600}, "token_issued_in_future"),
        ({"aud": "agents", "exp": NOW + 60, "nbf": NOW - 60, "iat": NOW - 60}, ""),
        ({}, ""),
    ],
)
def test_present_claims_are_checked(monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], code: str) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    given = json.dumps({**ALICE, **claims})
    answered = run("can", str(QUICKSTART), "--claims", "-", "threads:read", "--json", given=given)
    explained = json.loads(run("explain", str(QUICKSTART), "--claims", "-", "--json", given=given).output)
    assert (answered.exit_code, json.loads(answered.output)["allowed"]) == (int(bool(code)), not code)
    assert json.loads(answered.output)["reason"].partition(":")[0] == code
    assert explained["refusal"].partition(":")[0] == code
    assert bool(explained["permissions"]) == (not code)
    assert [check["code"] for check in explained["checks"] if check["outcome"] == "failed"] == ([code] if code else [])
    missing = [claim for claim in ("aud", "exp") if claim not in claims]
    assert explained["not_checked"] == ["signature", *missing]


def test_verified_token_leaves_nothing_unchecked(issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        token = issuer.token(roles=["editor"], org="acme")
        env = {"OIDC_ISSUER": url, "OIDC_AUTH_TOKEN": token}
        described = json.loads(run("explain", str(QUICKSTART), "--json", env=env).output)
    assert described["not_checked"] == []


def test_unknown_issuer_has_no_policy() -> None:
    given = json.dumps({**ALICE, "iss": "https://other.test"})
    described = json.loads(run("explain", str(QUICKSTART), "--claims", "-", "--json", given=given).output)
    assert described["refusal"].startswith("issuer_not_trusted")
    assert described["not_checked"] == ["signature"]


def test_note_names_unchecked_claims() -> None:
    answered = run("can", str(QUICKSTART), "--claims", "-", "threads:read", given=json.dumps(ALICE))
    assert answered.stdout == "yes\n"
    assert "Not checked: signature, aud, exp." in answered.stderr


def test_first_failed_check_is_the_refusal() -> None:
    given = json.dumps({"aud": "account", "roles": ["editor"]})
    described = json.loads(run("explain", str(QUICKSTART), "--claims", "-", "--json", given=given).output)
    assert described["refusal"].startswith("audience_mismatch: ")


def test_expired_claims_still_show_permissions() -> None:
    given = json.dumps({**ALICE, "exp": 1})
    explained = run("explain", str(QUICKSTART), "--claims", "-", given=given)
    assert explained.exit_code == 1
    assert "token_expired: " in explained.output
    assert "threads:" in explained.output
