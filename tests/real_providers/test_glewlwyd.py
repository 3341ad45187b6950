"""Tokens of an independent OpenID provider (Debian's Glewlwyd, written in C) on the real LangGraph server.

It signs and publishes keys with other libraries than the provider from npm, so the tests do not depend on one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from real_providers.relying_party import AUDIENCE, OTHER_AUDIENCE

if TYPE_CHECKING:
    from real_providers.glewlwyd import Glewlwyd
    from real_providers.protected_server import ProtectedServer


@pytest.fixture
def protected_server(at_server: ProtectedServer, independent: Glewlwyd) -> ProtectedServer:
    at_server.install(issuer_document(independent))
    return at_server


def issuer_document(provider: Glewlwyd, **table: Any) -> dict[str, Any]:
    # Its access tokens follow RFC 9068, so the test accepts no others.
    issuer = {"preset": "generic", "issuer": provider.issuer, "audience": AUDIENCE, "strict_rfc9068": True}
    return {"issuer": {**issuer, **table}}


def test_machine_and_user_own_their_objects(protected_server: ProtectedServer, independent: Glewlwyd) -> None:
    machine = independent.client_credentials("threads:write")
    alice = independent.user_tokens("threads:write")["access_token"]
    made = [protected_server.request("POST", "/threads", token, {}).json() for token in (machine, alice)]
    owners = [thread["metadata"]["owner"] for thread in made]
    # Its sub is a random string of 32 characters.
    assert (owners[0], len(owners[1])) == ("m2m", 32)
    seen = [
        protected_server.request("GET", f"/threads/{made[0]['thread_id']}", token).status_code
        for token in (machine, alice)
    ]
    assert seen == [200, 404]


def test_missing_scope_is_missing_permission(protected_server: ProtectedServer, independent: Glewlwyd) -> None:
    refused = protected_server.request("POST", "/threads", independent.client_credentials("threads:read"), {})
    assert refused.status_code == 403
    assert refused.json()["detail"].startswith("missing permission threads:create")
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


def test_id_token_and_other_audience_are_rejected(at_server: ProtectedServer, independent: Glewlwyd) -> None:
    id_token = independent.user_tokens("threads:write")["id_token"]
    other = independent.client_credentials("threads:write", resource=OTHER_AUDIENCE)
    for strict, code in ((True, "typ_not_allowed"), (False, "token_use_not_allowed")):
        at_server.install(issuer_document(independent, strict_rfc9068=strict))
        details = [at_server.request("POST", "/threads", token, {}).json()["detail"] for token in (id_token, other)]
        assert [detail.partition(":")[0] for detail in details] == [code, "audience_mismatch"]


def test_list_audience_is_matched(at_server: ProtectedServer, independent: Glewlwyd) -> None:
    # Without a requested API, it writes the whole scope into aud. An audience is never a part of that text.
    token = independent.client_credentials("threads:read threads:write", resource="")
    for audience, status in (("threads:write", 401), ("threads:read threads:write", 200)):
        at_server.install(issuer_document(independent, audience=audience))
        assert at_server.request("POST", "/threads", token, {}).status_code == status


@pytest.mark.parametrize("keep_old", [True, False])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256", "EdDSA"])
def test_rotated_key_works_immediately(
    protected_server: ProtectedServer, independent: Glewlwyd, algorithm: str, *, keep_old: bool
) -> None:
    before = independent.client_credentials("threads:write")
    assert protected_server.request("POST", "/threads", before, {}).status_code == 200
    independent.rotate(algorithm, keep_old=keep_old)
    after = independent.client_credentials("threads:write")
    assert protected_server.request("POST", "/threads", after, {}).status_code == 200
    # The fetch for the new key also shows whether the old key is still published.
    again = protected_server.request("POST", "/threads", before, {})
    assert again.status_code == (200 if keep_old else 401)
    assert keep_old or again.json()["detail"].startswith("key_not_found")
