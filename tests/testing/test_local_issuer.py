"""The tool that users test with: a provider in their own process, over HTTP too, and on loopback only."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import Caller, OIDCAuth, UpstreamError
from oidc_auth.errors import ErrorCode
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from kit.snapshots import Messages


def over_http(issuer: LocalIssuer, *tokens: str, **limits: Any) -> list[Caller]:
    """Authenticate with our own HTTP client, in a loop that is closed in order."""

    async def authenticate() -> list[Caller]:
        table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
        async with OIDCAuth.from_dict({"issuer": table, "limits": limits}) as oidc:
            return [await oidc.authenticate({"authorization": f"Bearer {token}"}) for token in tokens]

    return asyncio.run(authenticate())


@pytest.mark.parametrize("path", ["", "/", "/realms/acme"])
def test_local_issuer_serves_discovery_and_keys(issuer: LocalIssuer, path: str) -> None:
    with issuer.served(path=path) as url:
        callers = over_http(issuer, issuer.token("alice"), issuer.token("bob"))
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith(path)
    assert [caller.identity for caller in callers] == ["alice", "bob"]
    assert [where.rpartition("/")[2] for where in issuer.fetched] == ["openid-configuration", "keys"]


def test_local_issuer_warns_and_uses_loopback(
    issuer: LocalIssuer, caplog: pytest.LogCaptureFixture, messages: Messages
) -> None:
    caplog.set_level(logging.WARNING)
    with issuer.served():
        pass
    messages.check(caplog.messages[-1], {issuer.url: "ISSUER"})
    assert set(inspect.signature(LocalIssuer.served).parameters) == {"self", "port", "path"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.DOWN, "RemoteProtocolError"),
        (Fault.ERROR, "status 500"),
        (Fault.REDIRECT, "status 302"),
        (Fault.HTML, "not JSON"),
        (Fault.OVERSIZED, "larger than"),
        (Fault.OTHER_ISSUER, "is configured"),
    ],
)
def test_faults_reach_http_client(issuer: LocalIssuer, fault: Fault, said: str) -> None:
    with issuer.served():
        token = issuer.token()
        issuer.fault = fault
        with pytest.raises(UpstreamError, match=said):
            over_http(issuer, token)


def test_silent_provider_times_out_over_http(issuer: LocalIssuer) -> None:
    with issuer.served():
        token = issuer.token()
        issuer.fault = Fault.STALL
        with pytest.raises(UpstreamError) as outage:
            over_http(issuer, token, fetch_timeout=0.3)
    assert outage.value.code is ErrorCode.KEYS_UNAVAILABLE
    assert any(cause in outage.value.found for cause in ("0.3 s", "ReadTimeout"))


def test_rotated_key_is_used_at_once(issuer: LocalIssuer) -> None:
    with issuer.served():
        before = issuer.token("alice")
        issuer.rotate("ES256")
        callers = over_http(issuer, before, issuer.token("bob"))
    assert [caller.identity for caller in callers] == ["alice", "bob"]


def test_claim_of_none_is_omitted(issuer: LocalIssuer) -> None:
    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "jwks": issuer.key_set()}
    oidc = OIDCAuth.from_dict({"issuer": table})
    token = issuer.token(None, audience=None, header={"typ": None, "kid": None})
    why = str(asyncio.run(oidc.explain_token(token)))
    assert "audience_mismatch" in why
    assert "found none" in why
