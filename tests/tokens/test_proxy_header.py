"""A token counts only in the header of its issuer, such as the header of a proxy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import IssuerRouter
from kit.refusals import reason_of

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from kit.snapshots import Messages


def two_harnesses() -> tuple[OIDCAuth, LocalIssuer, LocalIssuer]:
    """Return a server with two issuers: tokens in Authorization, and tokens in a proxy's header."""
    client, proxy = (LocalIssuer(f"https://{name}.test", algorithm="ES256") for name in ("client", "proxy"))
    permission_map = {"claim": "scope", "accept": ["threads:read"]}
    tables = [
        {
            "issuer": issuer.url,
            "audience": "agents",
            "identity_prefix": f"{issuer.url}/",
            "permission_map": permission_map,
            **more,
        }
        for issuer, more in ((client, {"name": "client"}), (proxy, {"name": "proxy", "header": "x-proxy-jwt"}))
    ]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(client, proxy)), client, proxy


def test_proxy_token_counts_in_own_header_only(messages: Messages) -> None:
    async def scenario() -> None:
        oidc, _, proxy = two_harnesses()
        token = proxy.token()
        # Before and after it is remembered.
        for _ in range(2):
            with pytest.raises(TokenError) as refused:
                await oidc.authenticate({"authorization": f"Bearer {token}"})
            assert (await oidc.authenticate({"X-Proxy-JWT": token})).identity == "https://proxy.test/alice"
        error = refused.value
        assert error.code is ErrorCode.ISSUER_NOT_TRUSTED
        messages.check(reason_of(error))
        messages.check(error.hint)

    asyncio.run(scenario())


def test_client_token_is_ignored_in_proxy_header() -> None:
    oidc, client, _ = two_harnesses()
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate([("x-proxy-jwt", client.token())]))
    assert refused.value.code is ErrorCode.ISSUER_NOT_TRUSTED


def test_two_credential_headers_are_rejected(messages: Messages) -> None:
    oidc, client, proxy = two_harnesses()
    sent = [("x-proxy-jwt", proxy.token()), ("authorization", f"Bearer {client.token()}")]
    for headers in (dict(sent), sent, iter(sent)):
        with pytest.raises(TokenError) as refused:
            asyncio.run(oidc.authenticate(headers))
        assert refused.value.code is ErrorCode.HEADER_REPEATED
        messages.check(reason_of(refused.value))


def test_missing_token_names_every_issuers_header(messages: Messages) -> None:
    oidc, _, _ = two_harnesses()
    with pytest.raises(TokenError) as refusal:
        asyncio.run(oidc.authenticate({"host": "agents.example"}))
    messages.check(reason_of(refusal.value))
