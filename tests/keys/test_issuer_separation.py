"""Keys of several issuers are separate."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from kit.auth_harness import IssuerRouter, bearer

from oidc_auth import OIDCAuth, presets
from oidc_auth.errors import ErrorCode, OIDCAuthError, TokenError, UpstreamError
from oidc_auth.keys.fetch import Response
from oidc_auth.testing import Fault, LocalIssuer


def test_tenants_share_one_fetch_budget() -> None:
    async def scenario() -> None:
        tenants = [f"8d5f2a3e-0000-4000-8000-{number:012d}" for number in range(9)]
        signer, fetched = LocalIssuer(algorithm="ES256"), list[str]()

        async def fetch(method: str, url: str, headers: Any, body: bytes | None) -> Response:
            fetched.append(url)
            issuer = url.removesuffix("/.well-known/openid-configuration")
            document = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"} if issuer != url else signer.key_set()
            return Response(200, {}, json.dumps(document).encode())

        table = presets.entra(tenants, audience="agents", permission_map={"roles": {"x": ["threads:read"]}})
        oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetch)

        async def authenticate_async(tenant: str, kid: str | None) -> ErrorCode:
            issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
            header = {} if kid is None else {"kid": kid}
            with pytest.raises(TokenError) as refused:
                await oidc.authenticate(bearer(signer.token(iss=issuer, header=header)))
            return refused.value.code

        for tenant in tenants:
            assert await authenticate_async(tenant, None) is not ErrorCode.KEY_NOT_FOUND
        fetched.clear()
        for tenant in tenants:
            assert await authenticate_async(tenant, f"made-up-{tenant}") is ErrorCode.KEY_NOT_FOUND
        assert [url.rpartition("/")[2] for url in fetched] == ["keys", "keys"]

    asyncio.run(scenario())


def two_issuers() -> tuple[LocalIssuer, LocalIssuer, OIDCAuth]:
    one, two = (LocalIssuer(f"https://{name}.test", algorithm="ES256") for name in ("one", "two"))
    tables = [
        {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": issuer.url[8:11] + ":"}
        for issuer in (one, two)
    ]
    return one, two, OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(one, two))


@pytest.mark.parametrize("warm", [True, False])
def test_same_kid_at_two_issuers_is_separate(*, warm: bool) -> None:
    one, two, oidc = two_issuers()
    assert one.keys[0].kid == two.keys[0].kid
    right = [one.token(), two.token()] * 5
    crossed = [one.token(key=two.keys[0]), two.token(key=one.keys[0])] * 5

    async def codes(token: str) -> str:
        try:
            return (await oidc.authenticate(bearer(token))).identity
        except OIDCAuthError as error:
            return error.code

    async def scenario() -> None:
        if warm:
            await asyncio.gather(*map(codes, right))
        answers = await asyncio.gather(*map(codes, [*crossed, *right]))
        assert answers[:10] == [ErrorCode.SIGNATURE_INVALID] * 10
        assert answers[10:] == ["one:alice", "two:alice"] * 5

    asyncio.run(scenario())
    assert [len(issuer.fetched) for issuer in (one, two)] == [2, 2]


def test_outage_affects_one_issuer_only() -> None:
    one, two, oidc = two_issuers()
    one.fault = Fault.DOWN
    assert asyncio.run(oidc.authenticate(bearer(two.token()))).issuer == two.url
    with pytest.raises(UpstreamError):
        asyncio.run(oidc.authenticate(bearer(one.token())))


def test_unknown_kid_asks_only_its_issuer() -> None:
    one, two, oidc = two_issuers()

    async def scenario() -> None:
        await oidc.authenticate(bearer(one.token()))
        await oidc.authenticate(bearer(two.token()))
        with pytest.raises(TokenError):
            await oidc.authenticate(bearer(one.token(header={"kid": "made-up"})))

    asyncio.run(scenario())
    assert [issuer.fetched.count(f"{issuer.url}/keys") for issuer in (one, two)] == [2, 1]
