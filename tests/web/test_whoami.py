"""``whoami`` tells callers who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.web import ALL_SCOPES, METADATA, PUBLIC_URL, bearer, web_auth, web_client, web_document

from oidc_auth import OIDCAuth
from oidc_auth.testing import Fault

if TYPE_CHECKING:
    from oidc_auth.testing import LocalIssuer


def test_answer_has_caller_and_nothing_else(issuer: LocalIssuer) -> None:
    oidc = web_auth(issuer, tenant="org", display_name="name", claims=["groups"])
    token = issuer.token("alice", scope="threads:read", org="acme", name="Alice", groups=["a"], secret="hidden")
    answer = web_client(oidc).get("/auth/whoami", headers=bearer(token))
    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert body.pop("expires_at") > issuer.clock()
    assert body == {
        "identity": "alice",
        "display_name": "Alice",
        "issuer": issuer.url,
        "tenant": "acme",
        "permissions": ["threads:read", "threads:search"],
        "graphs": None,
        "claims": {"groups": ["a"]},
    }
    assert token not in answer.text


def test_answer_shows_sharing_and_approvals(issuer: LocalIssuer) -> None:
    granted = {"claim": "scope", "accept": ["threads:share", "threads:resume@tenant"]}
    oidc = web_auth(issuer, tenant="org", permission_map=granted)
    token = issuer.token(scope="threads:share threads:resume@tenant", org="acme")
    body = web_client(oidc).get("/auth/whoami", headers=bearer(token)).json()
    assert {"threads:share", "threads:resume@tenant"} <= set(body["permissions"])


def test_caller_without_tenant_has_null(issuer: LocalIssuer) -> None:
    token = issuer.token(scope="threads:read")
    assert web_client(web_auth(issuer)).get("/auth/whoami", headers=bearer(token)).json()["tenant"] is None


@pytest.mark.parametrize(
    ("headers", "error"), [({}, ""), ({"authorization": "Basic x"}, ""), (bearer("a.b.c"), 'error="invalid_token", ')]
)
def test_refusal_has_challenge_and_is_not_stored(issuer: LocalIssuer, headers: Any, error: str) -> None:
    answer = web_client(web_auth(issuer)).get("/auth/whoami", headers=headers)
    expected = f'Bearer {error}scope="{ALL_SCOPES}", resource_metadata="{PUBLIC_URL}{METADATA}"'
    assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")
    assert answer.headers["www-authenticate"].startswith(expected)
    assert set(answer.json()) == {"detail"}


def test_outage_is_503(issuer: LocalIssuer) -> None:
    issuer.fault = Fault.DOWN
    answer = web_client(web_auth(issuer)).get("/auth/whoami", headers=bearer(issuer.token(scope="threads:read")))
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "www-authenticate" not in answer.headers


def test_failing_mapper_is_403_without_details(issuer: LocalIssuer) -> None:
    def mapper(claims: Any, caller: Any) -> Any:
        raise RuntimeError(f"secret of {caller} and {claims}")

    oidc = OIDCAuth.from_dict(web_document(issuer), fetcher=issuer, mapper=mapper)
    answer = web_client(oidc).get("/auth/whoami", headers=bearer(issuer.token(scope="threads:read")))
    assert (answer.status_code, "secret" in answer.text) == (403, False)


def test_second_authorization_header_is_refused(issuer: LocalIssuer) -> None:
    value = f"Bearer {issuer.token(scope='threads:read')}"
    answer = web_client(web_auth(issuer)).get("/auth/whoami", headers=[("authorization", value)] * 2)
    assert answer.status_code == 401


def test_token_in_query_string_is_refused(issuer: LocalIssuer) -> None:
    token = issuer.token(scope="threads:read")
    assert web_client(web_auth(issuer)).get(f"/auth/whoami?access_token={token}").status_code == 401


def test_prefix_moves_routes(issuer: LocalIssuer) -> None:
    client = web_client(web_auth(issuer, web={"prefix": "/my/auth"}))
    assert client.get("/my/auth/whoami", headers=bearer(issuer.token(scope="threads:read"))).status_code == 200
    assert (client.get("/my/auth/ready").status_code, client.get("/auth/ready").status_code) == (200, 404)
