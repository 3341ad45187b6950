"""The answers in docs/web.md are those of the configuration there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from kit.auth_harness import IssuerRouter
from kit.web import METADATA, bearer, web_client

from oidc_auth import OIDCAuth
from oidc_auth.testing import Clock, Fault, LocalIssuer

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text("utf-8")
DOCUMENT = tomllib.loads(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
NOW = 1_798_631_700


def example(heading: str) -> Any:
    """Return the first JSON example below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def provider(url: str) -> LocalIssuer:
    return LocalIssuer(url, algorithm="ES256", clock=Clock(NOW))


ISSUER = provider("https://sso.acme.com/realms/acme")


def client() -> Any:
    return web_client(OIDCAuth.from_dict(DOCUMENT, fetcher=ISSUER, clock=ISSUER.clock))


def test_metadata_example_is_real() -> None:
    assert client().get(f"{METADATA}/mcp").json() == example("Metadata")


def test_whoami_example_is_real() -> None:
    token = ISSUER.token("f3b1c2d4-alice", typ="Bearer", scope="threads:read", name="Alice", header={"typ": "JWT"})
    answer = client().get("/auth/whoami", headers=bearer(token)).json()
    assert (answer, list(answer)) == (example("whoami"), list(example("whoami")))


def test_ready_example_is_real() -> None:
    partner = provider("https://login.partner.com")
    partner.fault = Fault.DOWN
    more = {
        "issuer": partner.url,
        "audience": "agents",
        "permission_map": {"claim": "scope", "accept": ["threads:read"]},
    }
    issuers = [{**DOCUMENT["issuer"][0], "identity_prefix": ""}, {**more, "identity_prefix": "partner:"}]
    oidc = OIDCAuth.from_dict(
        {**DOCUMENT, "issuer": issuers}, fetcher=IssuerRouter(ISSUER, partner), clock=ISSUER.clock
    )
    answer = web_client(oidc).get("/auth/ready").json()
    assert {**answer, "configuration": ""} == {**example("ready"), "configuration": ""}
    assert len(answer["configuration"]) == len(example("ready")["configuration"])


def test_challenge_example_is_real() -> None:
    shown = re.search(r"www-authenticate: (.*?)\n```", PAGE, re.DOTALL)
    assert shown is not None
    answer = client().get("/auth/whoami")
    assert answer.headers["www-authenticate"] == " ".join(shown[1].split())
