"""Logout tokens of npm's oidc-provider. Its access tokens have no ``sid``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from real_providers.keycloak.realm import decoded
from real_providers.node_provider import NodeProvider
from real_providers.receiver import WITHIN, captured_notices, running_receiver
from real_providers.relying_party import AUDIENCE, WEB_CLIENT, http_client

if TYPE_CHECKING:
    from pathlib import Path


def test_logout_ends_tokens_without_sid(installed_provider: None, tmp_path: Path) -> None:
    with captured_notices() as (address, notices), NodeProvider(logout=address) as provider:
        table = {
            "issuer": provider.issuer,
            "audience": AUDIENCE,
            "permission_map": {"claim": "scope", "accept": ["threads:*"]},
            "logout_clients": [WEB_CLIENT],
        }
        with running_receiver(tmp_path, table) as receiver, http_client() as browser:
            ended = provider.log_in(browser, "alice", "threads:read")
            bob = provider.user_token("bob", "threads:read")
            token = ended["access_token"]
            assert ("sid" in decoded(token)[1], "sid" in decoded(ended["id_token"])[1]) == (False, True)
            assert [receiver.ask(each) for each in (token, bob)] == [(200, ""), (200, "")]
            provider.log_out(browser, ended["id_token"])
            notice = notices.get(timeout=WITHIN)
            assert {"sub", "sid", "exp"} < decoded(notice)[1].keys()
            assert receiver.ask(notice)[0] == 401
            assert [receiver.notify(notice) for _ in range(2)] == [200, 400]
            assert [receiver.ask(each) for each in (token, bob)] == [(401, "token_revoked"), (200, "")]
