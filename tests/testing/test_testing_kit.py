"""The testing kit for users: pytest fixtures, invalid tokens, provider shapes and permission tables."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import OIDCAuth, TokenError, presets
from oidc_auth.testing import Clock, InvalidToken, LocalIssuer, assert_matrix, shapes

if TYPE_CHECKING:
    from kit.snapshots import Messages

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart" / "oidc-auth.toml"
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text("utf-8"), re.DOTALL)


def pytest_run(folder: Path, source: str, *options: str) -> tuple[int, str]:
    """Run a user's test file in a separate process and folder."""
    (folder / "test_mine.py").write_text(source, "utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options, "test_mine.py"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command,
        cwd=folder,
        env={**environ, "OIDC_ISSUER": "https://issuer.test"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


# --- the plugin ------------------------------------------------------------------------------------------------------


def test_pytest_finds_plugin() -> None:
    assert [point.value for point in entry_points(group="pytest11", name="oidc_auth")] == ["oidc_auth.testing.plugin"]


def test_plugin_imports_nothing_extra() -> None:
    heavy = [
        "jwt",
        "cryptography",
        "httpx",
        "pydantic",
        "langgraph_sdk",
        "oidc_auth.authentication",
        "oidc_auth.testing.issuer",
    ]
    code = f"import sys, pytest, oidc_auth.testing.plugin; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_documented_test_files_pass(tmp_path: Path) -> None:
    for example in (QUICKSTART, QUICKSTART.parents[1] / "approvals" / "oidc-auth.toml"):
        copy = tmp_path / example.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(example.read_bytes())
    code, said = pytest_run(tmp_path, "\n".join(BLOCKS[:3]))
    # 2 tables, 1 writer, 8 invalid tokens, expiry, rotation, 3 faults.
    assert (code, "16 passed" in said) == (0, True), said


def test_documented_table_fails_for_wider_file(tmp_path: Path) -> None:
    (tmp_path / "examples" / "quickstart").mkdir(parents=True)
    text = QUICKSTART.read_text("utf-8").replace('viewer = ["threads:read"', 'viewer = ["threads:write"')
    (tmp_path / "examples" / "quickstart" / "oidc-auth.toml").write_text(text, "utf-8")
    code, said = pytest_run(tmp_path, BLOCKS[0])
    assert code == 1
    assert re.search(r"threads:delete\s+viewer\s+-\s+own", said)


def test_failing_table_hides_library_frames(tmp_path: Path) -> None:
    (tmp_path / "examples" / "quickstart").mkdir(parents=True)
    text = QUICKSTART.read_text("utf-8").replace('viewer = ["threads:read"', 'viewer = ["threads:write"')
    (tmp_path / "examples" / "quickstart" / "oidc-auth.toml").write_text(text, "utf-8")
    _, said = pytest_run(tmp_path, BLOCKS[0])
    assert '>       assert_matrix("examples/quickstart/oidc-auth.toml", TABLE, USERS)' in said
    assert "def assert_matrix" not in said
    assert "oidc_auth/testing" not in said
    assert "E       AssertionError: 4 permissions of" in said


def test_unknown_invalid_token_lists_known_ones(tmp_path: Path, messages: Messages) -> None:
    code, said = pytest_run(tmp_path, 'def test_mine(oidc_token):\n    oidc_token(invalid="wrongkey")\n')
    assert code == 1
    messages.check(next(line for line in said.splitlines() if line.startswith("E  ")))
    assert "enum.py" not in said
    assert "oidc_auth/testing" not in said


# --- invalid tokens and shapes ---------------------------------------------------------------------------------------

ISSUER = LocalIssuer(clock=Clock())
GRANT = {"claim": "roles", "values": {"user": ["threads:read"]}}
TABLE = {"issuer": ISSUER.url, "audience": "agents", "jwks": ISSUER.key_set(), "permission_map": GRANT}


def authenticate(oidc: OIDCAuth, token: str) -> Any:
    return asyncio.run(oidc.authenticate({"authorization": f"Bearer {token}"}))


@pytest.mark.parametrize("invalid", InvalidToken)
def test_invalid_token_gets_named_code(invalid: InvalidToken, messages: Messages) -> None:
    oidc = OIDCAuth.from_dict({"issuer": TABLE}, clock=ISSUER.clock)
    assert authenticate(oidc, ISSUER.token("alice", roles=["user"])).permissions == ["threads:read", "threads:search"]
    with pytest.raises(TokenError) as refusal:
        authenticate(oidc, invalid.token(ISSUER, "alice", roles=["user"]))
    assert refusal.value.code == invalid.code


def test_clock_moves_only_when_advanced() -> None:
    clock = Clock(1000)
    assert clock() == clock() == 1000
    clock.advance(30)
    assert clock() == 1030
    assert Clock()() > 1_700_000_000


@pytest.mark.parametrize(
    ("shape", "table", "identity", "permissions"),
    [
        (
            shapes.keycloak(["agent-user"], client_roles={"api": ["ops"]}),
            presets.keycloak(
                ISSUER.url,
                audience="agents",
                permission_map={
                    "realm_access.roles": {"agent-user": ["store:get"]},
                    "resource_access.api.roles": {"ops": ["threads:search"]},
                },
            ),
            "alice",
            ["store:get", "threads:search"],
        ),
        (
            shapes.keycloak(groups=["/ops"]),
            {**TABLE, "permission_map": {"claim": "groups", "values": {"/ops": ["store:get"]}}},
            "alice",
            ["store:get"],
        ),
        (
            shapes.auth0(["store:get"], org="org_1"),
            {**presets.auth0("issuer.test", audience="agents"), "tenant": "org_id"},
            "alice",
            ["store:get"],
        ),
        (
            shapes.entra(["Agent.User"]),
            {
                **TABLE,
                "identity": "oid",
                "tenant": "tid",
                "permission_map": {"claim": "roles", "values": {"Agent.User": ["store:get"]}},
            },
            "1b6c9f00-0000-4000-8000-000000000002",
            ["store:get"],
        ),
        (
            shapes.okta(["ops"]),
            {**TABLE, "identity": "uid", "permission_map": {"claim": "groups", "values": {"ops": ["store:get"]}}},
            "00u1alice",
            ["store:get"],
        ),
        (
            shapes.cognito(["ops"]),
            {
                "issuer": ISSUER.url,
                "client_claim": {"claim": "client_id", "values": ["WEB"]},
                "require": {"token_use": "access"},
                "permission_map": {"claim": "cognito:groups", "values": {"ops": ["store:get"]}},
            },
            "alice",
            ["store:get"],
        ),
        (
            shapes.github_actions(environment="production"),
            {
                **TABLE,
                "identity": "repository_id",
                "permission_map": {"claim": "environment", "values": {"production": ["store:get"]}},
            },
            "1001",
            ["store:get"],
        ),
    ],
)
def test_shape_matches_provider_configuration(
    shape: dict[str, Any], table: dict[str, Any], identity: str, permissions: list[str]
) -> None:
    issuer = LocalIssuer(f"{ISSUER.url}/" if table.get("preset") == "auth0" else ISSUER.url, key=ISSUER.keys[0])
    oidc = OIDCAuth.from_dict({"issuer": {**table, "jwks": ISSUER.key_set()}})
    subject = str(shape.get("sub", "alice"))
    claims = {name: value for name, value in shape.items() if name != "sub"}
    caller = authenticate(oidc, issuer.token(subject, audience="agents", **claims))
    assert (caller.identity, caller.permissions) == (identity, permissions)


# --- the local issuer outside of tests -------------------------------------------------------------------------------


@pytest.mark.parametrize(("environ", "warnings"), [({}, 1), ({"PYTEST_VERSION": "9"}, 0)])
def test_local_issuer_warns_once_outside_tests(environ: dict[str, str], warnings: int, messages: Messages) -> None:
    code = "from oidc_auth.testing import LocalIssuer; LocalIssuer(algorithm='ES256'); LocalIssuer(algorithm='ES256')"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env={**plain, **environ}
    )
    assert len(done.stderr.splitlines()) == warnings
    for line in done.stderr.splitlines():
        messages.check(line)


def test_unknown_testing_name_is_attribute_error() -> None:
    import oidc_auth.testing

    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = oidc_auth.testing.nothing_like_it
    assert all(getattr(oidc_auth.testing, name) is not None for name in oidc_auth.testing.__all__)


# --- permission tables -----------------------------------------------------------------------------------------------

ROLES = {
    "issuer": {
        "issuer": "https://issuer.test",
        "audience": "agents",
        "tenant": "org",
        "permission_map": {
            "claim": "roles",
            "values": {"r": ["threads:read"], "a": ["threads:*@all"], "t": ["assistants:create@tenant"]},
        },
    }
}
USERS: dict[str, dict[str, Any]] = {
    "reader": {"roles": ["r"]},
    "admin": {"roles": ["a"]},
    "maker": {"roles": ["t"], "org": "acme"},
    "guest": {},
}
RIGHT = """
                    reader  admin  maker   guest
threads:*           -       all    -       -        # the widest
threads:read        own     all    -       -
threads:search      own     all    -       -

assistants:create   -       -      tenant  -
"""


def test_matching_table_passes() -> None:
    assert_matrix(ROLES, RIGHT, USERS)
    assert_matrix(OIDCAuth.from_dict(ROLES), RIGHT, USERS)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("threads:read        own ", "threads:read        -   "), r"threads:read\s+reader\s+-\s+own"),
        (("tenant  -", "own     -"), r"assistants:create\s+maker\s+own\s+tenant"),
        (
            ("threads:*           -       all ", "threads:*           -       tenant "),
            r"threads:delete\s+admin\s+tenant\s+all",
        ),
        (
            ("threads:search      own     all    -       -", "threads:search      own     all    -       own"),
            r"threads:search\s+guest\s+own\s+-",
        ),
        (("assistants:create   -       -      tenant  -", ""), r"assistants:create\s+maker\s+-\s+tenant"),
    ],
)
def test_differing_table_lists_each_difference(change: tuple[str, str], line: str) -> None:
    assert change[0] in RIGHT
    with pytest.raises(AssertionError, match=line):
        assert_matrix(ROLES, RIGHT.replace(*change), USERS)


def test_failure_explains_permission_source(messages: Messages) -> None:
    with pytest.raises(AssertionError) as failure:
        assert_matrix(ROLES, "reader guest\nthreads:* - own", {**USERS, "guest": {"groups": ["x"]}})
    messages.check(failure.value)


APPROVALS = {
    "issuer": {**TABLE, "permission_map": {"claim": "roles", "values": {"asks": ["asks"], "approves": ["approves"]}}},
    "roles": {"asks": ["threads:write", "threads:share"], "approves": ["threads:resume"]},
    "langgraph": {"resume": "other"},
}
APPROVAL_USERS = {name: {"roles": [name]} for name in ("asks", "approves", "guest")}
APPROVAL_TABLE = """
                    asks  approves  guest
threads:*           own   -         -
threads:read        own   own       -
threads:search      own   own       -
threads:share       own   -         -
threads:resume      -     own       -
shared_with         read  read      -
shared_editors      run   read      -
shared_approvers    read  resume    -
"""


def test_table_covers_sharing_and_approvals() -> None:
    assert_matrix(APPROVALS, APPROVAL_TABLE, APPROVAL_USERS)


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        ("threads:share       own   -         -", r"threads:share\s+asks\s+-\s+own"),
        ("threads:resume      -     own       -", r"threads:resume\s+approves\s+-\s+own"),
    ],
)
def test_sharing_without_line_is_difference(line: str, difference: str) -> None:
    """No wildcard of a table includes these permissions."""
    assert line in APPROVAL_TABLE
    with pytest.raises(AssertionError, match=difference):
        assert_matrix(APPROVALS, APPROVAL_TABLE.replace(line, ""), APPROVAL_USERS)


def test_lists_show_mode_of_configuration() -> None:
    with pytest.raises(AssertionError, match=r"shared_approvers\s+approves\s+resume\s+read"):
        assert_matrix({**APPROVALS, "langgraph": {}}, APPROVAL_TABLE, APPROVAL_USERS)


def test_line_of_list_is_optional() -> None:
    table = "\n".join(line for line in APPROVAL_TABLE.splitlines() if not line.startswith("shared_"))
    assert_matrix(APPROVALS, table, APPROVAL_USERS)


@pytest.mark.parametrize(
    "table",
    [
        "",
        "reder\nthreads:read own",
        "reader\nthreads:raed own",
        "reader\nthreads:write own",
        "reader\nthreads:read yes",
        "reader admin\nthreads:read own",
        "reader\nthreads:read own\nthreads:read -",
        "reader\nshared_with own",
    ],
)
def test_invalid_table_is_error(table: str, messages: Messages) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared
        assert_matrix(ROLES, table, USERS)
    messages.check(error.value)
