"""Attacks with addresses, from published advisories, fail.

The advisories (2022 to 2026) are about other libraries. Attacks that other modules contain are not repeated here.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.keys.fetch import Response
from oidc_auth.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping


ISSUER = "https://issuer.test"

DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"

NO_ADDRESSES = (
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "data:application/json,{}",
    "ftp://issuer.test/keys",
    "gopher://issuer.test/keys",
    "jar:https://issuer.test/keys",
    "http://issuer.test/keys",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "//issuer.test/keys",
    "issuer.test/keys",
    "/etc/passwd",
)


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_only_https_addresses_are_fetched(url: str) -> None:
    """The opener of key sets opened files too. CVE-2026-48522 (GHSA-993g, PyJWT)."""
    tables: tuple[dict[str, Any], ...] = ({"jwks_uri": url}, {"url": url})
    for table in tables:
        with pytest.raises(ConfigError) as refused:
            AuthHarness(**table)
        assert {problem.where for problem in refused.value.problems} <= {"issuer[0].jwks_uri", "issuer[0].issuer"}
    fetched = fetched_for(url)
    assert fetched == [DISCOVERY]


def fetched_for(jwks_uri: str) -> list[str]:
    """Return what is fetched if metadata name this address for the keys. No token must be accepted."""
    fetched: list[str] = []
    harness = AuthHarness()

    async def fetch(method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        del method, headers, body
        fetched.append(url)
        document = {"issuer": ISSUER, "jwks_uri": jwks_uri} if url == DISCOVERY else harness.issuer.key_set()
        return Response(200, {}, json.dumps(document).encode())

    oidc = OIDCAuth.from_dict(
        {"issuer": {"preset": "generic", "issuer": ISSUER, "audience": "agents"}}, fetcher=fetch, clock=harness.clock
    )
    with pytest.raises(UpstreamError):
        asyncio.run(oidc.authenticate(bearer(harness.issuer.token())))
    return fetched


METADATA_SERVICE = {
    "its address": "169.254.169.254",
    "another port": "169.254.169.254:443",
    "its address as one number": "2852039166",
    "in hexadecimal": "0xa9fea9fe",
    "in octal": "0251.0376.0251.0376",
    "in three parts": "169.254.43518",
    "mapped into IPv6": "[::ffff:169.254.169.254]",
    "mapped into IPv6, in hexadecimal": "[::ffff:a9fe:a9fe]",
    "with dots of other scripts": "169\u3002254\u3002169\u3002254",
    "with dots of full width": "169\uff0e254\uff0e169\uff0e254",
    "with dots of half width": "169\uff61254\uff61169\uff61254",
    "ECS's": "169.254.170.2",
    "any address of this machine": "0.0.0.0",  # noqa: S104 - nothing listens here
    "any address of this machine, IPv6": "[::]",
    "link-local, IPv6": "[fe80::a9fe:a9fe]",
}


@pytest.mark.parametrize("host", METADATA_SERVICE.values(), ids=METADATA_SERVICE.keys())
def test_discovery_cannot_name_metadata_service(host: str) -> None:
    """A malicious discovery document made the server send requests inside its network. CVE-2026-41413 (Istio).

    GHSA-9v7f (PyJWT) did it by a redirect, which keys/test_fetch: a_redirect_is_not_followed has.
    """
    assert fetched_for(f"https://{host}/latest/meta-data/") == [DISCOVERY]
    with pytest.raises(ConfigError):
        AuthHarness(jwks_uri=f"https://{host}/latest/meta-data/")


def test_issuer_of_token_is_never_contacted() -> None:
    """Keys came from an address that the sender of the token chose. CVE-2026-41413 (Istio)."""
    harness = AuthHarness()
    for issuer in ("https://evil.test", "http://169.254.169.254", f"{ISSUER}/../evil", f"{ISSUER}@evil.test"):
        assert harness.authenticate(harness.issuer.token(iss=issuer)) is ErrorCode.ISSUER_NOT_TRUSTED
    assert harness.issuer.fetched == []


def test_redirect_brings_no_keys() -> None:
    """Redirects were followed for keys. CVE-2026-48522 (GHSA-9v7f, PyJWT)."""
    harness = AuthHarness()
    harness.issuer.fault = Fault.REDIRECT
    assert harness.authenticate(harness.issuer.token()) is ErrorCode.KEYS_UNAVAILABLE
    assert harness.issuer.fetched == [DISCOVERY, f"{ISSUER}/keys"]
