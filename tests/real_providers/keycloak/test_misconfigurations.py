"""Wrong tokens and wrong settings of a client. Each is refused, and the log names the place in the console.

The guide shows the same lines.
"""

from __future__ import annotations

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from real_providers.keycloak.guide import assert_in_guide
from real_providers.keycloak.realm import AUDIENCE_MAPPER, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from real_providers.keycloak.conftest import Guarded
    from real_providers.keycloak.realm import Realm

    AddClient = Callable[..., None]
    Refusal = Callable[[str], str]

FOR_USERS = {"publicClient": True, "directAccessGrantsEnabled": True, "serviceAccountsEnabled": False}


def test_missing_audience_mapper_is_named(refusal: Refusal, realm: Realm, add_client: AddClient) -> None:
    add_client("agents-mobile", **FOR_USERS)
    said = refusal(realm.user("bob", "agents-mobile"))
    assert said.startswith("refused: audience_mismatch")
    assert all(name in said for name in ("'account'", "'agents-mobile'", "> langgraph-api"))


def test_missing_audience_mapper_affects_some_users(guarded: Guarded, realm: Realm, add_client: AddClient) -> None:
    add_client("agents-mobile", **FOR_USERS)
    bob, victor = (realm.user(name, "agents-mobile") for name in ("bob", "victor"))
    # Victor has a role of the client langgraph-api, so Keycloak adds that client to aud.
    assert [guarded.request("POST", "/threads/search", token, {}).status_code for token in (bob, victor)] == [401, 200]


def test_missing_audience_is_explained(refusal: Refusal, realm: Realm, add_client: AddClient) -> None:
    add_client("agents-tv", fullScopeAllowed=False)
    token = realm.machine("agents-tv")
    assert "aud" not in decoded(token)[1]
    said = refusal(token)
    assert said.startswith("refused: audience_mismatch")
    assert "'agents-tv'" in said


def test_token_without_sub_names_client_and_scope(refusal: Refusal, realm: Realm, add_client: AddClient) -> None:
    # A service account has sub without this scope too, from the scope service_account.
    add_client("agents-imported", AUDIENCE_MAPPER, **FOR_USERS)
    realm.admin("DELETE", f"{realm.client('agents-imported')}/default-client-scopes/{realm.scope('basic')['id']}")
    said = refusal(realm.user("alice", "agents-imported"))
    assert said.startswith("refused: identity_invalid")
    assert all(name in said for name in ("'agents-imported'", "'basic'"))


def test_lightweight_token_names_client_and_setting(refusal: Refusal, realm: Realm, add_client: AddClient) -> None:
    add_client("agents-light", AUDIENCE_MAPPER, attributes={"client.use.lightweight.access.token.enabled": "true"})
    said = refusal(realm.machine("agents-light"))
    assert said.startswith("refused: audience_mismatch")
    assert all(name in said for name in ("'agents-light'", "lightweight", "> Off"))


def test_secret_signed_token_names_client_and_setting(refusal: Refusal, realm: Realm, add_client: AddClient) -> None:
    add_client("agents-hmac", AUDIENCE_MAPPER, attributes={"access.token.signed.response.alg": "HS256"})
    said = refusal(realm.machine("agents-hmac"))
    assert said.startswith("refused: alg_not_allowed")
    assert all(name in said for name in ("'HS256'", "'agents-hmac'", "> RS256"))


def test_id_token_is_rejected_by_name(refusal: Refusal, realm: Realm) -> None:
    for tokens in (realm.direct("alice"), realm.login("alice")):
        said = refusal(tokens["id_token"])
        assert said.startswith("refused: token_use_not_allowed: ")
        assert "found typ='ID'" in said


def test_refresh_and_offline_tokens_are_rejected(refusal: Refusal, realm: Realm) -> None:
    for scope, kind in (("openid", "Refresh"), ("openid offline_access", "Offline")):
        said = refusal(realm.direct("alice", scope=scope)["refresh_token"])
        assert said.startswith("refused: alg_not_allowed")
        assert f"'{kind}'" in said


@pytest.fixture
def logout_receiver() -> Iterator[tuple[str, queue.Queue[str]]]:
    """Receive back-channel logouts, and return the address and the received tokens."""
    came: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            came.put(form["logout_token"][0])

        def log_message(self, *arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{receiver.server_port}/logout", came
        finally:
            receiver.shutdown()


def test_logout_token_is_rejected_by_name(
    refusal: Refusal, realm: Realm, add_client: AddClient, logout_receiver: tuple[str, queue.Queue[str]]
) -> None:
    address, came = logout_receiver
    add_client("agents-ending", AUDIENCE_MAPPER, attributes={"backchannel.logout.url": address}, **FOR_USERS)
    realm.user("bob", "agents-ending")
    realm.admin("POST", f"{realm.person('bob')}/logout")
    said = refusal(came.get(timeout=10))
    assert said.startswith("refused: typ_not_allowed: ")
    assert "found 'logout+jwt'" in said


def test_unmapped_user_gets_403_with_log(guarded: Guarded, realm: Realm, caplog: pytest.LogCaptureFixture) -> None:
    values = {"agent-user": ["threads:write"], "agent-admin": ["*:read@all"]}
    client_roles = {"claim": "resource_access.langgraph-api.roles", "accept": ["threads:*"]}
    guarded.configure(permission_map=[{"claim": "realm_access.roles", "values": values}, client_roles])
    role = realm.admin("GET", "/roles/agent-user").json()
    mappings = f"{realm.person('bob')}/role-mappings/realm"
    realm.admin("DELETE", mappings, [role])
    token = realm.user("bob")
    realm.admin("POST", mappings, [role])
    assert guarded.create(token) == 403
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("no permissions:")]
    assert_in_guide(said, realm.issuer)


def test_unreachable_keycloak_is_503_with_log(guarded: Guarded, realm: Realm, caplog: pytest.LogCaptureFixture) -> None:
    guarded.configure(jwks_uri="http://127.0.0.1:9/certs")
    answer = guarded.request("POST", "/threads", realm.machine(), {})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused")]
    assert_in_guide(said, realm.issuer)
