"""Each example is a whole application: started as it is, with a local issuer in the provider's place.

What runs is ``langgraph dev`` itself, without ``--allow-blocking``: a blocking call in our code would be a 500.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import run
from kit.examples import EXAMPLES, VARIABLES, started

from oidc_auth.cli.approvals_scenario import rows, user_tokens
from oidc_auth.cli.dev_server import ServerError, running_dev_server
from oidc_auth.cli.scenario import DemoSession
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from pathlib import Path

TROUBLE = re.compile(r"Traceback|Blocking call|BlockingError|\b500\b Internal", re.IGNORECASE)

KEYCLOAK = {
    "audience": "langgraph-api",
    "typ": "Bearer",
    "azp": "web",
    "realm_access": {"roles": ["agent-user", "offline_access"]},
}
# As Auth0's documentation shows its tokens: see docs/providers/auth0.md.
AUTH0 = {
    "subject": "auth0|alice",
    "audience": ["https://agents.acme.com", "https://acme.eu.auth0.com/userinfo"],
    "header": {"typ": "JWT"},
    "azp": "web",
    "scope": "openid profile",
    "org_id": "org_1",
    "permissions": ["threads:write", "store:write"],
}
OKTA = {
    "audience": "api://agents",
    "uid": "alice",
    "cid": "0oabskvc6442nkvQO0h7",
    "scp": ["openid"],
    "groups": ["agents-users"],
}
PROVIDERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    # example: (path of the issuer, token of a user, token of one who may only read)
    "quickstart": ("", {"roles": ["editor"]}, {"roles": ["viewer"]}),
    "keycloak": (
        "/realms/acme",
        KEYCLOAK,
        {**KEYCLOAK, "realm_access": {}, "resource_access": {"langgraph-api": {"roles": ["threads:read"]}}},
    ),
    "several-issuers": ("/oauth2/default", OKTA, {**OKTA, "uid": "rita", "groups": ["agents-readers"]}),
    "auth0": ("/", AUTH0, {**AUTH0, "permissions": ["threads:read"]}),
}


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_example_starts_denies_and_allows(name: str, tmp_path: Path) -> None:
    path, user, reader = PROVIDERS[name]
    issuer = LocalIssuer()
    with issuer.served(path=path), started(name, issuer, tmp_path) as (server, client):
        tokens = [issuer.token(**claims) for claims in (user, reader)]
        bearers = [None, *({"authorization": f"Bearer {token}"} for token in tokens)]
        made = [client.post("/threads", json={}, headers=bearer).status_code for bearer in bearers]
        ran = client.post(
            "/runs/wait", json={"assistant_id": "agent", "input": {"text": "hi"}}, headers=bearers[1]
        ).json()
        log = server.log.read_text("utf-8")
    assert (made, ran["answer"]) == ([401, 200, 403], f"{user.get('subject', 'alice')} said hi")
    assert TROUBLE.findall(log) == []
    assert not any(token.split(".")[2] in log for token in tokens)


def test_second_person_approves_payment(tmp_path: Path) -> None:
    issuer = LocalIssuer()
    with issuer.served(), started("approvals", issuer, tmp_path) as (server, client):
        tokens = user_tokens(issuer)
        sent = list(rows(DemoSession(client, tokens)))
        log = server.log.read_text("utf-8")
    assert [row for row in sent if not row.passed] == []
    assert len(sent) == 25
    assert TROUBLE.findall(log) == []
    assert not any(token.split(".")[2] in log for token in tokens.values())


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_doctor_accepts_example_langgraph_json(name: str) -> None:
    # Without its variable a configuration is invalid, so no provider is asked.
    unset = dict.fromkeys(VARIABLES.values())
    done = run("doctor", str(EXAMPLES / name / "oidc-auth.toml"), "--json", env=unset)
    statuses = {check["id"]: check["status"] for check in json.loads(done.output)["checks"]}
    # One example has a hook of its own, which does not load without a configuration.
    own_hook = {"auth-hook-configured"} if name == "observability" else set()
    assert {check for check, status in statuses.items() if status not in ("ok", "skipped")} == {
        "configuration",
        *own_hook,
    }
    assert (statuses["challenge-exposed"], statuses["library-included"]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("toml", "part"),
    [
        (None, "oidc-auth.toml"),
        ('[[issuer]]\nisuer = "https://x.test"\naudiance = "a"\n', "issuer[0].isuer: "),
        ("[[issuer]\n", "oidc-auth.toml: 1 problem"),
    ],
)
def test_invalid_configuration_stops_server_with_report(tmp_path: Path, toml: str | None, part: str) -> None:
    example = tmp_path / "broken"
    example.mkdir()
    for name in ("langgraph.json", "graph.py"):
        (example / name).write_bytes((EXAMPLES / "quickstart" / name).read_bytes())
    if toml is not None:
        (example / "oidc-auth.toml").write_text(toml, "utf-8")
    (tmp_path / "run").mkdir()
    with pytest.raises(ServerError) as stopped, running_dev_server(example, tmp_path / "run", {}):
        pass
    assert part in str(stopped.value).partition("oidc_auth:")[2]
    assert "Traceback" not in str(stopped.value).partition("oidc_auth:")[2]
