"""A real server refuses the tokens of a session that the local provider ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from kit.relying_party import RelyingParty
from kit.uvicorn_server import ZERO_CODE, environment_for, running_uvicorn
from kit.web_server import PUBLIC_URL, WEB_APP

from oidc_auth.local_provider import Client, LocalProvider

if TYPE_CHECKING:
    from pathlib import Path

    from oidc_auth.local_provider.activity import Activity


def test_server_refuses_tokens_of_ended_session(tmp_path: Path) -> None:
    activities: list[Activity] = []
    provider = LocalProvider(algorithm="ES256", report=activities.append)
    with provider.served() as url:
        environ = environment_for(tmp_path, configuration(url), ZERO_CODE, app=WEB_APP)
        with running_uvicorn(tmp_path, environ, "asyncio") as (host, port), RelyingParty(provider) as spa:
            provider.put_client(Client("spa", backchannel_logout_uri=f"http://{host}:{port}/auth/backchannel-logout"))
            tokens, other = spa.log_in("alice"), provider.token("bob")
            # Its key is new for the server, so the server asks the provider while the provider waits for the answer.
            provider.rotate()

            def search(token: str) -> int:
                header = {"authorization": f"Bearer {token}"}
                return httpx.post(f"http://{host}:{port}/threads/search", json={}, headers=header).status_code

            before = [search(tokens["access_token"]), search(other)]
            left = spa.http.get("/end-session", params={"id_token_hint": tokens["id_token"]})
            after = [search(tokens["access_token"]), search(other)]
    assert (before, left.status_code, after) == ([200, 200], 200, [401, 200])
    assert [each.text for each in activities if each.failed] == []


def configuration(url: str) -> dict[str, Any]:
    """Return the configuration of the server, as the documentation shows it."""
    return {
        "issuer": {
            "preset": "generic",
            "issuer": url,
            "audience": "agents",
            "logout_clients": ["spa"],
            "permission_map": {"claim": "roles", "values": {"editor": ["threads:read"]}},
        },
        "web": {"public_url": PUBLIC_URL},
        "revocation": {"store": "memory"},
    }
