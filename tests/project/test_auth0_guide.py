"""The Auth0 guide says what happens: its file, its token, its requests, and each message of its log."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import run
from kit.examples import AUTH0_DOMAIN, EXAMPLES, started

from oidc_auth import ConfigError, OIDCAuth, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import encode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.snapshots import Messages

PAGE = (Path(__file__).parents[2] / "docs" / "providers" / "auth0.md").read_text("utf-8")
NOW = 1_790_000_000.0
AUDIENCE = "https://agents.acme.com"
USERINFO = "https://acme.eu.auth0.com/userinfo"


def blocks(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


(TOML,) = blocks("toml")
(TOKEN,) = blocks("json")
CLAIMS: dict[str, Any] = json.loads(TOKEN)
MISTAKES = {
    heading.partition("\n")[0]: blocks("text", heading)
    for heading in PAGE.partition("## What goes wrong")[2].split("\n### ")[1:]
}


def document(**changes: Any) -> dict[str, Any]:
    """Return the page's file with other keys in its issuer; None leaves one out."""
    loaded = tomllib.loads(TOML)
    table = {**loaded["issuer"][0], **changes}
    return {**loaded, "issuer": [{name: value for name, value in table.items() if value is not None}]}


@pytest.fixture
def tenant() -> LocalIssuer:
    return LocalIssuer("https://acme.eu.auth0.com/", clock=lambda: NOW)


def token_of(tenant: LocalIssuer, **changes: Any) -> str:
    """Return the page's token, signed, with other claims."""
    return tenant.token(**{"header": {"typ": "JWT"}, **CLAIMS, **changes})


def encrypted(tenant: LocalIssuer) -> str:
    header = {"alg": "dir", "enc": "A256GCM", "iss": tenant.url}
    return f"{encode_base64url(json.dumps(header).encode())}..aXY.Y2lwaGVy.dGFn"


def opaque(tenant: LocalIssuer) -> str:
    return "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH"


def sent(**changes: Any) -> Callable[[LocalIssuer], str]:
    return lambda tenant: token_of(tenant, **changes)


NO_PERMISSIONS = {"permissions": None, "https://acme.com/roles": None}
# The tokens of each mistake, in the order of its messages, and the file where it is not the page's.
MADE: dict[str, tuple[list[Callable[[LocalIssuer], str]], dict[str, Any]]] = {
    "The client did not send audience": ([encrypted, opaque], document()),
    "The client sent its ID token": (
        [sent(aud="yX3SPAclient", nonce="n", azp=None, scope=None, permissions=None)],
        document(),
    ),
    "The token is for another API": ([sent(aud=["https://acme.eu.auth0.com/api/v2/", USERINFO])], document()),
    "People log in at a custom domain": ([sent(iss="https://login.acme.com/")], document()),
    "The API signs with HS256": ([sent(header={"alg": "HS256", "typ": "JWT"})], document()),
    "Permissions are not added to the access token": ([sent(**NO_PERMISSIONS)], document()),
    "The names are in scope, and the file reads permissions": (
        [sent(**{**NO_PERMISSIONS, "scope": "openid threads:write"})],
        document(),
    ),
    "The API's permissions have other names": (
        [sent(**{**NO_PERMISSIONS, "permissions": ["read:threads"]})],
        document(),
    ),
    "An administrator logged in without an organization": (
        [sent(**{**NO_PERMISSIONS, "https://acme.com/roles": ["Agent Admin"], "org_id": None})],
        document(),
    ),
    "The application requires sender constraining": ([sent(cnf={"jkt": "0tYCoFsV"})], document()),
    "The token has expired": ([sent(iat=NOW - 90_000, exp=NOW - 3_600)], document()),
}
# The files that stop the server, in the order of the page.
REFUSED: dict[str, dict[str, Any]] = {
    "The issuer was written without its slash": document(domain=None, issuer="https://acme.eu.auth0.com"),
    "The audience is missing from the file": document(audience=None),
}


def test_every_documented_mistake_is_tested() -> None:
    assert set(MISTAKES) == {*MADE, *REFUSED}
    assert [*(mistake for mistake in MISTAKES if mistake in MADE)] == [*MADE]


@pytest.mark.parametrize("mistake", MADE)
def test_log_matches_documented_text(mistake: str, tenant: LocalIssuer, caplog: pytest.LogCaptureFixture) -> None:
    tokens, configuration = MADE[mistake]
    oidc = OIDCAuth.from_dict(configuration, fetcher=tenant, clock=lambda: NOW)
    for make, said in zip(tokens, MISTAKES[mistake], strict=True):
        caplog.clear()
        try:
            caller = asyncio.run(oidc.authenticate({"authorization": f"Bearer {make(tenant)}"}))
        except TokenError:
            pass
        else:
            assert caller.permissions == []
        # The page wraps the long line of the log, and leaves out the user.
        lines = [re.sub(r" \(issuer [^)]*\)$", "", line) for line in caplog.messages]
        assert lines == [" ".join(said.split())]


@pytest.mark.parametrize("mistake", REFUSED)
def test_file_that_stops_server_does_so_with_pages_words(mistake: str) -> None:
    with pytest.raises(ConfigError) as stopped:
        OIDCAuth.from_dict(REFUSED[mistake])
    (said,) = MISTAKES[mistake]
    assert [str(problem) for problem in stopped.value.problems] == [" ".join(said.split())]


def test_documented_file_matches_example() -> None:
    example = (EXAMPLES / "auth0" / "oidc-auth.toml").read_text("utf-8")
    assert tomllib.loads(example.replace(AUTH0_DOMAIN, 'domain = "acme.eu.auth0.com"')) == document()


def test_documented_token_gives_documented_permissions(tenant: LocalIssuer) -> None:
    oidc = OIDCAuth.from_dict(document(), fetcher=tenant, clock=lambda: NOW)
    caller = asyncio.run(oidc.authenticate({"authorization": f"Bearer {token_of(tenant)}"}))
    assert caller.identity == CLAIMS["sub"]
    assert {"threads:create", "threads:create_run", "store:get"} <= set(caller.permissions)


def test_documented_command_prints_documented_lines(tmp_path: Path) -> None:
    (tmp_path / "oidc-auth.toml").write_text(TOML, "utf-8")
    (tmp_path / "claims.json").write_text(TOKEN, "utf-8")
    command = ["explain", str(tmp_path / "oidc-auth.toml"), "--claims", str(tmp_path / "claims.json")]
    explained = run(*command)
    said = next(text for text in blocks("text") if text.startswith("identity"))
    assert explained.exit_code == 1
    assert "token_expired: " in explained.output
    assert [line for line in said.splitlines() if line not in explained.output.splitlines()] == []


def test_administrator_without_organization_is_explained(tenant: LocalIssuer, messages: Messages) -> None:
    claims = {**CLAIMS, "org_id": None, "permissions": [], "https://acme.com/roles": ["Agent Admin"]}
    why = OIDCAuth.from_dict(document(), clock=lambda: NOW).explain(claims)
    messages.check(next(note for note in why.notes if "Agent Admin" in note))
    assert not why.allows("threads:read")


def test_documented_requests_are_answered_as_documented(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed: apt-get install curl")
    (commands,) = blocks("bash")
    issuer = LocalIssuer()
    with issuer.served(path="/"), started("auth0", issuer, tmp_path) as (server, _):
        claims = {**CLAIMS, "iss": issuer.url, "iat": None, "exp": None, "header": {"typ": "JWT"}}
        lasting = {name: value for name, value in claims.items() if value is not None}
        tokens = {
            "TOKEN": issuer.token(**lasting),
            "READER": issuer.token(**{**lasting, "permissions": ["threads:read"]}),
        }
        answers = [
            subprocess.run(  # noqa: S602 - the page's own lines, which a reader pastes into a shell
                command.replace("localhost:2024", server.url),
                shell=True,
                env={**os.environ, **tokens},
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            ).stdout
            for command in commands.splitlines()
        ]
    assert [answer.split()[1] for answer in answers] == ["401", "200", "403"]
    promised = re.findall(r"`([^`]+)`", PAGE.partition("The first is 401")[2].partition("\n\n")[0])
    assert len(promised) == len(answers)
    for words, answer in zip(promised, answers, strict=True):
        assert words in answer
