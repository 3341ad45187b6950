"""The only network seam: bounded in size and redirects; the deadline is set by its caller, for any fetcher."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    import httpx

NAT64 = ipaddress.ip_network("64:ff9b::/96")
IPV4_COMPATIBLE = ipaddress.ip_network("::/96")
METADATA_IPV6 = ipaddress.ip_address("fd00:ec2::254")
"""The metadata service of AWS, which over IPv6 has no link-local address."""
USER_AGENT = "langgraph-oidc-auth"
"""Some firewalls in front of providers refuse requests without a User-Agent."""


LAZY_MODULES = ("httpcore", "anyio._backends._asyncio")
"""What httpx loads at its first request, which would hold the event loop up meanwhile; a name it has not is no harm."""


class Response(NamedTuple):
    """An HTTP answer: status, headers (lower-case names), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FetchError(Exception):
    """The fetch did not bring an answer: no connection, too much of it, or not what was asked for."""


class Fetcher(Protocol):
    """Brings one HTTP answer. Deadline and size are enforced by the caller as well, whatever the fetcher does.

    An implementation must not follow redirects. It may raise anything: every failure counts as "no answer".
    """

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Send one request and return its answer."""
        ...


HTTP_REASON = "http is allowed for loopback only: use https"
LINK_LOCAL_REASON = "link-local addresses are never fetched"
SETTING_HINT = ", or list the host in insecure_http_hosts"


def forbidden_url_reason(url: str, insecure_http_hosts: Container[str] | None = None) -> str | None:
    """Return why ``url`` must not be fetched, or None.

    Only https is fetched, http from loopback and from the listed hosts, and nothing from a link-local address.

    Args:
        url: The address.
        insecure_http_hosts: The issuer's setting of that name, or None where no such setting applies.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "it is not a URL"
    if not host.isascii() or "%" in host or host.endswith("."):
        # A client reads dots of other scripts as dots, and %2e too: what looks like a name may be an address.
        return "its host must be written plainly: in ASCII (xn--...), without % and without a dot at its end"
    if not host or parts.username or parts.password or parts.fragment:
        return "it must be a plain https URL: a host, no user name, no fragment"
    if parts.scheme == "https":
        return LINK_LOCAL_REASON if _is_link_local(host) else None
    if parts.scheme == "http":
        return None if _is_loopback(host) else _http_reason(host, insecure_http_hosts)
    return f"scheme '{parts.scheme}' is not https"


def _http_reason(host: str, insecure_http_hosts: Container[str] | None) -> str | None:
    if insecure_http_hosts is None:
        return HTTP_REASON
    if host not in insecure_http_hosts:
        return HTTP_REASON + SETTING_HINT
    return LINK_LOCAL_REASON if _is_link_local(host) else None


def redact_url(url: str) -> str:
    """Return a URL as messages name it: without user name, query and fragment, which may hold a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is no URL"
    plain = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return f"{plain}?..." if parts.query else plain


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _parse_legacy_ipv4(host)
    return _embedded_ipv4(address) if isinstance(address, ipaddress.IPv6Address) else address


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # Each of these forms leads to the IPv4 address in it (RFC 4291 §2.5.5, RFC 6052 §2.1, RFC 3056 §2).
    if address in NAT64 or (address in IPV4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _parse_legacy_ipv4(host: str) -> ipaddress.IPv4Address | None:
    # 2852039166, 0xa9fea9fe and 169.254.43518 are all 169.254.169.254 to a resolver.
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_loopback(host: str) -> bool:
    address = _parse_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_link_local(host: str) -> bool:
    # 169.254.169.254 is the cloud metadata service: a discovery document must not be able to point there.
    address = _parse_address(host)
    if address is None:
        return False
    return address == METADATA_IPV6 or address.is_link_local or address.is_unspecified or address.is_multicast


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for a provider that is not the public internet's.

    Attributes:
        ca_file: authorities that are trusted beside the usual ones.
        client_certificate: the certificate this client shows.
        client_key: its private key, where the certificate's file does not hold it.
    """

    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


class HttpFetcher:
    """The fetcher used by default: httpx, one pooled client for each event loop, no redirects, bounded bodies.

    For https a proxy is taken from the environment (HTTPS_PROXY, NO_PROXY), as httpx does. Plain http, which is for
    this machine and for ``insecure_http_hosts`` only, is asked directly: a bearer token would otherwise travel to the
    proxy unencrypted.

    Args:
        max_bytes: the largest body that is read, in bytes; a larger one is an error as soon as it is seen.
        timeout: seconds for each step of one request; the caller's deadline bounds the whole.
        tls: files for a private provider.
    """

    def __init__(self, *, max_bytes: int, timeout: float, tls: TlsFiles = TlsFiles()) -> None:
        import httpx  # noqa: PLC0415 - 0.2 s for who makes one, at the start: not for `import oidc_auth` or a request

        for name in LAZY_MODULES:
            with suppress(ImportError):
                import_module(name)
        self._max_bytes = max_bytes
        self._timeout = httpx.Timeout(timeout)
        self._tls = tls
        # A client belongs to the loop it was first used in: its connections cannot be shared with another one.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Send one request and return its answer.

        Raises:
            FetchError: no connection, a compressed or an oversized body.
        """
        client = await self._client()
        import httpx  # noqa: PLC0415 - see __init__

        # A compressed body could unfold to any size: none is asked for, and none is read.
        asked = {"accept-encoding": "identity", "user-agent": USER_AGENT, **headers}
        try:
            async with client.stream(method, url, headers=asked, content=body) as answer:
                return Response(answer.status_code, dict(answer.headers), await self._read(answer))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise FetchError(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        """Close the running loop's client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            # The TLS context reads the trust store from disk: not on the event loop.
            client = await asyncio.to_thread(self._build)
            if loop in self._clients:
                await client.aclose()
            else:
                self._clients[loop] = client
        return self._clients[loop]

    def _build(self) -> httpx.AsyncClient:
        from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - see __init__

        import httpx  # noqa: PLC0415 - see __init__

        # A provider's cookie could tie all later requests to one node of it, which may lag behind with its keys.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(
            timeout=self._timeout,
            follow_redirects=False,
            verify=self._context() or True,
            mounts={"http://": None},
            cookies=no_cookies,
        )

    def _context(self) -> ssl.SSLContext | None:
        if self._tls == TlsFiles():
            return None
        context = ssl.create_default_context()
        if self._tls.ca_file is not None:
            context.load_verify_locations(self._tls.ca_file)
        if self._tls.client_certificate is not None:
            context.load_cert_chain(self._tls.client_certificate, self._tls.client_key)
        return context

    async def _read(self, answer: httpx.Response) -> bytes:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise FetchError("the body is compressed although none was asked for")
        # What is announced need not be read to be refused. That it is a number, the HTTP client has checked.
        self._check_size(int(answer.headers.get("content-length", 0)))
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            self._check_size(len(body))
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise FetchError(f"the body is larger than {self._max_bytes} bytes")
