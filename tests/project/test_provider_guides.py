"""The provider guides say what happens: their files, tokens and requests, and each message of their mistakes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import run
from kit.examples import AUTH0_DOMAIN, EXAMPLES, started
from kit.provider_guides import AUTH0, COGNITO, ENTRA, GUIDES, NOW, PAGES, Guide, Mistake
from kit.web import METADATA, PUBLIC_URL, web_client

from oidc_auth import ConfigError, OIDCAuth, TokenError
from oidc_auth.cli.dev_server import running_dev_server
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from pathlib import Path

    from kit.snapshots import Messages

    from oidc_auth.cli.dev_server import DevServer

MISTAKES = [(guide, heading) for guide in GUIDES for heading in guide.mistakes]
PAGES_WITH_REQUESTS = [guide for guide in GUIDES if guide.reader is not None]


def name(value: object) -> str | None:
    """Return the id of a parameter."""
    return f"{value.page} {value.section}".strip() if isinstance(value, Guide) else None


def authenticate(guide: Guide, token: str, issuer: LocalIssuer, **file: Any) -> Any:
    oidc = OIDCAuth.from_dict(guide.document(**file), fetcher=issuer, clock=lambda: NOW)
    return asyncio.run(oidc.authenticate({"authorization": f"Bearer {token}"}))


def issuer_of(guide: Guide) -> LocalIssuer:
    return LocalIssuer(guide.issuer, clock=lambda: NOW)


def unwrap(text: str) -> str:
    """Return a message that the page wraps in one line."""
    return " ".join(text.split())


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_every_documented_mistake_is_tested(guide: Guide) -> None:
    assert [*guide.messages] == [*guide.mistakes]


def test_every_guide_is_tested() -> None:
    # Keycloak's guide is compared with a real Keycloak.
    assert {page.stem for page in PAGES.glob("*.md")} == {"keycloak", *(guide.page for guide in GUIDES)}


@pytest.mark.parametrize(("guide", "heading"), MISTAKES, ids=name)
def test_mistake_has_documented_message(guide: Guide, heading: str, caplog: pytest.LogCaptureFixture) -> None:
    mistake, said = guide.mistakes[heading], [unwrap(text) for text in guide.messages[heading]]
    assert said == (messages_of(guide, mistake, caplog) if mistake.tokens else problems_of(guide, mistake))


def messages_of(guide: Guide, mistake: Mistake, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the log for the tokens of a mistake, without the issuer and the user."""
    issuer = issuer_of(guide)
    lines: list[str] = []
    for make in mistake.tokens:
        token = make(guide, issuer)
        caplog.clear()
        try:
            caller = authenticate(guide, token, issuer, **mistake.file)
        except TokenError:
            pass
        else:
            assert caller.permissions == []
        lines += [line for line in caplog.messages if line.startswith(("refused: ", "no permissions: "))]
    return [re.sub(r" \(issuer [^)]*\)$", "", line) for line in lines]


def problems_of(guide: Guide, mistake: Mistake) -> list[str]:
    """Return the errors of the file of a mistake."""
    with pytest.raises(ConfigError) as stopped:
        OIDCAuth.from_dict(guide.document(**mistake.file))
    return [str(problem) for problem in stopped.value.problems]


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_documented_token_gives_documented_permissions(guide: Guide) -> None:
    issuer = issuer_of(guide)
    assert guide.claims["iss"] == guide.issuer
    caller = authenticate(guide, guide.token(issuer), issuer)
    assert caller.identity == guide.identity
    assert f"`{guide.identity}`" in guide.text or f'"owner":"{guide.identity}"' in guide.text
    assert guide.permissions <= set(caller.permissions)


@pytest.mark.parametrize("guide", PAGES_WITH_REQUESTS, ids=name)
def test_documented_command_prints_documented_lines(guide: Guide, tmp_path: Path) -> None:
    for file, language in {"oidc-auth.toml": "toml", "claims.json": "json"}.items():
        (tmp_path / file).write_text(guide.blocks(language)[0], "utf-8")
    explained = run("explain", str(tmp_path / "oidc-auth.toml"), "--claims", str(tmp_path / "claims.json"))
    said = next(text for text in guide.blocks("text") if text.startswith("identity"))
    assert [line for line in said.splitlines() if line not in explained.output.splitlines()] == []


def test_documented_command_reports_expired_token(tmp_path: Path) -> None:
    for file, language in {"oidc-auth.toml": "toml", "claims.json": "json"}.items():
        (tmp_path / file).write_text(AUTH0.blocks(language)[0], "utf-8")
    explained = run("explain", str(tmp_path / "oidc-auth.toml"), "--claims", str(tmp_path / "claims.json"))
    assert explained.exit_code == 1
    assert "token_expired: " in explained.output


def test_documented_file_matches_example() -> None:
    example = (EXAMPLES / "auth0" / "oidc-auth.toml").read_text("utf-8")
    assert tomllib.loads(example.replace(AUTH0_DOMAIN, 'domain = "acme.eu.auth0.com"')) == AUTH0.document()


def test_administrator_without_organization_is_explained(messages: Messages) -> None:
    claims = {**AUTH0.claims, "org_id": None, "permissions": [], "https://acme.com/roles": ["Agent Admin"]}
    why = OIDCAuth.from_dict(AUTH0.document(), clock=lambda: NOW).explain(claims)
    messages.check(next(note for note in why.notes if "Agent Admin" in note))
    assert not why.allows("threads:read")


# The claims of a program in the files of the guides, as the table of service accounts describes them.
PROGRAMS: dict[str, tuple[Guide, dict[str, Any], str]] = {
    "auth0": (AUTH0, {"sub": "yX3SPAclient@clients", "scope": None}, "yX3SPAclient@clients"),
    "entra": (ENTRA, {"oid": "5b1f", "sub": "5b1f", "scp": None, "idtyp": "app", "name": None}, "5b1f"),
    "cognito": (
        COGNITO,
        {"sub": "1h57kf5cpq17m0eml12EXAMPLE", "cognito:groups": None, "username": None},
        "1h57kf5cpq17m0eml12EXAMPLE",
    ),
}


@pytest.mark.parametrize("provider", PROGRAMS)
def test_program_has_documented_identity(provider: str) -> None:
    guide, claims, identity = PROGRAMS[provider]
    issuer = issuer_of(guide)
    caller = authenticate(guide, guide.token(issuer, **claims), issuer)
    assert caller.identity == identity
    assert "threads:read" in caller.permissions


REQUESTED = [
    (ENTRA, ["api://6e74172b-be56-4843-9ff4-e66a39bb12e3/.default"]),
    (COGNITO, ["agents/threads:read", "agents/threads:write"]),
]


@pytest.mark.parametrize(("guide", "scopes"), REQUESTED, ids=name)
def test_metadata_names_documented_scopes(guide: Guide, scopes: list[str]) -> None:
    document = {**guide.document(), "web": {"public_url": PUBLIC_URL}}
    found = web_client(OIDCAuth.from_dict(document, fetcher=issuer_of(guide))).get(METADATA).json()
    assert found["scopes_supported"] == scopes
    assert [scope for scope in scopes if f"`{scope}`" not in guide.text] == []


@pytest.mark.parametrize("guide", PAGES_WITH_REQUESTS, ids=name)
def test_documented_requests_are_answered_as_documented(guide: Guide, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    (commands,) = guide.blocks("bash")
    issuer = LocalIssuer()
    with issuer.served(path=guide.path):
        answers = send_requests(guide, commands, issuer, tmp_path)
    assert [answer.split()[1] for answer in answers] == ["401", "200", "403"]
    promised = re.findall(r"`([^`]+)`", guide.text.partition("The first is 401")[2].partition("\n\n")[0])
    assert len(promised) == len(answers)
    for words, answer in zip(promised, answers, strict=True):
        assert words in answer


def send_requests(guide: Guide, commands: str, issuer: LocalIssuer, folder: Path) -> list[str]:
    """Return the answers of a server with the page's file to the page's commands."""
    now = int(issuer.clock())
    current = {"iss": issuer.url, "iat": now, "nbf": now, "auth_time": now, "exp": now + 600}
    tokens = {
        "TOKEN": guide.token(issuer, **current),
        "READER": guide.token(issuer, **{**current, **(guide.reader or {})}),
    }
    if guide is AUTH0:
        with started("auth0", issuer, folder) as (server, _):
            return [send(command, server, tokens) for command in commands.splitlines()]
    (folder / "run").mkdir()
    with running_dev_server(write_server(guide, issuer, folder / "example"), folder / "run", {}) as server:
        return [send(command, server, tokens) for command in commands.splitlines()]


def write_server(guide: Guide, issuer: LocalIssuer, folder: Path) -> Path:
    """Write a server with the page's file, in which the issuer is the local one."""
    shutil.copytree(EXAMPLES / "auth0", folder, ignore=shutil.ignore_patterns("__pycache__", ".langgraph_api"))
    (toml,) = guide.blocks("toml")
    first, *others = guide.address
    for key in others:
        toml = re.sub(rf"^{key} = .*\n", "", toml, count=1, flags=re.MULTILINE)
    toml = re.sub(rf"^{first} = .*$", f'issuer = "{issuer.url}"', toml, count=1, flags=re.MULTILINE)
    (folder / "oidc-auth.toml").write_text(toml, "utf-8")
    return folder


def send(command: str, server: DevServer, tokens: dict[str, str]) -> str:
    """Run a command of the page, and return what it prints."""
    return subprocess.run(  # noqa: S602 - the page's own lines, which a reader pastes into a shell
        command.replace("localhost:2024", server.url),
        shell=True,
        env={**os.environ, **tokens},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
