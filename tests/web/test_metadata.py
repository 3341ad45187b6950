"""The metadata of this server as an OAuth protected resource (RFC 9728)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.web import MCP_URL, METADATA, PUBLIC_URL, SCOPES, web_auth, web_client, web_document

from oidc_auth import OIDCAuth

if TYPE_CHECKING:
    from oidc_auth.testing import LocalIssuer

OTHER = {
    "preset": "generic",
    "issuer": "https://other.test/",
    "audience": "agents",
    "permission_map": {"claim": "scope", "accept": ["threads:search"]},
}


def metadata(issuer: LocalIssuer, path: str = "", *more: dict[str, Any], **settings: Any) -> Any:
    """Return the metadata of a path."""
    answer = web_client(web_auth(issuer, *more, **settings)).get(METADATA + path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()


@pytest.mark.parametrize(("path", "resource"), [("", PUBLIC_URL), ("/mcp", MCP_URL)])
def test_document_names_resource_issuer_and_scopes(issuer: LocalIssuer, path: str, resource: str) -> None:
    assert metadata(issuer, path) == {
        "resource": resource,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(SCOPES),
    }


@pytest.mark.parametrize("public_url", [PUBLIC_URL, f"{PUBLIC_URL}/"])
def test_resource_has_no_final_slash(issuer: LocalIssuer, public_url: str) -> None:
    assert metadata(issuer, web={"public_url": public_url})["resource"] == PUBLIC_URL
    assert metadata(issuer, "/mcp", web={"public_url": public_url})["resource"] == MCP_URL


def test_resource_includes_path_of_public_url(issuer: LocalIssuer) -> None:
    found = metadata(issuer, "/mcp", web={"public_url": f"{PUBLIC_URL}/lg"})
    assert found["resource"] == f"{PUBLIC_URL}/lg/mcp"


def test_issuer_is_spelled_as_configured(issuer: LocalIssuer) -> None:
    issuer.url = "https://issuer.test/"
    assert metadata(issuer)["authorization_servers"] == ["https://issuer.test/"]


def test_issuer_of_challenges_is_first(issuer: LocalIssuer) -> None:
    found = metadata(issuer, "", OTHER, web={"challenge_issuer": "https://other.test/"})
    assert found["authorization_servers"] == ["https://other.test/", issuer.url]
    assert found["scopes_supported"] == ["threads:search"]


def test_issuers_of_proxies_and_id_tokens_are_left_out(issuer: LocalIssuer) -> None:
    proxy = {**OTHER, "header": "x-token", "allowed_origins": []}
    roles = {"claim": "roles", "values": {"a": ["threads:read"]}}
    logins = {**OTHER, "issuer": "https://login.test", "token_type": "id", "permission_map": roles}
    assert metadata(issuer, "", proxy, logins)["authorization_servers"] == [issuer.url]


def test_issuers_of_jobs_and_pods_are_left_out(issuer: LocalIssuer) -> None:
    subject = {"claim": "sub", "values": {"job": ["threads:read"]}}
    pods = {**OTHER, "preset": "kubernetes", "permission_map": subject}
    jobs = {
        "preset": "github-actions",
        "audience": "agents",
        "permission_map": subject,
        "require": {"repository": "a/b"},
    }
    assert metadata(issuer, "", pods, jobs)["authorization_servers"] == [issuer.url]


@pytest.mark.parametrize(
    ("claim", "expected"), [("scope", list(SCOPES)), ("roles", ["openid"])], ids=["scopes", "no scopes"]
)
def test_scopes_belong_to_listed_server(issuer: LocalIssuer, claim: str, expected: list[str]) -> None:
    proxy = {**OTHER, "header": "x-token", "allowed_origins": [], "identity_prefix": "proxy:"}
    maps = {"claim": claim, "values": {name: [name] for name in SCOPES}}
    own = {**web_document(issuer, permission_map=maps)["issuer"][0], "identity_prefix": "own:"}
    document = {"issuer": [proxy, own], "web": {"public_url": PUBLIC_URL}}
    found = web_client(OIDCAuth.from_dict(document, fetcher=issuer)).get(METADATA).json()
    assert (found["authorization_servers"], found["scopes_supported"]) == ([issuer.url], expected)


@pytest.mark.parametrize(
    "permission_map",
    [{"claim": "roles", "values": {"a": ["threads:read"]}}, {"claim": "scope", "accept": ["threads:*"]}],
)
def test_unknown_scopes_are_left_out(issuer: LocalIssuer, permission_map: Any) -> None:
    # A client that finds no scopes requests all that the provider lists, so there is always one.
    assert metadata(issuer, permission_map=permission_map)["scopes_supported"] == ["openid"]


def test_scope_prefix_is_put_before_each_scope(issuer: LocalIssuer) -> None:
    found = metadata(issuer, scope_prefix="api://agents/")
    assert found["scopes_supported"] == [f"api://agents/{scope}" for scope in SCOPES]


def test_mapped_scopes_are_listed_as_requested(issuer: LocalIssuer) -> None:
    maps = [
        {"claim": "scope", "accept": ["threads:read"], "strip_prefix": "agents/"},
        {"claim": "scp", "values": {"Threads.Write": ["threads:write"], "Admin.*": ["*@all"]}},
    ]
    assert metadata(issuer, permission_map=maps)["scopes_supported"] == ["agents/threads:read", "Threads.Write"]


def test_without_mcp_there_is_one_document(issuer: LocalIssuer) -> None:
    client = web_client(web_auth(issuer, web={"mcp": False}))
    assert client.get(f"{METADATA}/mcp").status_code == 404
    assert client.get(METADATA).json()["resource"] == PUBLIC_URL


@pytest.mark.parametrize("path", [METADATA, f"{METADATA}/mcp", "/auth/ready", "/auth/whoami"])
def test_answer_repeats_nothing_of_request(issuer: LocalIssuer, path: str) -> None:
    client = web_client(web_auth(issuer))
    plain = client.get(path)
    marked = client.get(
        f"{path}?resource=https://evil.test&q=evil",
        headers={
            "host": "evil.test",
            "x-forwarded-host": "evil.test",
            "x-forwarded-proto": "evil",
            "x-forwarded-prefix": "/evil",
            "forwarded": "host=evil.test;proto=evil",
            "origin": "https://evil.test",
        },
    )
    assert seen(marked) == seen(plain)
    assert "evil" not in marked.text + str(marked.headers)


def seen(answer: Any) -> tuple[int, str, dict[str, str]]:
    return answer.status_code, answer.text, dict(answer.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", [METADATA, "/auth/whoami", "/auth/ready"])
def test_other_methods_are_not_answered(issuer: LocalIssuer, method: str, path: str) -> None:
    assert web_client(web_auth(issuer)).request(method, path).status_code == 405


def test_head_has_headers_of_get(issuer: LocalIssuer) -> None:
    client = web_client(web_auth(issuer))
    assert client.head(METADATA).headers == client.get(METADATA).headers
