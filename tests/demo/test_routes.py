"""The routes of the page: who gets them, their headers, and the explanation of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from oidc_auth import OIDCAuth
from oidc_auth.cli.demo_page.feed import DecisionFeed
from oidc_auth.cli.demo_page.routes import STATIC, demo_routes
from oidc_auth.testing import LocalIssuer
from oidc_auth.web import install

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "http://127.0.0.1:9999"
CONFIGURATION: dict[str, Any] = {
    "issuer": {
        "preset": "generic",
        "issuer": ISSUER,
        "audience": "agents",
        "tenant": "org",
        "permission_map": [{"claim": "roles", "values": {"editor": ["editor"], "admin": ["*@tenant"]}}],
    },
    "roles": {"editor": ["threads:write", "store:read"]},
    "web": {"public_url": "http://127.0.0.1:2024"},
}
PATHS = ["/demo/", "/demo/main.js", "/demo/setup", "/demo/explain", "/demo/decisions"]


@pytest.fixture
def issuer() -> LocalIssuer:
    return LocalIssuer(ISSUER)


@pytest.fixture
def app(issuer: LocalIssuer) -> Starlette:
    oidc = OIDCAuth.from_dict(CONFIGURATION, fetcher=issuer)
    made = Starlette(routes=demo_routes(oidc, DecisionFeed(), ISSUER))
    install(made, oidc)
    return made


@pytest.fixture
def client(app: Starlette) -> Iterator[TestClient]:
    with TestClient(app, "http://127.0.0.1:2024", client=("127.0.0.1", 50000)) as started:
        yield started


def explain(client: TestClient, issuer: LocalIssuer, **claims: Any) -> dict[str, dict[str, Any]]:
    """Return the rows of a token by the name of their claim."""
    token = issuer.token("alice", **claims)
    answer = client.get("/demo/explain", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return {row["claim"]: row for row in answer.json()["rows"]}


@pytest.mark.parametrize("path", PATHS)
def test_other_host_name_is_refused(client: TestClient, path: str) -> None:
    """A website that lets its own name point to 127.0.0.1 would otherwise read the page."""
    assert client.get(path, headers={"host": "rebound.example:2024"}).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_other_machine_is_refused(app: Starlette, path: str) -> None:
    with TestClient(app, "http://127.0.0.1:2024", client=("192.0.2.7", 50000)) as remote:
        assert remote.get(path).status_code == 403


def test_explanation_needs_valid_token(client: TestClient, issuer: LocalIssuer) -> None:
    expired = issuer.token("alice", lifetime=-600, roles=["editor"])
    assert client.get("/demo/explain").status_code == 401
    assert client.get("/demo/explain", headers={"authorization": f"Bearer {expired}"}).status_code == 401


def test_explanation_names_claim_of_each_permission(client: TestClient, issuer: LocalIssuer) -> None:
    rows = explain(client, issuer, roles=["editor"], org="acme")
    assert (rows["roles"]["value"], rows["roles"]["permissions"]) == ("editor", ["store:read", "threads:write"])
    assert {name for name, row in rows.items() if row["permissions"]} == {"roles"}
    assert all(rows[name]["use"] for name in ("sub", "org", "iss", "aud", "exp"))


@pytest.mark.parametrize(
    ("claims", "permissions"),
    [
        ({"roles": ["admin"], "org": "acme"}, ["*@tenant"]),
        # Without a tenant, a permission for the tenant has no effect.
        ({"roles": ["admin"]}, []),
        ({"roles": ["Editor"], "org": "acme"}, []),
        ({"roles": ["edit*"], "org": "acme"}, []),
    ],
)
def test_explanation_shows_only_effective_permissions(
    client: TestClient, issuer: LocalIssuer, claims: dict[str, Any], permissions: list[str]
) -> None:
    assert explain(client, issuer, **claims)["roles"]["permissions"] == permissions


def test_unused_claim_is_last(client: TestClient, issuer: LocalIssuer) -> None:
    rows = explain(client, issuer, roles=["editor"], org="acme", color="blue")
    assert list(rows)[-1] == "color"
    assert (rows["color"]["use"], rows["color"]["permissions"]) == ("", [])


def test_page_runs_only_own_files(client: TestClient) -> None:
    answer = client.get("/demo/")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == f"'self' {ISSUER}"
    assert policy["frame-ancestors"] == "'none'"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


def test_files_load_nothing_from_elsewhere() -> None:
    for file in STATIC.iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file.name
        assert "https:" not in text, file.name


def test_every_file_is_served_with_type(client: TestClient) -> None:
    types = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for file in STATIC.iterdir():
        answer = client.get("/demo/" if file.name == "index.html" else f"/demo/{file.name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(types[file.suffix[1:]])
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_unknown_file_is_not_found(client: TestClient) -> None:
    assert client.get("/demo/..%2froutes.py").status_code == 404
    assert client.get("/demo/routes.py").status_code == 404


def test_address_without_slash_leads_to_page(client: TestClient) -> None:
    answer = client.get("/demo", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/demo/")


def test_setup_names_provider_and_users(client: TestClient) -> None:
    found = client.get("/demo/setup").json()
    assert (found["issuer"], found["client_id"], found["decisions"]) == (ISSUER, "demo", 0)
    assert list(found["users"]) == ["alice", "bob", "ada", "victor"]
