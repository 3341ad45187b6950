"""Send HTTP requests to providers, with limits on addresses, sizes and redirects."""

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

from ..quoting import quote

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    import httpx

NAT64 = ipaddress.ip_network("64:ff9b::/96")
IPV4_COMPATIBLE = ipaddress.ip_network("::/96")
METADATA_IPV6 = ipaddress.ip_address("fd00:ec2::254")
"""The AWS metadata service over IPv6. This address is not link-local."""
USER_AGENT = "langgraph-oidc-auth"
"""Some firewalls in front of providers reject requests without a User-Agent."""

LAZY_MODULES = ("httpcore", "anyio._backends._asyncio")
"""Modules that httpx imports at its first request. That import would block the event loop."""

HTTP_REASON = "http is allowed for loopback only: use https"
LINK_LOCAL_REASON = "link-local addresses are not allowed"
SETTING_HINT = ", or list the host in insecure_http_hosts"

MAX_URL_LENGTH = 300
"""Characters of a URL in a message, if it has unusual characters."""


class Response(NamedTuple):
    """An HTTP response.

    Attributes:
        status: the status code.
        headers: the header fields, with lower-case names.
        body: the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class FetchError(Exception):
    """A request brought no usable response.

    Args:
        message: what failed, on one line, without secrets.
        hint: what the operator can do. Without it, the message asks whether this host reaches the provider.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Fetcher(Protocol):
    """Send an HTTP request and return the response.

    The caller also enforces the deadline and the size. An implementation must not follow redirects. It may raise any
    exception, and each one counts as "no response".
    """

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Send one request and return its response."""
        ...


def forbidden_url_reason(url: str, insecure_http_hosts: Container[str] | None = None) -> str | None:
    """Return why a URL must not be fetched, or None.

    Allowed are https, and http on loopback and on the listed hosts. Link-local addresses are never allowed.

    Args:
        url: the URL.
        insecure_http_hosts: the issuer's setting of that name. None: the setting does not apply to this URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "it is not a URL"
    if not host.isascii() or "%" in host or host.endswith("."):
        # HTTP clients convert dots of other scripts and %2e to dots. A host that looks like a name may be an address.
        return "its host must be ASCII (xn--...), without % and without a final dot"
    if not host or parts.username or parts.password or parts.fragment:
        return "it must be a plain https URL: a host, no user name, no fragment"
    if parts.scheme == "https":
        return LINK_LOCAL_REASON if _is_link_local(host) else None
    if parts.scheme == "http":
        # RFC 8414 §2 requires https. Loopback traffic does not leave this host.
        return None if _is_loopback(host) else _http_reason(host, insecure_http_hosts)
    return f"scheme '{parts.scheme}' is not https"


def _http_reason(host: str, insecure_http_hosts: Container[str] | None) -> str | None:
    if insecure_http_hosts is None:
        return HTTP_REASON
    if host not in insecure_http_hosts:
        return HTTP_REASON + SETTING_HINT
    return LINK_LOCAL_REASON if _is_link_local(host) else None


def redact_url(url: str) -> str:
    """Return a URL for messages, without user name, query and fragment.

    These parts may hold a secret. The provider may have chosen the URL, so unusual characters are escaped.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid URL"
    plain = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    shown = f"{plain}?..." if parts.query else plain
    return shown if shown.isascii() and shown.isprintable() else quote(shown, MAX_URL_LENGTH)


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
    # A resolver reads 2852039166, 0xa9fea9fe and 169.254.43518 as 169.254.169.254.
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_loopback(host: str) -> bool:
    # RFC 6761 §6.3: the name localhost always means loopback.
    address = _parse_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_link_local(host: str) -> bool:
    # 169.254.169.254 is the metadata service of cloud machines. A provider's metadata must not lead there.
    address = _parse_address(host)
    if address is None:
        return False
    return address == METADATA_IPV6 or address.is_link_local or address.is_unspecified or address.is_multicast


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for a private provider.

    Attributes:
        ca_file: certificate authorities to trust in addition to the usual ones.
        client_certificate: the client certificate.
        client_key: its private key, if the certificate's file does not hold it.
    """

    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


class HttpFetcher:
    """The default fetcher, based on httpx.

    It has one connection pool per event loop, follows no redirects and bounds the body. For https it uses the proxy of
    the environment (HTTPS_PROXY, NO_PROXY), as httpx does. It never uses a proxy for plain http, because a bearer token
    would travel to the proxy unencrypted.

    Args:
        max_bytes: the largest body, in bytes. A larger one is an error as soon as it is detected.
        timeout: seconds for each step of one request. The caller bounds the whole.
        tls: files for a private provider.
    """

    def __init__(self, *, max_bytes: int, timeout: float, tls: TlsFiles = TlsFiles()) -> None:
        import httpx  # noqa: PLC0415 - takes 0.2 s, which `import oidc_auth` and a request must not pay

        for name in LAZY_MODULES:
            # Another version of httpx may not have a module. Then there is nothing to import early.
            with suppress(ImportError):
                import_module(name)
        self._max_bytes = max_bytes
        self._timeout = httpx.Timeout(timeout)
        self._tls = tls
        # A client's connections belong to the event loop in which they were opened.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Send one request and return its response.

        Raises:
            FetchError: no connection, or a compressed or oversized body.
        """
        client = await self._client()
        import httpx  # noqa: PLC0415 - see __init__

        # A compressed body could expand to any size.
        sent = {"accept-encoding": "identity", "user-agent": USER_AGENT, **headers}
        try:
            async with client.stream(method, url, headers=sent, content=body) as response:
                return Response(response.status_code, dict(response.headers), await self._read_body(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise FetchError(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        """Close the running event loop's client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            # Creating the TLS context reads certificates from disk, which would block the event loop.
            client = await asyncio.to_thread(self._build_client)
            # Another request of this event loop may have created a client in the meantime.
            if loop in self._clients:
                await client.aclose()
            else:
                self._clients[loop] = client
        return self._clients[loop]

    def _build_client(self) -> httpx.AsyncClient:
        from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - see __init__

        import httpx  # noqa: PLC0415 - see __init__

        # A cookie could tie all later requests to one node of the provider, which may have older keys.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(
            timeout=self._timeout,
            # A redirect could lead to an address that forbidden_url_reason() rejects.
            follow_redirects=False,
            verify=self._tls_context() or True,
            # No proxy for plain http, see the class.
            mounts={"http://": None},
            cookies=no_cookies,
        )

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._tls == TlsFiles():
            return None
        context = ssl.create_default_context()
        if self._tls.ca_file is not None:
            context.load_verify_locations(self._tls.ca_file)
        if self._tls.client_certificate is not None:
            context.load_cert_chain(self._tls.client_certificate, self._tls.client_key)
        return context

    async def _read_body(self, response: httpx.Response) -> bytes:
        # Names of content codings are case-insensitive (RFC 9110 §8.4.1).
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise FetchError("the body is compressed, although the request allows no compression")
        # Reject an announced size without reading. The HTTP client has checked that it is a number.
        self._check_size(int(response.headers.get("content-length", 0)))
        body = bytearray()
        # A chunked body announces no size, so each chunk is counted.
        async for chunk in response.aiter_raw():
            body += chunk
            self._check_size(len(body))
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise body_too_large(self._max_bytes)


def body_too_large(max_bytes: int) -> FetchError:
    """Return the error for a body over the limit."""
    return FetchError(
        f"the body is larger than {max_bytes} bytes",
        hint="Check that the address serves a key set, or raise limits.key_set_bytes.",
    )
