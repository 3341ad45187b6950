"""Tokens of a certified OpenID provider (npm oidc-provider) on the real LangGraph server.

The provider runs on 127.0.0.1. The HTTP client of the library fetches its discovery document and keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from real_providers.node_provider import TENANT_CLAIM, Alg, NodeProvider
from real_providers.relying_party import AUDIENCE, OTHER_AUDIENCE

if TYPE_CHECKING:
    from real_providers.protected_server import ProtectedServer

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}


@pytest.fixture
def protected_server(at_server: ProtectedServer, provider: NodeProvider) -> ProtectedServer:
    at_server.install(issuer_document(provider))
    return at_server


def issuer_document(provider: NodeProvider, **table: Any) -> dict[str, Any]:
    permission_maps = [
        {"claim": "scope", "accept": ["threads:*", "assistants:read"]},
        {"claim": "roles", "values": {"agent-user": ["threads:write"], "agent-viewer": ["threads:read"]}},
    ]
    issuer = {
        "issuer": provider.issuer,
        "audience": AUDIENCE,
        "tenant": TENANT_CLAIM,
        "permission_map": permission_maps,
    }
    return {"issuer": {**issuer, **table}}


def test_machine_token_creates_thread_and_runs(protected_server: ProtectedServer, provider: NodeProvider) -> None:
    machine = provider.client_credentials("threads:write")
    made = protected_server.request("POST", "/threads", machine, {})
    assert (made.status_code, made.json()["metadata"]["owner"]) == (200, "m2m")
    ran = protected_server.request("POST", f"/threads/{made.json()['thread_id']}/runs/wait", machine, RUN)
    assert ran.json()["answer"] == "m2m said hello"


def test_login_token_maps_role_and_tenant(protected_server: ProtectedServer, provider: NodeProvider) -> None:
    alice, victor = (provider.user_token(name, "") for name in ("alice", "victor"))
    made = protected_server.request("POST", "/threads", alice, {})
    assert made.json()["metadata"] == {"owner": "alice", "tenant": "acme"}
    refused = protected_server.request("POST", "/threads", victor, {})
    assert (refused.status_code, refused.json()["detail"][:33]) == (403, "missing permission threads:create")
    assert protected_server.request("GET", f"/threads/{made.json()['thread_id']}", victor).status_code == 404


def test_other_audience_and_id_token_are_rejected(protected_server: ProtectedServer, provider: NodeProvider) -> None:
    other = provider.client_credentials("threads:write", resource=OTHER_AUDIENCE)
    id_token = provider.user_tokens("alice", "")["id_token"]
    details = [protected_server.request("POST", "/threads", token, {}).json()["detail"] for token in (other, id_token)]
    assert [detail.partition(":")[0] for detail in details] == ["audience_mismatch", "audience_mismatch"]


@pytest.mark.parametrize("keep_old", [True, False])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256", "EdDSA"])
def test_rotated_key_works_immediately(
    protected_server: ProtectedServer, provider: NodeProvider, algorithm: Alg, *, keep_old: bool
) -> None:
    before = provider.client_credentials("threads:write")
    assert protected_server.request("POST", "/threads", before, {}).status_code == 200
    provider.rotate(algorithm, keep_old=keep_old)
    after = provider.client_credentials("threads:write")
    assert protected_server.request("POST", "/threads", after, {}).status_code == 200
    # The fetch for the new key also shows whether the old key is still published.
    again = protected_server.request("POST", "/threads", before, {})
    assert again.status_code == (200 if keep_old else 401)
    assert keep_old or again.json()["detail"].startswith("key_not_found")


def test_each_asymmetric_algorithm_is_accepted(at_server: ProtectedServer, provider: NodeProvider) -> None:
    for algorithm in get_args(Alg):
        provider.rotate(algorithm, keep_old=False)
        token = provider.client_credentials("threads:write")
        at_server.install(issuer_document(provider))
        assert at_server.request("POST", "/threads", token, {}).status_code == 200, algorithm
        at_server.install(issuer_document(provider, algorithms=["ES256" if algorithm == "RS256" else "RS256"]))
        refused = at_server.request("POST", "/threads", token, {}).json()
        assert refused["detail"].startswith("alg_not_allowed"), algorithm


@pytest.mark.parametrize("path", ["", "/", "/realms/acme", "/realms/acme/"])
def test_issuer_is_compared_exactly(at_server: ProtectedServer, installed_provider: None, path: str) -> None:
    with NodeProvider(path=path) as provider:
        token = provider.client_credentials("threads:write")
        at_server.install(issuer_document(provider))
        assert at_server.request("POST", "/threads", token, {}).status_code == 200
        other = provider.issuer.removesuffix("/") if provider.issuer.endswith("/") else f"{provider.issuer}/"
        at_server.install(issuer_document(provider, issuer=other))
        assert at_server.request("POST", "/threads", token, {}).json()["detail"].startswith("issuer_not_trusted")


def test_strict_rfc9068_accepts_conforming_provider(at_server: ProtectedServer, provider: NodeProvider) -> None:
    at_server.install(issuer_document(provider, strict_rfc9068=True))
    token = provider.client_credentials("threads:write")
    assert at_server.request("POST", "/threads", token, {}).status_code == 200
