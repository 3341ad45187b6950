"""Each example is a whole application: started as it is, with a local issuer in the provider's place.

What runs is ``langgraph dev`` itself, without ``--allow-blocking``: a blocking call in our code would be a 500.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from oidc_auth.cli.dev_server import DevServer, ServerError, running_dev_server
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1] / "examples"
TROUBLE = re.compile(r"Traceback|Blocking call|BlockingError|\b500\b Internal", re.IGNORECASE)

KEYCLOAK = {"typ": "Bearer", "azp": "web", "realm_access": {"roles": ["agent-user", "offline_access"]}}
AUTH0 = {"permissions": ["threads:write", "store:write"], "org_id": "org_1", "azp": "web"}
PROVIDERS: dict[str, tuple[str, str, str, dict[str, Any], dict[str, Any]]] = {
    # example: (variable, path of the issuer, audience, claims of a user, claims of one who may only read)
    "quickstart": ("OIDC_ISSUER", "", "agents", {"roles": ["editor"]}, {"roles": ["viewer"]}),
    "keycloak": (
        "KEYCLOAK_URL",
        "/realms/acme",
        "langgraph-api",
        KEYCLOAK,
        {**KEYCLOAK, "realm_access": {}, "resource_access": {"langgraph-api": {"roles": ["threads:read"]}}},
    ),
    "auth0": ("AUTH0_DOMAIN", "/", "https://agents.acme.com", AUTH0, {**AUTH0, "permissions": ["threads:read"]}),
}


@contextmanager
def started(example: Path, issuer: LocalIssuer, folder: Path) -> Iterator[tuple[DevServer, httpx.Client]]:
    environ = {PROVIDERS[example.name][0]: issuer.url}
    with (
        running_dev_server(example, folder, environ) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        yield server, client


def with_local_issuer(example: Path, folder: Path, issuer: LocalIssuer) -> Path:
    """Return the example; Auth0's preset builds an https address of the domain, so the copy names the issuer."""
    if example.name != "auth0":
        return example
    copy = folder / "auth0"
    copy.mkdir()
    for file in example.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    toml = copy / "oidc-auth.toml"
    text = toml.read_text("utf-8")
    assert 'domain = "${AUTH0_DOMAIN}"' in text
    toml.write_text(text.replace('domain = "${AUTH0_DOMAIN}"', f'issuer = "{issuer.url}"'), "utf-8")
    return copy


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_an_example_starts_and_refuses_and_allows(name: str, tmp_path: Path) -> None:
    _, path, audience, user, reader = PROVIDERS[name]
    issuer = LocalIssuer()
    with issuer.served(path=path):
        example = with_local_issuer(EXAMPLES / name, tmp_path, issuer)
        tokens = [issuer.token(audience=audience, **claims) for claims in (user, reader)]
        (tmp_path / "run").mkdir()
        with started(example, issuer, tmp_path / "run") as (server, client):
            bearers = [None, *({"authorization": f"Bearer {token}"} for token in tokens)]
            made = [client.post("/threads", json={}, headers=bearer).status_code for bearer in bearers]
            ran = client.post(
                "/runs/wait", json={"assistant_id": "agent", "input": {"text": "hi"}}, headers=bearers[1]
            ).json()
            log = server.log.read_text("utf-8")
    assert (made, ran["answer"]) == ([401, 200, 403], "alice said hi")
    assert TROUBLE.findall(log) == []
    assert not any(token.split(".")[2] in log for token in tokens)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (None, "no configuration: neither $OIDC_AUTH_CONFIG, nor oidc-auth.toml in"),
        (
            '[[issuer]]\nisuer = "https://x.test"\naudiance = "a"\n',
            "issuer[0].isuer: unknown key (did you mean 'issuer'?)",
        ),
        ("[[issuer]\n", "cannot be parsed"),
    ],
)
def test_a_server_without_a_valid_configuration_stops_with_the_whole_report(
    tmp_path: Path, toml: str | None, said: str
) -> None:
    example = tmp_path / "broken"
    example.mkdir()
    for name in ("langgraph.json", "graph.py"):
        (example / name).write_bytes((EXAMPLES / "quickstart" / name).read_bytes())
    if toml is not None:
        (example / "oidc-auth.toml").write_text(toml, "utf-8")
    (tmp_path / "run").mkdir()
    with pytest.raises(ServerError) as stopped, running_dev_server(example, tmp_path / "run", {}):
        pass
    assert said in str(stopped.value)
    assert "Traceback" not in str(stopped.value).partition("oidc_auth:")[2]
