"""``insecure_http_hosts``: the only way to fetch keys over plain http from another host."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import USERS, table

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.config.load import load_mapping
from oidc_auth.errors import OIDCAuthError
from oidc_auth.keys.fetch import Response, forbidden_url_reason
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REALM = "http://keycloak:8080/realms/acme"


def keycloak(**changes: Any) -> dict[str, Any]:
    table = {"preset": "keycloak", "url": REALM, "audience": "agents", **changes}
    return {key: value for key, value in table.items() if value is not ...}


def problems(table: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        load_mapping({"issuer": table})
    except ConfigError as error:
        return [(problem.where, problem.message) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, "url"),
        ({"url": ..., "issuer": REALM}, "issuer"),
        ({"url": "https://sso.acme.com/realms/acme", "jwks_uri": f"{REALM}/certs"}, "jwks_uri"),
        ({"preset": "generic", "url": ..., "issuer": "https://a.test", "aliases": ["http://b.test"]}, "aliases[0]"),
        ({"insecure_http_hosts": ["other", "keycloak.evil.test", "key"]}, "url"),
    ],
)
def test_http_problem_names_written_key(changes: dict[str, Any], key: str) -> None:
    (problem,) = problems(keycloak(**changes))
    assert problem[0] == f"issuer[0].{key}"
    assert "insecure_http_hosts" in problem[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"insecure_http_hosts": "keycloak"},
        {"insecure_http_hosts": ["x", "keycloak"]},
        {"url": ..., "issuer": "http://KEYCLOAK/", "preset": "generic", "insecure_http_hosts": "keycloak"},
        {"url": "http://10.0.0.5/realms/a", "insecure_http_hosts": "10.0.0.5"},
        {"url": "http://[fd00::5]/realms/a", "insecure_http_hosts": "fd00::5"},
    ],
)
def test_listed_host_is_accepted_with_warning(changes: dict[str, Any]) -> None:
    loaded = load_mapping({"issuer": keycloak(**changes)})
    assert ["insecure_http_hosts" in warning for warning in loaded.warnings] == [True]


def test_unencrypted_bearer_file_is_warned(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret", "utf-8")
    loaded = load_mapping({"issuer": keycloak(insecure_http_hosts="keycloak", bearer_file=str(file))})
    assert ["bearer_file" in warning for warning in loaded.warnings] == [False, True]


@pytest.mark.parametrize(
    "host", ["*", "*.acme.com", "http://keycloak", "keycloak:8080", "KEYCLOAK", "key cloak", "[::1]", "a.", "a/b", "ké"]
)
def test_host_must_be_exact_name(host: str) -> None:
    found = problems(keycloak(insecure_http_hosts=["keycloak", host]))
    assert [where for where, _ in found] == ["issuer[0].insecure_http_hosts[1]"]


def test_hosts_need_fetched_keys() -> None:
    found = problems(table(insecure_http_hosts=["keycloak"]))
    assert [where for where, _ in found] == ["issuer[0].insecure_http_hosts"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/keys",
        "http://2852039166/keys",
        "http://keycloak.evil.test/",
        "http://evil.test#@keycloak/",
        "http://user@keycloak/",
        "http://keycloak./",
        "http://ke%79cloak/",
        "ftp://keycloak/",
    ],
)
def test_listing_opens_no_other_address(url: str) -> None:
    hosts = {"keycloak", "169.254.169.254", "2852039166"}
    assert forbidden_url_reason(url, hosts) is not None


class MetadataFetcher:
    """Serves an issuer's metadata with any ``jwks_uri``, and its keys at every other address."""

    def __init__(self, issuer: LocalIssuer, jwks_uri: str) -> None:
        self.issuer, self.jwks_uri = issuer, jwks_uri
        self.fetched: list[str] = []

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        self.fetched.append(url)
        metadata = {"issuer": self.issuer.url, "jwks_uri": self.jwks_uri}
        answer = metadata if url.endswith("openid-configuration") else self.issuer.key_set()
        return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("issuer", "jwks_uri", "accepted"),
    [
        ("http://keycloak", "http://keycloak/keys", True),
        ("http://keycloak", "https://keycloak/keys", True),
        ("http://keycloak", "http://other/keys", False),
        ("http://keycloak", "http://keycloak.evil.test/keys", False),
        ("http://keycloak", "http://169.254.169.254/keys", False),
        # Metadata of an https issuer never lead to http (OpenID Connect Discovery 1.0 §3).
        ("https://sso.test", "http://keycloak/keys", False),
    ],
)
def test_discovered_address_needs_listed_host(issuer: str, jwks_uri: str, *, accepted: bool) -> None:
    provider = LocalIssuer(issuer, algorithm="ES256")
    fetcher = MetadataFetcher(provider, jwks_uri)
    settings = {"issuer": issuer, "audience": "agents", "insecure_http_hosts": ["keycloak"], "permission_map": USERS}
    oidc = OIDCAuth.from_dict({"issuer": settings}, fetcher=fetcher)
    headers = {"authorization": f"Bearer {provider.token(audience='agents')}"}
    if accepted:
        assert asyncio.run(oidc.authenticate(headers)).issuer == issuer
    else:
        with pytest.raises(OIDCAuthError):
            asyncio.run(oidc.authenticate(headers))
    assert (jwks_uri in fetcher.fetched) is accepted


@pytest.mark.parametrize(("issuer", "is_advised"), [("http://keycloak", True), ("https://sso.test", False)])
def test_setting_is_advised_only_where_it_helps(issuer: str, *, is_advised: bool) -> None:
    provider = LocalIssuer(issuer, algorithm="ES256")
    settings = {"issuer": issuer, "audience": "agents", "insecure_http_hosts": ["keycloak"], "permission_map": USERS}
    oidc = OIDCAuth.from_dict({"issuer": settings}, fetcher=MetadataFetcher(provider, "http://other/keys"))
    with pytest.raises(OIDCAuthError) as refusal:
        asyncio.run(oidc.authenticate({"authorization": f"Bearer {provider.token(audience='agents')}"}))
    assert ("insecure_http_hosts" in refusal.value.found) is is_advised
