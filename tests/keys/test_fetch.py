"""The HTTP client over loopback, and the addresses that it may fetch."""

from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import OIDCAuth
from oidc_auth.errors import UpstreamError
from oidc_auth.keys.fetch import (
    HTTP_REASON,
    LINK_LOCAL_REASON,
    SETTING_HINT,
    USER_AGENT,
    FetchError,
    HttpFetcher,
    Response,
    forbidden_url_reason,
)
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from kit.snapshots import Messages

LIMIT = 1_000


class Site:
    """A web site on loopback with a response per path. It records requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.ports: list[int] = []
        self.protocol = "HTTP/1.0"
        self.url = ""


@contextmanager
def serving(site: Site) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = site.protocol

        def do_GET(self) -> None:
            site.ports.append(self.client_address[1])
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers, sent = site.answers.get(self.path, Response(404, {}, b""))
            self.send_response(status)
            for name, value in {"content-length": str(len(sent)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Write nothing to the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    with serving(one) as url:
        one.url = url
        yield one


def fetch(
    url: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
    limit: int = LIMIT,
) -> Response:
    async def once() -> Response:
        fetcher = HttpFetcher(max_bytes=limit, timeout=5)
        try:
            return await fetcher(method, url, headers or {}, body)
        finally:
            await fetcher.aclose()

    return asyncio.run(once())


def test_chunked_body_is_read_completely(site: Site) -> None:
    sent = bytes(range(256)) * 2_000
    site.answers["/x"] = Response(200, {}, sent)
    assert fetch(f"{site.url}/x", limit=len(sent)).body == sent


def test_cookies_of_provider_are_not_kept(site: Site) -> None:
    site.answers["/x"] = Response(200, {"set-cookie": "node=1; Path=/"}, b"{}")

    async def twice() -> None:
        fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)
        for _ in range(2):
            await fetcher("GET", f"{site.url}/x", {}, None)
        await fetcher.aclose()

    asyncio.run(twice())
    assert ["cookie" in headers for _, headers, _ in site.asked] == [False, False]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_loopback_request_bypasses_proxy(site: Site, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    proxy = Site()
    with serving(proxy) as proxy.url:
        monkeypatch.setenv(variable, proxy.url)
        fetch(f"{site.url}/x", {"authorization": "Bearer secret"})
    assert proxy.asked == []
    assert [headers["authorization"] for _, headers, _ in site.asked] == ["Bearer secret"]


def test_https_request_uses_environment_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Site()
    with serving(proxy) as proxy.url:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(FetchError, match="501 Unsupported method"):
            fetch("https://issuer.invalid/x")


def test_closed_client_is_not_reused(site: Site) -> None:
    async def twice() -> list[int]:
        fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)
        statuses = []
        for _ in range(2):
            statuses.append((await fetcher("GET", f"{site.url}/x", {}, None)).status)
            await fetcher.aclose()
        return statuses

    assert asyncio.run(twice()) == [404, 404]


def test_connection_is_shared_until_close() -> None:
    site = Site()
    site.protocol = "HTTP/1.1"

    async def scenario(url: str) -> None:
        fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)
        for _ in range(2):
            await fetcher("GET", f"{url}/x", {}, None)
            await fetcher("GET", f"{url}/y", {}, None)
            await fetcher.aclose()

    with serving(site) as url:
        asyncio.run(scenario(url))
    first, second, third, fourth = site.ports
    assert first == second != third == fourth


def test_silent_server_is_error() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            fetcher = HttpFetcher(max_bytes=LIMIT, timeout=0.1)
            with pytest.raises(FetchError, match="Timeout"):
                await fetcher("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/", {}, None)
            await fetcher.aclose()

    asyncio.run(scenario())


def test_response_is_returned_unchanged(site: Site) -> None:
    site.answers["/x"] = Response(200, {"Content-Type": "application/json", "X-More": "1"}, b'{"a": 1}')
    status, headers, body = fetch(f"{site.url}/x")
    assert (status, headers["content-type"], headers["x-more"], body) == (200, "application/json", "1", b'{"a": 1}')


def test_request_sends_user_agent_and_identity_encoding(site: Site) -> None:
    fetch(f"{site.url}/x", {"accept": "application/json"})
    (path, headers, _) = site.asked[0]
    assert path == "/x"
    assert headers["user-agent"] == USER_AGENT
    assert headers["accept-encoding"] == "identity"
    assert headers["accept"] == "application/json"
    assert "authorization" not in headers


def test_request_body_is_sent(site: Site) -> None:
    fetch(f"{site.url}/x", {"content-type": "text/plain"}, method="POST", body=b"hello")
    assert site.asked[0][2] == b"hello"


@pytest.mark.parametrize("status", [404, 500, 204])
def test_status_is_returned_unjudged(site: Site, status: int) -> None:
    site.answers["/x"] = Response(status, {}, b"")
    assert fetch(f"{site.url}/x").status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(site: Site, status: int) -> None:
    site.answers["/x"] = Response(status, {"location": f"{site.url}/elsewhere"}, b"")
    assert fetch(f"{site.url}/x").status == status
    assert [path for path, _, _ in site.asked] == ["/x"]


def test_body_at_limit_is_read(site: Site) -> None:
    site.answers["/x"] = Response(200, {}, b"x" * LIMIT)
    assert len(fetch(f"{site.url}/x").body) == LIMIT


@pytest.mark.parametrize("size", [LIMIT + 1, 5_000_000])
def test_body_over_limit_is_error(site: Site, size: int, messages: Messages) -> None:
    site.answers["/x"] = Response(200, {"connection": "close"}, b"x" * size)
    with pytest.raises(FetchError) as error:
        fetch(f"{site.url}/x")
    messages.check(error.value)


def test_announced_large_body_fails_early(site: Site, messages: Messages) -> None:
    site.answers["/x"] = Response(200, {"content-length": str(LIMIT + 1)}, b"")
    with pytest.raises(FetchError) as error:
        fetch(f"{site.url}/x")
    messages.check(error.value)


def test_unannounced_body_is_read_to_limit(messages: Messages) -> None:
    async def scenario(sent: bytes) -> Response:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + sent)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)
            try:
                return await fetcher("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, None)
            finally:
                await fetcher.aclose()

    assert asyncio.run(scenario(b"x" * LIMIT)).body == b"x" * LIMIT
    with pytest.raises(FetchError) as error:
        asyncio.run(scenario(b"x" * (LIMIT + 1)))
    messages.check(error.value)


def test_missing_httpx_module_is_harmless(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oidc_auth.keys.fetch.LAZY_MODULES", ("httpcore.no_such_part",))
    site.answers["/x"] = Response(200, {}, b"{}")
    assert fetch(f"{site.url}/x").body == b"{}"


@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "1e3", ""])
def test_invalid_content_length_is_error(site: Site, length: str) -> None:
    site.answers["/x"] = Response(200, {"content-length": length, "connection": "close"}, b"x")
    with pytest.raises(FetchError, match="RemoteProtocolError"):
        fetch(f"{site.url}/x")


def test_small_compressed_body_is_error(site: Site, messages: Messages) -> None:
    site.answers["/x"] = Response(200, {"content-encoding": "gzip"}, gzip.compress(b"0" * 1_000_000)[:900])
    with pytest.raises(FetchError) as error:
        fetch(f"{site.url}/x")
    messages.check(error.value)


@pytest.mark.parametrize("coding", ["identity", "Identity", "IDENTITY"])
def test_identity_encoded_body_is_read(site: Site, coding: str) -> None:
    site.answers["/x"] = Response(200, {"content-encoding": coding}, b"{}")
    assert fetch(f"{site.url}/x").body == b"{}"


def test_truncated_body_is_error(site: Site) -> None:
    site.answers["/x"] = Response(200, {"content-length": "100", "connection": "close"}, b"short")
    with pytest.raises(FetchError, match="RemoteProtocolError"):
        fetch(f"{site.url}/x")


def test_refused_connection_is_error() -> None:
    with serving(Site()) as url:
        pass
    with pytest.raises(FetchError, match="ConnectError"):
        fetch(f"{url}/x")


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/", "http://a\nb/"])
def test_invalid_url_is_error(url: str) -> None:
    with pytest.raises(FetchError):
        fetch(url)


def test_first_requests_share_one_client(site: Site) -> None:
    site.answers["/x"] = Response(200, {}, b"{}")

    async def scenario() -> list[int]:
        fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)
        answers = await asyncio.gather(*(fetcher("GET", f"{site.url}/x", {}, None) for _ in range(3)))
        await fetcher.aclose()
        return [answer.status for answer in answers]

    assert asyncio.run(scenario()) == [200, 200, 200]


def test_fetcher_serves_consecutive_loops(site: Site) -> None:
    site.answers["/x"] = Response(200, {}, b"{}")
    fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)

    async def scenario() -> int:
        answer = await fetcher("GET", f"{site.url}/x", {}, None)
        await fetcher.aclose()
        return answer.status

    assert [asyncio.run(scenario()), asyncio.run(scenario())] == [200, 200]


def test_fetcher_may_close_repeatedly(site: Site) -> None:
    async def scenario() -> None:
        fetcher = HttpFetcher(max_bytes=LIMIT, timeout=5)
        await fetcher.aclose()
        await fetcher("GET", f"{site.url}/x", {}, None)
        await fetcher.aclose()
        await fetcher.aclose()

    asyncio.run(scenario())


def over_http(issuer: LocalIssuer, **limits: Any) -> OIDCAuth:
    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    return OIDCAuth.from_dict({"issuer": table, "limits": limits})


def test_token_verifies_over_http_and_client_closes() -> None:
    issuer = LocalIssuer(algorithm="ES256")

    async def scenario() -> str:
        async with over_http(issuer) as oidc:
            return (await oidc.authenticate({"authorization": f"Bearer {issuer.token()}"})).identity

    with issuer.served():
        assert asyncio.run(scenario()) == "alice"
        assert [url.removeprefix(issuer.url) for url in issuer.fetched] == [
            "/.well-known/openid-configuration",
            "/keys",
        ]


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.ERROR, Fault.HTML, Fault.REDIRECT, Fault.OVERSIZED])
def test_http_fault_is_outage(fault: Fault) -> None:
    issuer = LocalIssuer(algorithm="ES256")
    issuer.fault = fault

    async def scenario() -> UpstreamError:
        async with over_http(issuer) as oidc:
            with pytest.raises(UpstreamError) as outage:
                await oidc.authenticate({"authorization": f"Bearer {issuer.token()}"})
            return outage.value

    with issuer.served():
        assert asyncio.run(scenario()).challenge().status == 503


PERMITTED = [
    "https://issuer.test",
    "https://issuer.test:8443/realms/a?x=1",
    "HTTPS://issuer.test/",
    "https://10.0.0.1/",
    "https://[2001:db8::1]/keys",
    "https://[64:ff9b::808:808]/",
    "https://127.0.0.1/",
    "http://localhost:8080/realms/a",
    "http://LOCALHOST/",
    "http://127.0.0.1/",
    "http://127.8.9.10:99/",
    "http://[::1]:8080/",
]


@pytest.mark.parametrize("url", PERMITTED)
def test_https_and_loopback_http_are_allowed(url: str) -> None:
    assert forbidden_url_reason(url) is None


FORBIDDEN = [
    "http://issuer.test/",
    "http://10.0.0.1/",
    "http://0.0.0.0/",
    "http://localhost.evil.test/",
    "http://127.0.0.1.evil.test/",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "ftp://issuer.test/",
    "data:application/json,{}",
    "gopher://issuer.test/",
    "//issuer.test/",
    "issuer.test",
    "",
    "https://",
    "https:///keys",
    "https://user@issuer.test/",
    "https://user:pass@issuer.test/",
    "https://:pass@issuer.test/",
    "https://issuer.test@evil.test/",
    "https://issuer.test/#keys",
    "https://169.254.169.254/",
    "https://169.254.0.1:8443/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://224.0.0.1/",
    "https://[ff02::1]/",
    "https://[::1/",
    "https://[nonsense]/",
    "https://issuer.test:99999/",
    "https://issuer.test:x/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_forbidden_address_is_rejected_with_reason(url: str, messages: Messages) -> None:
    assert forbidden_url_reason(url)
    messages.check(forbidden_url_reason(url))


@pytest.mark.parametrize(
    "host",
    [
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[::169.254.169.254]",
        "[fd00:ec2::254]",
        "169.254.169.254.",
        "169%2e254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
    ],
)
def test_encoded_link_local_address_is_rejected(host: str) -> None:
    assert forbidden_url_reason(f"https://{host}/") is not None


@pytest.mark.parametrize(
    ("url", "hosts", "why"),
    [
        ("http://keycloak:8080/keys", {"keycloak"}, None),
        ("http://keycloak:8080/keys", {"other"}, HTTP_REASON + SETTING_HINT),
        ("http://keycloak:8080/keys", None, HTTP_REASON),
        ("http://169.254.169.254/", {"169.254.169.254"}, LINK_LOCAL_REASON),
    ],
)
def test_http_is_allowed_for_listed_hosts(url: str, hosts: set[str] | None, why: str | None) -> None:
    assert forbidden_url_reason(url, hosts) == why
