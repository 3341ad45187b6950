"""Run an example as a server, with a local issuer as its provider."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from oidc_auth.cli.dev_server import DevServer, running_dev_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidc_auth.testing import LocalIssuer

EXAMPLES = Path(__file__).parents[2] / "examples"
VARIABLES = {
    "quickstart": "OIDC_ISSUER",
    "approvals": "OIDC_ISSUER",
    "keycloak": "KEYCLOAK_URL",
    "several-issuers": "OKTA_ISSUER",
    "auth0": "AUTH0_DOMAIN",
    "observability": "OIDC_ISSUER",
}
AUTH0_DOMAIN = 'domain = "${AUTH0_DOMAIN}"'


@contextmanager
def started(name: str, issuer: LocalIssuer, folder: Path) -> Iterator[tuple[DevServer, httpx.Client]]:
    """Run ``langgraph dev`` with an example."""
    example = with_local_issuer(EXAMPLES / name, folder, issuer)
    (folder / "run").mkdir()
    with (
        running_dev_server(example, folder / "run", {VARIABLES[name]: issuer.url}) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        yield server, client


def with_local_issuer(example: Path, folder: Path, issuer: LocalIssuer) -> Path:
    """Return the folder of an example, configured for the local issuer."""
    # The Auth0 preset builds an https issuer from the domain, so a copy of the example sets the issuer.
    if example.name != "auth0":
        return example
    copy = folder / "auth0"
    copy.mkdir()
    for file in example.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    toml = copy / "oidc-auth.toml"
    text = toml.read_text("utf-8")
    assert AUTH0_DOMAIN in text
    toml.write_text(text.replace(AUTH0_DOMAIN, f'issuer = "{issuer.url}"'), "utf-8")
    return copy
