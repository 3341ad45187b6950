"""Locate and download an issuer's key set (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..json_values import is_object
from ..quoting import quote
from .fetch import FetchError, body_too_large, forbidden_url_reason, redact_url
from .jwk import UnusableKeyError
from .key_set import NoUsableKeyError, read_key_set
from .refresh import WithdrawnError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .fetch import Fetcher, Response
    from .key_set import KeySet

WELL_KNOWN = "/.well-known/openid-configuration"

MAX_ISSUER_LENGTH = 300
"""Characters of an issuer in a message."""

ADDRESS_HINT = "Use an https address. Set jwks_uri if the metadata names an address that this server must not use."
STATUS_HINT = "Open the address from this host. Redirects are not followed: set the final address."
DOCUMENT_HINT = "Check the address. A login page or a proxy may answer instead of the provider."
WITHDRAWN_HINT = (
    "The provider answered. Publish at least one public signing key (use 'sig', RSA 2048 or more, EC or Ed25519)."
)


def metadata_url(issuer: str) -> str:
    """Return the address of an issuer's metadata (Discovery 1.0 §4.1)."""
    # §4.1: a final slash is removed before the path is appended.
    return issuer.removesuffix("/") + WELL_KNOWN


def require_same_issuer(issuer: str, metadata: Mapping[str, object], setting: str = "jwks_uri") -> None:
    """Refuse metadata of another issuer.

    Args:
        issuer: the exact issuer.
        metadata: the metadata that its address has.
        setting: the setting that makes the metadata unnecessary.

    Raises:
        FetchError: the metadata belongs to another issuer.
    """
    # Discovery 1.0 §4.3 and RFC 8414 §3.3: the issuers MUST be identical. Otherwise one issuer could impersonate
    # another one.
    named = metadata.get("issuer")
    if named != issuer:
        difference = " (they differ only by a trailing '/')" if _differ_by_slash(named, issuer) else ""
        raise FetchError(
            f"the metadata at {metadata_url(issuer)} has issuer {quote(named, MAX_ISSUER_LENGTH)}, "
            f"but {issuer!r} is configured{difference}",
            hint=f"Write the issuer exactly as in the metadata, or set {setting}.",
        )


def key_set_url(issuer: str, metadata: Mapping[str, object]) -> str:
    """Return the ``jwks_uri`` of an issuer's metadata.

    Raises:
        FetchError: the metadata belongs to another issuer, or has no ``jwks_uri``.
    """
    require_same_issuer(issuer, metadata)
    url = metadata.get("jwks_uri")
    if not isinstance(url, str):
        raise FetchError(f"the metadata at {metadata_url(issuer)} has no jwks_uri", hint="Set jwks_uri.")
    return url


def _differ_by_slash(named: object, issuer: str) -> bool:
    return isinstance(named, str) and named.rstrip("/") == issuer.rstrip("/")


class WithdrawnKeysError(FetchError, WithdrawnError):
    """The provider answered with a key set that has no usable key."""


class KeySetClient:
    """Downloads the key set of one issuer.

    Args:
        issuer: the exact issuer.
        jwks_uri: the address of the key set. None: take it from the issuer's metadata.
        fetcher: sends the requests.
        max_bytes: the largest document, in bytes.
        bearer_file: a file with a token for the provider. It is read before each request, because it may change.
        insecure_http_hosts: hosts that may be fetched over plain http.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_uri: str | None,
        fetcher: Fetcher,
        max_bytes: int,
        bearer_file: str | None,
        insecure_http_hosts: frozenset[str],
    ) -> None:
        self._issuer = issuer
        self._configured_url = jwks_uri
        self._fetcher = fetcher
        self._max_bytes = max_bytes
        self._bearer_file = bearer_file
        self._insecure_http_hosts = insecure_http_hosts
        self._discovered_url: str | None = None
        self._discovered_at = 0.0

    def forget_address(self) -> None:
        """Read the metadata again before the next download."""
        self._discovered_url = None

    async def address(self, now: float, max_age: float) -> str:
        """Return the address of the key set.

        Args:
            now: the time in seconds since the epoch.
            max_age: read the metadata again if it is older, in seconds.

        Raises:
            FetchError: the metadata cannot be used.
        """
        if self._configured_url is not None:
            return self._configured_url
        # A negative age means that the clock was set back. Then the metadata is read again.
        if self._discovered_url is None or not 0 <= now - self._discovered_at < max_age:
            url = key_set_url(self._issuer, await self._download(metadata_url(self._issuer)))
            self._discovered_url, self._discovered_at = url, now
        return self._discovered_url

    async def key_set(self, url: str) -> KeySet:
        """Download a key set.

        Raises:
            WithdrawnKeysError: the key set has no usable key.
            FetchError: the address does not have a key set.
        """
        # An empty set is an answer of the provider, a login page is not. Only the former withdraws the known keys.
        document = await self._download(url)
        try:
            return read_key_set(document)
        except NoUsableKeyError as error:
            raise WithdrawnKeysError(f"GET {redact_url(url)}: {error}", hint=WITHDRAWN_HINT) from error
        except UnusableKeyError as error:
            raise FetchError(f"GET {redact_url(url)}: {error}", hint=DOCUMENT_HINT) from error

    async def _download(self, url: str) -> dict[str, object]:
        # The metadata chooses the address of the keys, so it could make this server send requests to internal hosts.
        if (why := self._forbidden_reason(url)) is not None:
            raise FetchError(f"{redact_url(url)} is not fetched: {why}", hint=ADDRESS_HINT)
        request = f"GET {redact_url(url)}"
        headers = {"accept": "application/json", **await self._authorization(url)}
        try:
            response = await self._fetcher("GET", url, headers, None)
            return read_json_object(response, self._max_bytes)
        except FetchError as error:
            raise FetchError(f"{request}: {error}", hint=error.hint) from error

    def _forbidden_reason(self, url: str) -> str | None:
        if url == self._configured_url:
            return forbidden_url_reason(url, self._insecure_http_hosts)
        return forbidden_endpoint_reason(url, self._issuer, self._insecure_http_hosts, "keys")

    async def _authorization(self, url: str) -> dict[str, str]:
        # The token goes only to origins that the operator configured, not to one that the metadata names.
        trusted = {_origin(known) for known in (self._issuer, self._configured_url) if known is not None}
        if self._bearer_file is None or _origin(url) not in trusted:
            return {}
        return {"authorization": f"Bearer {await asyncio.to_thread(_read_bearer, self._bearer_file)}"}


def forbidden_endpoint_reason(url: str, issuer: str, insecure_http_hosts: frozenset[str], what: str) -> str | None:
    """Return why an address from an issuer's metadata must not be used, or None.

    Args:
        url: the address.
        issuer: the issuer that names it.
        insecure_http_hosts: hosts that may be used over plain http, if the issuer is http too.
        what: what the issuer has at this address, for the message.
    """
    # Endpoints must be https (Discovery 1.0 §3, RFC 8414 §2). Only the operator may choose http on loopback, because
    # any process of this host could answer there.
    if urlsplit(issuer).scheme != "https":
        return forbidden_url_reason(url, insecure_http_hosts)
    # insecure_http_hosts does not apply here, so the message must not advise it.
    if (why := forbidden_url_reason(url)) is not None:
        return why
    return None if urlsplit(url).scheme == "https" else f"the issuer is https, so its {what} must be https too"


def _read_bearer(file: str) -> str:
    hint = "Write exactly one token into bearer_file, and let the server's user read it."
    try:
        token = Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise FetchError(f"bearer_file {file} cannot be read: {type(error).__name__}", hint=hint) from None
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        # An HTTP client would reject such a header and put the token into its message.
        raise FetchError(f"bearer_file {file} does not hold exactly one token", hint=hint)
    return token


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def read_json_object(response: Response, max_bytes: int) -> dict[str, object]:
    """Return the JSON object of a 200 response.

    Raises:
        FetchError: the response has another status, is too large or is not a JSON object.
    """
    status, headers, body = response
    if status != 200:  # noqa: PLR2004 - OK
        kind = headers.get("content-type")
        content = f", content-type {quote(kind)}" if kind else ""
        raise FetchError(f"status {status}{content}", hint=STATUS_HINT)
    # Also for fetchers of the user, which may not bound the body.
    if len(body) > max_bytes:
        raise body_too_large(max_bytes)
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FetchError("the body is not JSON", hint=DOCUMENT_HINT) from error
    if not is_object(document):
        raise FetchError("the body is not a JSON object", hint=DOCUMENT_HINT)
    return document
