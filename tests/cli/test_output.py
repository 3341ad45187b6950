"""The output of all commands: width, colours, and words that stay whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.command_runner import run

from oidc_auth.cli.app import app
from oidc_auth.errors import ErrorCode
from oidc_auth.providers import PROVIDERS

if TYPE_CHECKING:
    from click.testing import Result

    from oidc_auth.testing import LocalIssuer

QUICKSTART = str(Path(__file__).parents[2] / "examples" / "quickstart" / "oidc-auth.toml")
NARROW = {"COLUMNS": "80"}
CLAIMS = json.dumps({"sub": "alice", "org": "acme", "aud": "agents", "roles": ["editor", "Viewer"], "groups": ["x"]})
CODES = {str(code) for code in ErrorCode}
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def too_long(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if len(line) > 80]


@pytest.mark.parametrize("command", [(), *((name,) for name in sorted(app.commands))])
def test_help_fits_80_columns(command: tuple[str, ...]) -> None:
    shown = run(*command, "--help", env=NARROW)
    assert (shown.exit_code, too_long(shown)) == (0, [])
    assert "..." not in re.sub(r"client_\.\.\.|\[ARGS\]\.\.\.", "", shown.output)


@pytest.mark.parametrize("command", sorted(app.commands))
def test_help_splits_no_option_name(command: str) -> None:
    shown = run(command, "--help", env=NARROW)
    assert [line for line in shown.output.splitlines() if line.endswith("-")] == []


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_missing_options_fit_80_columns(provider: str) -> None:
    assert too_long(run("init", provider, env=NARROW)) == []


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_init_fits_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    monkeypatch.chdir(tmp_path)
    record = PROVIDERS[provider]
    options = [f"--{each.name.replace('_', '-')}={each.example}" for each in record.issuer.parameters]
    options += [f"--{each.name}={value}" for each in record.setup.required for value in each.examples]
    needs_audience = not record.tokens.client_claim and "audience" not in record.tokens.settings
    shown = run("init", provider, *options, *(["--audience=agents"] if needs_audience else []), env=NARROW)
    assert shown.exit_code == 0, shown.output
    # An address may be longer than a line. It is not split.
    assert [line for line in too_long(shown) if "http" not in line] == []
    checked = run("check", "oidc-auth.toml", env=NARROW)
    assert [line for line in too_long(checked) if "http" not in line] == []


@pytest.mark.parametrize(
    "command",
    [
        ("check", QUICKSTART),
        ("explain", QUICKSTART, "--claims", "-"),
        ("explain", QUICKSTART, "--claims", "-", "--verbose"),
        ("can", QUICKSTART, "--claims", "-", "threads:delete@all"),
        ("can", QUICKSTART, "threads:read"),
        ("store-label", QUICKSTART, "--claims", "-"),
        ("doctor", QUICKSTART),
        ("explain",),
        ("check", "/nowhere.toml"),
        ("can", QUICKSTART, "--claims", "-", "threads:dleete"),
        ("doctor", "--url", "127.0.0.1"),
    ],
)
def test_output_fits_80_columns(command: tuple[str, ...], issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        shown = run(*command, given=CLAIMS, env={**NARROW, "OIDC_ISSUER": url})
    assert shown.output
    assert [line for line in too_long(shown) if QUICKSTART not in line] == []


def test_narrow_output_splits_no_code(issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        env = {**NARROW, "OIDC_ISSUER": url}
        token = issuer.token(audience="billing", roles=["editor"])
        shown = run("explain", QUICKSTART, "--token-file", "-", "--verbose", given=token, env=env).output
    assert set(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", shown)) & CODES
    assert "audience_mismatch" in shown
    assert "no_permissions" not in shown
    assert not re.search(r"[a-z]_\s", shown)


@pytest.mark.parametrize("command", [("check",), ("explain", "--claims", "-"), ("doctor",), ("can", "threads:read")])
def test_no_color_removes_all_escapes(command: tuple[str, ...], issuer: LocalIssuer) -> None:
    options = ("--claims", "-") if command[0] == "can" else ()
    with issuer.served() as url:
        env = {"OIDC_ISSUER": url, "FORCE_COLOR": "1", "NO_COLOR": "1", **NARROW}
        plain = run(command[0], *options, QUICKSTART, *command[1:], given=CLAIMS, env=env)
        coloured = run(command[0], *options, QUICKSTART, *command[1:], given=CLAIMS, env={**env, "NO_COLOR": ""})
    assert not STYLE.search(plain.output)
    assert bool(STYLE.search(coloured.output)) == (command[0] != "can")
