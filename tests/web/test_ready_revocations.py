"""``ready`` tells the state of the revocations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.clock import OffsetClock
from kit.revocations import revoked, wait_until
from kit.web import web_document
from starlette.applications import Starlette

from oidc_auth import OIDCAuth
from oidc_auth.errors import UpstreamError
from oidc_auth.revocation import redis as store_module
from oidc_auth.revocation.redis import FIELD, SILENT_AFTER, STREAM
from oidc_auth.web import install

if TYPE_CHECKING:
    from kit.redis_server import RedisServer

    from oidc_auth.testing import LocalIssuer


async def ask(oidc: OIDCAuth) -> tuple[int, dict[str, Any]]:
    app = Starlette()
    install(app, oidc)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server.test") as client:
        answer = await client.get("/auth/ready")
    return answer.status_code, answer.json()


def test_memory_store_is_ready(issuer: LocalIssuer) -> None:
    oidc = OIDCAuth.from_dict({**web_document(issuer), "revocation": {"store": "memory"}}, fetcher=issuer)
    status, body = asyncio.run(ask(oidc))
    assert (status, body["degraded"]) == (200, [])
    assert (body["revocations"]["loaded"], body["revocations"]["count"]) == (True, 0)


@pytest.mark.parametrize(("on_outage", "after_grace"), [("deny", 503), ("serve", 200)])
def test_outage_of_redis_is_visible(
    issuer: LocalIssuer,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    on_outage: str,
    after_grace: int,
) -> None:
    monkeypatch.setattr(store_module, "BLOCK_SECONDS", 0.05)
    monkeypatch.setattr("oidc_auth.web.routes.LONGEST_WAIT", 0.2)
    clock = OffsetClock()
    table = {"store": redis_server.address, "on_outage": on_outage, "outage_grace": 60}
    document = {**web_document(issuer), "revocation": table}
    oidc = OIDCAuth.from_dict(document, fetcher=issuer, clock=clock)
    assert oidc.revocation is not None
    store = oidc.revocation.store

    async def use() -> None:
        redis_server.kill()
        # Before the first load, the answer is 503 with both settings.
        # Probes have short timeouts, and fetch_timeout is 5 seconds.
        async with asyncio.timeout(3):
            status, body = await ask(oidc)
        assert (status, body["degraded"]) == (503, ["revocations_unavailable"])
        redis_server.start()
        redis_server.call("XADD", STREAM, "*", FIELD, "malformed")
        await wait_until(lambda: store.is_current(clock()))
        await wait_until(lambda: store.state(clock()).malformed)
        status, body = await ask(oidc)
        assert (status, body["degraded"]) == (200, ["revocations_malformed"])
        redis_server.kill()
        with pytest.raises(UpstreamError):
            await store.publish([revoked("alice")])
        clock.offset = SILENT_AFTER + 1
        status, body = await ask(oidc)
        faults = {"revocations_unavailable", "revocations_unpublished", "revocations_malformed"}
        assert (status, {*body["degraded"]}) == (200, faults)
        assert body["revocations"]["unpublished"] == 1
        clock.offset = 61
        status, body = await ask(oidc)
        assert (status, body["revocations"]["trusted"]) == (after_grace, after_grace == 200)
        assert "alice" not in str(body)
        assert str(redis_server.port) not in str(body)
        redis_server.start()
        await wait_until(lambda: store.is_current(clock()))
        await wait_until(lambda: not store.state(clock()).unpublished)
        status, body = await ask(oidc)
        assert status == 200
        await oidc.aclose()

    asyncio.run(use())
