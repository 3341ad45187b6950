"""The introspection endpoint: where it is, what is sent there, and which answers count."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, Publisher, bearer
from kit.clock import NOON
from kit.introspection import SECRET, IntrospectionHarness

from oidc_auth import OIDCAuth
from oidc_auth.config.build_introspection import introspection_client
from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.introspection.endpoint import EndpointSettings, IntrospectionClient, IntrospectionError
from oidc_auth.keys.discovery import metadata_url
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.testing import Clock, Fault, LocalIssuer
from oidc_auth.testing.introspection import CLIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "https://issuer.test/introspect"
JSON = {"content-type": "application/json"}
ACTIVE = b'{"active": true, "token_type": "Bearer", "sub": "alice", "aud": "agents"}'
UNAVAILABLE = ErrorCode.INTROSPECTION_UNAVAILABLE


class Recorder:
    """A fetcher that keeps each request, and answers with metadata or one response."""

    def __init__(self, response: Response | Exception, metadata: Mapping[str, Any] | None = None) -> None:
        self.response = response
        self.metadata = {"issuer": "https://issuer.test", "introspection_endpoint": ENDPOINT, **(metadata or {})}
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        self.requests.append((method, url, headers, body or b""))
        if url.endswith("/.well-known/openid-configuration"):
            return Response(200, JSON, json.dumps(self.metadata).encode())
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


def built(
    fetcher: Any,
    *,
    introspection: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    **table: Any,
) -> OIDCAuth:
    issuer = {
        "preset": "generic",
        "issuer": "https://issuer.test",
        "audience": "agents",
        "introspection": {"mode": "opaque", **SECRET, **(introspection or {})},
    }
    return OIDCAuth.from_dict(
        {"issuer": {**issuer, **table}, "limits": limits or {}}, fetcher=fetcher, clock=Clock(NOON)
    )


def outage(oidc: OIDCAuth) -> UpstreamError:
    """Return the 503 of a token."""
    with pytest.raises(UpstreamError) as refused:
        asyncio.run(oidc.authenticate(bearer("opaque-token")))
    assert refused.value.code is UNAVAILABLE
    return refused.value


def answered(response: Response | Exception, **settings: Any) -> UpstreamError:
    return outage(built(Recorder(response), **settings))


def test_request_is_form_with_token_and_hint() -> None:
    recorder = Recorder(Response(200, JSON, ACTIVE))
    assert asyncio.run(built(recorder).authenticate(bearer("a+b/c=="))).identity == "alice"
    (discovery, (method, url, headers, body)) = recorder.requests
    assert discovery[:2] == ("GET", "https://issuer.test/.well-known/openid-configuration")
    assert (method, url, body) == ("POST", ENDPOINT, b"token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token")
    assert (headers["content-type"], headers["accept"]) == ("application/x-www-form-urlencoded", "application/json")


def test_configured_endpoint_needs_no_metadata() -> None:
    recorder = Recorder(Response(200, JSON, ACTIVE))
    oidc = built(recorder, introspection={"endpoint": "https://internal.test/check"})
    assert asyncio.run(oidc.authenticate(bearer("t"))).identity == "alice"
    assert [request[:2] for request in recorder.requests] == [("POST", "https://internal.test/check")]


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", " application/json ;charset=utf-8"]
)
def test_json_content_types_are_accepted(kind: str) -> None:
    oidc = built(Recorder(Response(200, {"content-type": kind}, ACTIVE)))
    assert asyncio.run(oidc.authenticate(bearer("t"))).identity == "alice"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, ACTIVE),
        ({"content-type": "text/html"}, ACTIVE),
        ({"content-type": "application/token-introspection+jwt"}, b"e30.e30.e30"),
        ({"content-type": "application/jwt"}, ACTIVE),
        ({"content-type": "application/json-seq"}, ACTIVE),
        (JSON, b""),
        (JSON, b"null"),
        (JSON, b"true"),
        (JSON, b'[{"active": true}]'),
        (JSON, b'"active"'),
        (JSON, ACTIVE[:-1]),
        (JSON, ACTIVE + b"{}"),
        (JSON, b"\xef\xbb\xbf" + ACTIVE),
        (JSON, b'{"active": false, "active": true, "sub": "alice", "aud": "agents"}'),
        (JSON, b'{"active": true, "sub": "alice", "aud": "agents", "sub": "bob"}'),
        (JSON, b'{"active": true, "sub": "alice", "aud": "agents", "exp": NaN}'),
        (JSON, b'{"active": true, "sub": "alice", "aud": "agents", "exp": 1e999}'),
        (JSON, b'{"active": true, "sub": "\xff", "aud": "agents"}'),
        (JSON, b'{"active": true, "sub": "alice", "aud": "agents", "x": ' + b"[" * 40 + b"]" * 40 + b"}"),
        (JSON, b'{"active": true, "sub": "alice", "aud": "agents", "x": "' + b"x" * 600_000 + b'"}'),
    ],
)
def test_other_body_is_no_answer(headers: dict[str, str], body: bytes) -> None:
    assert answered(Response(200, headers, body)).retry_after == 1


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 401, 403, 404, 405, 429, 500, 502, 503])
def test_other_status_is_no_answer(status: int) -> None:
    refused = answered(Response(status, {**JSON, "location": "https://elsewhere.test"}, ACTIVE))
    assert str(status) in refused.found


@pytest.mark.parametrize(
    ("status", "body", "is_client"),
    [
        (401, b"", True),
        (403, b"<html>", True),
        (400, b'{"error": "invalid_client", "error_description": "secret-description"}', True),
        (400, b'{"error": "invalid_request"}', False),
        (500, b"", False),
    ],
)
def test_refused_client_is_named(status: int, body: bytes, *, is_client: bool) -> None:
    refused = answered(Response(status, JSON, body))
    assert (CLIENT[0] in refused.found) is is_client
    assert ("client_id" in refused.hint) is is_client
    assert CLIENT[1] not in str(refused)
    assert "secret-description" not in str(refused)


@pytest.mark.parametrize(
    "body", [b'{"error": "a b\\nforged: line"}', b'{"error": 5}', b'{"error": "' + b"x" * 99 + b'"}']
)
def test_error_of_provider_forges_no_log_line(body: bytes) -> None:
    assert answered(Response(400, JSON, body)).found == "https://issuer.test: status 400"


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, "7", 7),
        (503, "7", 7),
        (429, "3600", 60),
        (429, "0", 1),
        (429, "-5", 1),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 1),
        (429, "9" * 30, 1),
        (429, "²", 1),
        (500, "7", 1),
    ],
)
def test_retry_after_of_provider_is_bounded(status: int, value: str, seconds: int) -> None:
    refused = answered(Response(status, {"retry-after": value}, b""))
    assert refused.retry_after == seconds
    assert refused.challenge().headers() == {"Retry-After": str(seconds)}


@pytest.mark.parametrize(
    "failure", [FetchError("connection refused"), RuntimeError("opaque-token secret"), TimeoutError(), OSError("x")]
)
def test_failure_of_fetcher_is_503_without_its_text(failure: Exception) -> None:
    refused = answered(failure)
    assert "secret" not in str(refused)
    assert refused.__cause__ is None


def test_line_break_of_fetcher_is_escaped() -> None:
    assert "\n" not in answered(FetchError("a\nb")).report()


@pytest.mark.parametrize(
    "metadata",
    [
        {"introspection_endpoint": "http://issuer.test/introspect"},
        {"introspection_endpoint": "http://127.0.0.1:9/introspect"},
        {"introspection_endpoint": "https://169.254.169.254/introspect"},
        {"introspection_endpoint": "https://user:pass@issuer.test/introspect"},
        {"introspection_endpoint": "file:///etc/passwd"},
        {"introspection_endpoint": "/introspect"},
        {"introspection_endpoint": None},
        {"introspection_endpoint": ["https://issuer.test/introspect"]},
        {"issuer": "https://other.test"},
        {"issuer": "https://issuer.test/"},
        {"introspection_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"]},
        {"introspection_endpoint_auth_methods_supported": []},
    ],
)
def test_unusable_metadata_send_no_token(metadata: dict[str, Any]) -> None:
    recorder = Recorder(Response(200, JSON, ACTIVE), metadata)
    outage(built(recorder))
    assert [request[0] for request in recorder.requests] == ["GET"]


@pytest.mark.parametrize(
    ("methods", "uses_basic"),
    [
        (["client_secret_post"], False),
        (["private_key_jwt", "client_secret_post"], False),
        (["client_secret_post", "client_secret_basic"], True),
        (["tls_client_auth"], True),
        ("client_secret_post", True),
    ],
)
def test_methods_of_token_endpoint_are_used_without_own_list(methods: Any, *, uses_basic: bool) -> None:
    recorder = Recorder(Response(200, JSON, ACTIVE), {"token_endpoint_auth_methods_supported": methods})
    asyncio.run(built(recorder).authenticate(bearer("t")))
    assert ("authorization" in recorder.requests[-1][2]) is uses_basic


def test_metadata_of_forbidden_address_are_not_fetched() -> None:
    recorder = Recorder(Response(200, JSON, ACTIVE))
    harness = IntrospectionHarness()
    settings = replace(client_settings(harness), issuer="http://169.254.169.254")
    with pytest.raises(IntrospectionError):
        asyncio.run(IntrospectionClient(settings, recorder).ask("t", NOON))
    assert recorder.requests == []


def test_failure_keeps_no_error_of_fetcher() -> None:
    harness = IntrospectionHarness()
    client = IntrospectionClient(client_settings(harness), Recorder(RuntimeError("the token")))
    with pytest.raises(IntrospectionError) as failed:
        asyncio.run(client.ask("t", NOON))
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


def client_settings(harness: IntrospectionHarness) -> EndpointSettings:
    document = harness.oidc.loaded.document
    table, introspection = document.issuer[0], document.issuer[0].introspection
    assert introspection is not None
    return introspection_client(table, introspection, document.limits, harness.issuer).settings


def test_http_endpoint_needs_listed_host() -> None:
    metadata = {"issuer": "http://sso/realm", "introspection_endpoint": "http://sso/introspect"}
    recorder = Recorder(Response(200, JSON, ACTIVE), metadata)
    oidc = built(recorder, issuer="http://sso/realm", insecure_http_hosts=["sso"])
    assert asyncio.run(oidc.authenticate(bearer("t"))).identity == "alice"
    recorder.metadata["introspection_endpoint"] = "http://other/introspect"
    outage(built(recorder, issuer="http://sso/realm", insecure_http_hosts=["sso"], leeway=1))
    assert [request[1] for request in recorder.requests if request[0] == "POST"] == ["http://sso/introspect"]


def test_issuer_with_own_keys_needs_no_key_fetch() -> None:
    issuer = LocalIssuer(clock=Clock(NOON))
    oidc = built(issuer, jwks=issuer.key_set(), introspection={"mode": "always"})
    assert asyncio.run(oidc.authenticate(bearer(issuer.token()))).identity == "alice"
    assert issuer.fetched == [metadata_url(issuer.url), ENDPOINT]


@pytest.mark.parametrize(
    ("mode", "metadata", "usable"),
    [("opaque", {}, True), ("opaque", {"introspection_endpoint": None}, False), ("always", {}, True)],
)
def test_provider_without_keys_is_usable(mode: str, metadata: dict[str, Any], *, usable: bool) -> None:
    oidc = built(Recorder(Response(200, JSON, ACTIVE), metadata), introspection={"mode": mode})
    assert asyncio.run(oidc.find_usable_keys()) == {"https://issuer.test": usable}


def test_provider_with_keys_is_usable() -> None:
    issuer = LocalIssuer(clock=Clock(NOON))
    assert asyncio.run(built(issuer).find_usable_keys()) == {issuer.url: True}


@pytest.mark.parametrize(
    "fault", [each for each in Fault if each is not Fault.STALL and each is not Fault.OTHER_ISSUER]
)
def test_each_fault_of_endpoint_is_503(fault: Fault) -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()
    harness.issuer.introspection.fault = fault
    assert harness.authenticate(token) is UNAVAILABLE
    harness.issuer.introspection.fault = None
    assert harness.authenticate(token) is None


def test_metadata_outage_keeps_known_endpoint() -> None:
    harness = IntrospectionHarness()
    assert harness.authenticate(harness.issuer.opaque_token()) is None
    harness.clock.advance(600)
    original = Publisher.answer

    def no_metadata(path: str) -> Response:
        return Response(500, {}, b"") if "well-known" in path else original(harness.issuer, path)

    harness.issuer.answer = no_metadata  # type: ignore[method-assign]

    async def authenticate_twice() -> list[ErrorCode | None]:
        return [await harness.authenticate_async(harness.issuer.opaque_token()) for _ in range(2)]

    assert asyncio.run(authenticate_twice()) == [None, None]


def test_moved_endpoint_is_found_again() -> None:
    recorder = Recorder(Response(200, JSON, ACTIVE))
    clock = Clock(NOON)
    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"}
    introspection = {"mode": "opaque", **SECRET, "cache_seconds": 0}
    oidc = OIDCAuth.from_dict({"issuer": {**table, "introspection": introspection}}, fetcher=recorder, clock=clock)

    async def used() -> str:
        await oidc.authenticate(bearer("t"))
        await asyncio.sleep(0)
        return recorder.requests[-1][1] if recorder.requests[-1][0] == "POST" else recorder.requests[-2][1]

    async def run() -> list[str]:
        first = await used()
        recorder.metadata["introspection_endpoint"] = "https://issuer.test/new"
        clock.advance(100)
        for _ in range(3):
            last = await used()
        return [first, last]

    assert asyncio.run(run()) == [ENDPOINT, "https://issuer.test/new"]


def test_stalled_metadata_do_not_stall_later_requests() -> None:
    harness = IntrospectionHarness(limits={"fetch_timeout": 0.05})

    async def run() -> list[ErrorCode | None]:
        harness.issuer.fault = Fault.STALL
        codes = [await harness.authenticate_async(harness.issuer.opaque_token())]
        # The first request of the metadata never gets an answer.
        await asyncio.sleep(0.05)
        harness.issuer.fault = None
        harness.clock.advance(1)
        return [*codes, await harness.authenticate_async(harness.issuer.opaque_token())]

    assert asyncio.run(run()) == [UNAVAILABLE, None]


def test_failing_discovery_is_not_repeated_at_once() -> None:
    harness = IntrospectionHarness()
    harness.issuer.fault = Fault.DOWN
    codes = [harness.authenticate(harness.issuer.opaque_token()) for _ in range(5)]
    assert (codes, len(harness.issuer.fetched)) == ([UNAVAILABLE] * 5, 1)
    harness.issuer.fault = None
    harness.clock.advance(1)
    assert harness.authenticate(harness.issuer.opaque_token()) is None


def test_introspection_over_http_on_loopback() -> None:
    issuer = LocalIssuer(clock=Clock(NOON))
    with issuer.served(path="/realms/a") as url:

        async def run() -> list[str]:
            async with built(None, issuer=url, introspection={"mode": "always"}) as oidc:
                tokens = issuer.token("alice"), issuer.opaque_token("bob")
                return [(await oidc.authenticate(bearer(token))).identity for token in tokens]

        assert asyncio.run(run()) == ["alice", "bob"]
        issuer.introspection.fault = Fault.REDIRECT
        outage(built(None, issuer=url, leeway=1))
        issuer.introspection.fault = Fault.OVERSIZED
        outage(built(None, issuer=url, leeway=2))
        issuer.introspection.fault = Fault.STALL
        outage(built(None, issuer=url, leeway=3, limits={"fetch_timeout": 0.2}))


def test_outage_without_introspection_changes_nothing() -> None:
    harness = AuthHarness()
    harness.issuer.introspection.fault = Fault.DOWN
    assert harness.authenticate(harness.issuer.token()) is None
    assert harness.issuer.introspection.requests == []
