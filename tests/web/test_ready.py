"""``ready`` tells a load balancer whether this server can check tokens."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.auth_harness import IssuerRouter
from kit.introspection import SECRET
from kit.web import bearer, web_auth, web_client, web_document
from starlette.applications import Starlette

from oidc_auth import OIDCAuth
from oidc_auth.testing import Clock, Fault, LocalIssuer
from oidc_auth.web import install

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.keys.fetch import Response

OTHER = {
    "preset": "generic",
    "issuer": "https://other.test",
    "audience": "agents",
    "permission_map": {"claim": "scope", "accept": ["threads:read"]},
}


def test_ready_with_keys(issuer: LocalIssuer) -> None:
    oidc = web_auth(issuer)
    answer = web_client(oidc).get("/auth/ready")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json() == {
        "ready": True,
        "configuration": oidc.loaded.digest,
        "issuers": {issuer.url: "ready"},
        "degraded": [],
    }


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.ERROR, Fault.HTML, Fault.EMPTY])
def test_not_ready_without_keys(issuer: LocalIssuer, fault: Fault) -> None:
    issuer.fault = fault
    answer = web_client(web_auth(issuer)).get("/auth/ready")
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert answer.json()["issuers"] == {issuer.url: "keys_unavailable"}
    assert (answer.json()["ready"], answer.json()["degraded"]) == (False, [issuer.url])


@pytest.mark.parametrize(
    ("table", "status"), [({"endpoint": "https://issuer.test/introspect"}, 200), ({}, 503)], ids=["known", "unknown"]
)
def test_opaque_tokens_need_endpoint_and_no_keys(issuer: LocalIssuer, table: Any, status: int) -> None:
    issuer.fault = Fault.DOWN
    oidc = web_auth(issuer, introspection={"mode": "opaque", **SECRET, **table})
    assert web_client(oidc).get("/auth/ready").status_code == status


def clocked(issuer: LocalIssuer, clock: Clock) -> OIDCAuth:
    return OIDCAuth.from_dict(web_document(issuer), fetcher=issuer, clock=clock)


async def ready_codes(oidc: OIDCAuth, count: int) -> list[int]:
    """Return the statuses of requests, one after the other."""
    app = Starlette()
    install(app, oidc)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
        return [(await client.get("/auth/ready")).status_code for _ in range(count)]


def test_unready_server_retries_by_itself(issuer: LocalIssuer) -> None:
    clock, issuer.fault = Clock(), Fault.DOWN

    async def probe() -> list[int]:
        oidc = clocked(issuer, clock)
        before = await ready_codes(oidc, 1)
        issuer.fault = None
        clock.advance(2)
        return before + await ready_codes(oidc, 1)

    assert asyncio.run(probe()) == [503, 200]


def test_retries_are_throttled(issuer: LocalIssuer) -> None:
    clock, issuer.fault = Clock(), Fault.DOWN

    async def probe() -> list[int]:
        oidc = clocked(issuer, clock)
        counts = []
        for _ in range(3):
            await ready_codes(oidc, 20)
            counts.append(len(issuer.fetched))
            clock.advance(2)
        return counts

    first, second, third = asyncio.run(probe())
    assert first <= 2
    assert (second, third) == (2 * first, 3 * first)


def test_one_of_two_issuers_is_enough(issuer: LocalIssuer) -> None:
    down = LocalIssuer("https://other.test", algorithm="ES256")
    down.fault = Fault.DOWN
    oidc = OIDCAuth.from_dict(web_document(issuer, OTHER), fetcher=IssuerRouter(issuer, down))
    answer = web_client(oidc).get("/auth/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["issuers"] == {issuer.url: "ready", down.url: "keys_unavailable"}
    assert answer.json()["degraded"] == [down.url]


def test_recovered_issuer_is_no_longer_degraded(issuer: LocalIssuer) -> None:
    down = LocalIssuer("https://other.test", algorithm="ES256")
    clock, down.fault = Clock(), Fault.DOWN

    async def probe() -> list[dict[str, bool]]:
        fetcher = IssuerRouter(issuer, down)
        oidc = OIDCAuth.from_dict(web_document(issuer, OTHER), fetcher=fetcher, clock=clock)
        before = await oidc.find_usable_keys(wait_for_all=True)
        down.fault = None
        clock.advance(2)
        return [before, await oidc.find_usable_keys(wait_for_all=True)]

    assert asyncio.run(probe()) == [{issuer.url: True, down.url: False}, {issuer.url: True, down.url: True}]


def test_stalled_issuer_does_not_delay_answer(issuer: LocalIssuer) -> None:
    stalled = LocalIssuer("https://other.test", algorithm="ES256")

    async def probe() -> tuple[list[int], float]:
        stalled.fault, stalled.release = Fault.STALL, asyncio.Event()
        oidc = OIDCAuth.from_dict(web_document(issuer, OTHER), fetcher=IssuerRouter(issuer, stalled))
        started = time.monotonic()
        return await ready_codes(oidc, 3), time.monotonic() - started

    codes, duration = asyncio.run(probe())
    # fetch_timeout is 3 seconds and more.
    assert (codes, duration < 2) == ([200, 200, 200], True)


def test_stalled_only_issuer_ends_in_503(issuer: LocalIssuer) -> None:
    async def probe() -> list[int]:
        issuer.fault, issuer.release = Fault.STALL, asyncio.Event()
        document = {**web_document(issuer), "limits": {"fetch_timeout": 0.1}}
        return await asyncio.wait_for(ready_codes(OIDCAuth.from_dict(document, fetcher=issuer), 2), 10)

    assert asyncio.run(probe()) == [503, 503]


def test_waiting_request_shares_fetch_of_probe(issuer: LocalIssuer) -> None:
    async def probe() -> tuple[int, int]:
        issuer.fault, issuer.release = Fault.STALL, asyncio.Event()
        oidc = web_auth(issuer)
        first = asyncio.ensure_future(oidc.find_usable_keys())
        second = asyncio.ensure_future(oidc.authenticate(bearer(issuer.token(scope="threads:read"))))
        await asyncio.sleep(0.01)
        # The probe gives up, as a load balancer does.
        first.cancel()
        issuer.fault = None
        issuer.release.set()
        await asyncio.wait_for(second, 10)
        return len(issuer.fetched), len(issuer.key_set()["keys"])

    assert asyncio.run(probe()) == (2, 1)


def test_inline_keys_are_ready_at_once(issuer: LocalIssuer) -> None:
    oidc = web_auth(issuer, jwks=issuer.key_set())
    assert web_client(oidc).get("/auth/ready").status_code == 200
    assert issuer.fetched == []


def test_answer_has_no_reason_and_no_secret(issuer: LocalIssuer) -> None:
    class Failing:
        async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
            raise OSError("proxy user:secret@10.1.2.3 refused")

    oidc = OIDCAuth.from_dict(web_document(issuer), fetcher=Failing())
    answer = web_client(oidc).get("/auth/ready")
    assert answer.status_code == 503
    assert set(answer.json()) == {"ready", "configuration", "issuers", "degraded"}
    assert not any(word in answer.text for word in ("secret", "10.1.2.3", "OSError"))


def started(oidc: OIDCAuth, app: Starlette | None = None) -> Any:
    from starlette.testclient import TestClient

    app = app or Starlette()
    install(app, oidc)
    return TestClient(app)


def test_keys_are_fetched_at_start(issuer: LocalIssuer) -> None:
    other = LocalIssuer("https://other.test", algorithm="ES256")
    oidc = OIDCAuth.from_dict(web_document(issuer, OTHER), fetcher=IssuerRouter(issuer, other))
    with started(oidc) as client:
        assert (len(issuer.fetched), len(other.fetched)) == (2, 2)
        token = bearer(issuer.token(scope="threads:read"))
        assert client.get("/auth/whoami", headers=token).status_code == 200
    assert len(issuer.fetched) == 2


def test_provider_that_is_down_does_not_stop_server(issuer: LocalIssuer) -> None:
    issuer.fault = Fault.DOWN
    with started(web_auth(issuer)) as client:
        assert client.get("/auth/ready").status_code == 503


def test_digest_is_that_of_log(issuer: LocalIssuer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    oidc = web_auth(issuer, audience="agents-2")
    digest = json.loads(web_client(oidc).get("/auth/ready").text)["configuration"]
    assert f"({digest})" in caplog.text
