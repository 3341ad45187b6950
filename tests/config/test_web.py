"""The table ``[web]``: what is accepted, refused and warned about."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_auth import OIDCAuth
from oidc_auth.config.load import load_mapping
from oidc_auth.errors import ConfigError, Problem

ISSUER = {
    "preset": "generic",
    "issuer": "https://id.acme.com",
    "audience": "agents",
    "permission_map": {"claim": "scope", "accept": ["threads:read"]},
}
URL = "https://agents.acme.com"


def problems(issuer: Any = ISSUER, **web: Any) -> list[Problem]:
    try:
        load_mapping({"issuer": issuer, "web": {"public_url": URL, **web}})
    except ConfigError as error:
        return list(error.problems)
    return []


def warnings(accept: Any, **web: Any) -> str:
    issuer = {**ISSUER, "permission_map": accept}
    return " ".join(load_mapping({"issuer": issuer, "web": {"public_url": URL, **web}}).warnings)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}/",
        f"{URL}/lg/v1",
        f"{URL}:8443",
        "https://xn--bcher-kva.example",
        "https://10.0.0.1",
        "https://[2001:db8::1]:8443/a",
        "http://localhost:2024",
        "http://127.0.0.1:2024",
        "http://[::1]:2024",
    ],
)
def test_public_url_is_accepted(url: str) -> None:
    assert problems(public_url=url) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "agents.acme.com",
        "http://agents.acme.com",
        "HTTPS://agents.acme.com",
        "https://AGENTS.acme.com",
        f"{URL}:443",
        f"{URL}:0",
        f"{URL}:",
        f"{URL}//",
        f"{URL}/a/../b",
        f"{URL}/.",
        f"{URL}/%6dcp",
        f"{URL}?x=1",
        f"{URL}#x",
        f"{URL}/a b",
        f'{URL}/"',
        f"{URL}/\\",
        f"{URL}\n",
        "https://user:secret@agents.acme.com",
        "https://bücher.example",
        "api://agents",
        "https://",
    ],
)
def test_public_url_is_refused(url: str) -> None:
    (problem,) = problems(public_url=url)
    assert (problem.where, bool(problem.hint)) == ("web.public_url", True)
    assert "secret" not in str(problem)


def test_missing_variable_is_reported_once() -> None:
    web = {"public_url": "${NOT_SET_URL}", "prefix": "${NOT_SET_PREFIX}", "challenge_issuer": "${NOT_SET_ISSUER}"}
    assert [problem.where for problem in problems(**web)] == ["web.public_url", "web.prefix", "web.challenge_issuer"]
    assert all("NOT_SET" in problem.message for problem in problems(**web))


@pytest.mark.parametrize("prefix", ["/auth", "/my/auth", "/~auth", "/threadsx", "/v1.0"])
def test_prefix_is_accepted(prefix: str) -> None:
    assert problems(prefix=prefix) == []


@pytest.mark.parametrize(
    "prefix",
    ["", "/", "auth", "/auth/", "//auth", "/a/../b", "/a b", "/{path:path}", "/auth?x", "/.well-known", "/%61"]
    + [
        f"/{name}"
        for name in ("mcp", "threads", "ui", "ok", "info", "store/x", "runs", "assistants", "a2a", "internal")
    ],
)
def test_prefix_is_refused(prefix: str) -> None:
    assert [(problem.where, bool(problem.hint)) for problem in problems(prefix=prefix)] == [("web.prefix", True)]


def test_prefix_is_no_path_of_server() -> None:
    from kit.routes import ROUTES

    first = {route.partition(" ")[2].split("/")[1] for route in ROUTES} - {""}
    refused = {name for name in first if problems(prefix=f"/{name}")}
    assert first - refused == set()


def test_challenge_issuer_must_be_configured() -> None:
    (problem,) = problems(challenge_issuer="https://id.acme.con")
    assert (problem.where, "https://id.acme.com" in problem.hint) == ("web.challenge_issuer", True)
    (problem,) = problems(challenge_issuer="https://else.test")
    assert problem.where == "web.challenge_issuer"
    assert problems(challenge_issuer="https://id.acme.com") == []


@pytest.mark.parametrize("setting", [{"header": "x-token"}, {"token_type": "id"}])
def test_challenge_issuer_must_have_scopes(setting: dict[str, Any]) -> None:
    proxy = {**ISSUER, **setting, "issuer": "https://proxy.test", "identity_prefix": "proxy:"}
    web = {"public_url": URL, "challenge_issuer": "https://proxy.test"}
    with pytest.raises(ConfigError) as refused:
        load_mapping({"issuer": [{**ISSUER, "identity_prefix": "id:"}, proxy], "web": web})
    assert "web.challenge_issuer" in [problem.where for problem in refused.value.problems]


def test_tenant_issuer_can_be_challenge_issuer() -> None:
    tenant = "11111111-2222-3333-4444-555555555555"
    issuer = {"preset": "entra", "tenants": [tenant], "audience": "agents", "default_role": "user"}
    url = f"https://login.microsoftonline.com/{tenant}/v2.0"
    found = OIDCAuth.from_dict(
        {"issuer": issuer, "roles": {"user": ["threads:read"]}, "web": {"public_url": URL, "challenge_issuer": url}}
    )
    assert found.resource is not None
    assert found.resource.authorization_servers[0] == url


@pytest.mark.parametrize("key", ["stream_expiry", "websocket_tokens", "mcp", "unknown", "public_url"])
def test_wrong_type_is_reported(key: str) -> None:
    assert [problem.where for problem in problems(**{key: 5})] == [f"web.{key}"]


def test_public_url_is_required() -> None:
    with pytest.raises(ConfigError) as refused:
        load_mapping({"issuer": ISSUER, "web": {}})
    assert [problem.where for problem in refused.value.problems] == ["web.public_url"]


@pytest.mark.parametrize(
    ("maps", "web", "expected"),
    [
        ({"claim": "scope", "accept": ["threads:*"]}, {}, "only patterns"),
        ({"claim": "scope", "accept": ["threads:*"]}, {"mcp": False}, ""),
        ({"claim": "scope", "accept": ["threads:*", "assistants:read"]}, {}, ""),
        ({"claim": "scope", "values": {"a": ["threads:*"]}}, {}, ""),
        ({"claim": "roles", "values": {"a": ["threads:*"]}}, {}, ""),
        ({"claim": "scope", "accept": ["threads:read"]}, {"public_url": f"{URL}/mcp"}, "ends in /mcp"),
        ({"claim": "scope", "accept": ["threads:read"]}, {"public_url": f"{URL}/mcp/"}, "ends in /mcp"),
    ],
)
def test_probable_mistake_is_warned_about(maps: Any, web: Any, expected: str) -> None:
    found = warnings(maps, **web)
    assert (expected in found) if expected else ("web" not in found)


@pytest.mark.parametrize(
    ("audience", "is_warned"), [(f"{URL}/mcp", True), (["agents", f"{URL}/mcp"], True), (URL, False), ("agents", False)]
)
def test_mcp_address_as_audience_is_warned_about(audience: Any, *, is_warned: bool) -> None:
    document = {"issuer": {**ISSUER, "audience": audience}, "web": {"public_url": f"{URL}/"}}
    assert ("outside of /mcp" in " ".join(load_mapping(document).warnings)) is is_warned
