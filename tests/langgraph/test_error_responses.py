"""Status, message and headers of a refusal, as the real server sends them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser
    from kit.snapshots import Messages


def test_missing_token_is_401_without_error(live_server: LiveServer, messages: Messages) -> None:
    answer = live_server.server.request("POST", "/threads/search", None, {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="langgraph"'
    assert set(answer.json()) == {"detail"}
    messages.check(answer.json()["detail"])


def test_invalid_token_is_401_with_code(live_server: LiveServer, messages: Messages) -> None:
    answer = live_server.server.request("POST", "/threads/search", live_server.issuer.token(lifetime=-60), {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith(
        'Bearer error="invalid_token", error_description="token_expired: '
    )
    messages.check(answer.headers["www-authenticate"])
    messages.check(answer.json()["detail"])


def test_two_authorization_headers_are_rejected(live_server: LiveServer, alice: SampleUser) -> None:
    fields = [("authorization", f"Bearer {alice.token}"), ("authorization", "Bearer other")]
    answer = live_server.server.client.post("/threads/search", json={}, headers=fields)
    assert (answer.status_code, answer.json()["detail"][:15]) == (401, "header_repeated")


def test_missing_permission_is_403_with_hint(live_server: LiveServer, messages: Messages) -> None:
    answer = live_server.user("victor", "viewer")("POST", "/threads", {})
    assert answer.status_code == 403
    messages.check(answer.json()["detail"])
    assert "www-authenticate" not in answer.headers


def test_unmapped_token_is_403(live_server: LiveServer, messages: Messages) -> None:
    answer = live_server.user("guest", "visitor")("POST", "/threads/search", {})
    assert answer.status_code == 403
    messages.check(answer.json()["detail"])


def test_insufficient_scope_names_helpful_scope(live_server: LiveServer) -> None:
    scopes = {"claim": "scope", "strip_prefix": "agents/", "accept": ["threads:*"]}
    issuer = {"issuer": live_server.issuer.url, "audience": "agents", "permission_map": scopes}
    live_server.server.install(protect(OIDCAuth.from_dict({"issuer": issuer}, fetcher=live_server.issuer)))
    answer = live_server.server.request("POST", "/threads", live_server.issuer.token(scope="agents/threads:read"), {})
    assert answer.status_code == 403
    assert (
        'error="insufficient_scope", scope="agents/threads:create agents/threads:read"'
        in answer.headers["www-authenticate"]
    )
    refused = live_server.server.request(
        "POST", "/assistants", live_server.issuer.token(scope="agents/threads:read"), {"graph_id": "agent"}
    )
    assert "www-authenticate" not in refused.headers


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.ERROR, Fault.HTML, Fault.EMPTY])
def test_provider_outage_is_503_with_retry_after(live_server: LiveServer, fault: Fault) -> None:
    cold = LocalIssuer()
    cold.fault = fault
    issuer = {"preset": "generic", "issuer": cold.url, "audience": "agents"}
    live_server.server.install(protect(OIDCAuth.from_dict({"issuer": issuer}, fetcher=cold)))
    answer = live_server.server.request("POST", "/threads/search", cold.token(), {})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"].startswith("keys_unavailable: ")
    assert "www-authenticate" not in answer.headers


def test_studio_is_denied_by_default(live_server: LiveServer) -> None:
    answers = {}
    for studio in ("deny", "own", "all"):
        live_server.enforce(langgraph={"studio": studio})
        answers[studio] = live_server.server.request("POST", "/threads", None, {}, x_auth_scheme="langsmith")
    assert {name: answer.status_code for name, answer in answers.items()} == {"deny": 403, "own": 200, "all": 200}
    assert answers["own"].json()["metadata"]["owner"] == "langgraph-studio-user"


def test_studio_has_separate_store_user(live_server: LiveServer) -> None:
    live_server.enforce(langgraph={"studio": "own"})
    said = {"assistant_id": "memory", "input": {"text": "hello"}}
    path = f"/threads/{uuid.uuid4()}/runs/wait"
    answer = live_server.server.request(
        "POST", path, None, {**said, "if_not_exists": "create"}, x_auth_scheme="langsmith"
    )
    assert answer.json()["user"]["identity"] == "langgraph-studio-user"


def test_studio_needs_all_for_other_threads(live_server: LiveServer, alice: SampleUser) -> None:
    path, seen = alice.thread(), {}
    for studio in ("own", "all"):
        live_server.enforce(langgraph={"studio": studio})
        seen[studio] = live_server.server.request("GET", path, None, None, x_auth_scheme="langsmith").status_code
    assert seen == {"own": 404, "all": 200}


def test_failing_mapper_denies_and_reveals_nothing(live_server: LiveServer) -> None:
    def fails(claims: object, caller: object) -> object:
        raise RuntimeError(str(claims))

    issuer = {"preset": "generic", "issuer": live_server.issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": issuer}, fetcher=live_server.issuer, mapper=fails)  # type: ignore[arg-type]
    live_server.server.install(protect(oidc))
    answer = live_server.server.request("POST", "/threads/search", live_server.issuer.token(), {})
    assert (answer.status_code, "alice" in answer.text) == (403, False)
