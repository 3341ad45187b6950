"""Send one token to the introspection endpoint of a provider (RFC 7662 §2)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from ..errors import TokenError
from ..json_values import is_list
from ..keys.discovery import (
    DOCUMENT_HINT,
    forbidden_endpoint_reason,
    metadata_url,
    read_json_object,
    require_same_issuer,
)
from ..keys.fetch import FetchError, body_too_large, forbidden_url_reason, redact_url
from ..keys.refresh import RefreshAges, RefreshingValue
from ..keys.remote import failure_of
from ..quoting import quote
from ..tokens.jws import parse_object
from .client_auth import BASIC, POST, PRIVATE_KEY_JWT, Client, make_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..keys.fetch import Fetcher, Response

OK = 200
REFUSED_CLIENT = frozenset({401, 403})
OVERLOADED = frozenset({429, 503})
MAX_RETRY_AFTER = 60
"""Seconds that a provider can ask clients to wait."""
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

ENDPOINT_HINT = "Set introspection.endpoint to an https address."
MISSING_HINT = "Set introspection.endpoint, or enable introspection at the provider."
CLIENT_HINT = (
    "Check introspection.client_id and its secret or key. The client must be confidential and allowed to introspect."
)
STATUS_HINT = "Read the provider's log. Redirects are not followed: set introspection.endpoint to the final address."
TYPE_HINT = "Let the provider answer with application/json. Signed answers (RFC 9701) are not supported."

_ERROR_NAME = re.compile(r"[a-z_]{1,40}")


class IntrospectionError(FetchError):
    """The provider did not say whether a token is active.

    Args:
        message: What failed, on one line, without secrets.
        hint: What the operator can do.
        retry_after: Seconds until the provider may be asked again.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Endpoint(NamedTuple):
    """An introspection endpoint, and how clients authenticate there (RFC 8414 §2).

    Attributes:
        url: The address.
        methods: The authentication methods that it supports. None: unknown.
        algorithms: The algorithms of assertions that it accepts. None: unknown.
    """

    url: str
    methods: tuple[str, ...] | None = None
    algorithms: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """How to reach one introspection endpoint.

    Attributes:
        issuer: The exact issuer.
        endpoint: The address. None: take it from the issuer's metadata.
        client: This server's client.
        insecure_http_hosts: Hosts that may be used over plain http.
        ages: When the metadata are read again.
        timeout: Seconds for the metadata and the answer together.
        max_bytes: The largest document, in bytes.
        max_depth: The deepest nesting of an answer's JSON.
    """

    issuer: str
    endpoint: str | None
    client: Client
    insecure_http_hosts: frozenset[str] = frozenset()
    ages: RefreshAges
    timeout: float
    max_bytes: int
    max_depth: int


class IntrospectionClient:
    """Asks one provider about tokens, one request for each call.

    Args:
        settings: How to reach the endpoint.
        fetcher: Sends the requests.
    """

    def __init__(self, settings: EndpointSettings, fetcher: Fetcher) -> None:
        self.settings = settings
        self._fetcher = fetcher
        self._discovered: RefreshingValue[Endpoint] = RefreshingValue(self._discover, settings.ages)
        self._discovery_hint = ""

    async def ask(self, token: str, now: float) -> Mapping[str, object]:
        """Return the provider's answer about a token.

        Args:
            token: The token.
            now: The time in seconds since the epoch.

        Raises:
            IntrospectionError: The provider did not answer, or not as RFC 7662 §2.2 requires.
        """
        try:
            async with asyncio.timeout(self.settings.timeout):
                endpoint = await self.find_endpoint(now)
                return self._read(await self._send(endpoint, token, now))
        except IntrospectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a fetcher of the user may raise anything
            # "from None", because its text may hold the token.
            failure = error if isinstance(error, FetchError) else failure_of(error, self.settings.timeout)
            raise IntrospectionError(str(failure), hint=failure.hint) from None

    async def find_endpoint(self, now: float) -> Endpoint:
        """Return the configured endpoint, or the one in the metadata.

        Raises:
            IntrospectionError: The metadata cannot be used.
        """
        if self.settings.endpoint is not None:
            return Endpoint(self.settings.endpoint)
        # An endpoint that is known stays in use while the metadata cannot be read.
        try:
            return await self._discovered.get(now)
        except LookupError as error:
            wait = self._discovered.seconds_until_retry(now)
            raise IntrospectionError(str(error), hint=self._discovery_hint, retry_after=wait) from None

    async def _discover(self, now: float) -> Endpoint:
        del now
        issuer, settings = self.settings.issuer, self.settings
        url = metadata_url(issuer)
        try:
            async with asyncio.timeout(settings.timeout):
                # The configuration was checked too. This also holds for a caller that skipped the check.
                if (why := forbidden_url_reason(url, settings.insecure_http_hosts)) is not None:
                    raise FetchError(f"it is not fetched: {why}", hint=MISSING_HINT)  # noqa: TRY301 - handled below
                response = await self._fetcher("GET", url, {"accept": JSON_TYPE}, None)
                metadata = read_json_object(response, settings.max_bytes)
                # Metadata of another issuer could send the tokens to that issuer (RFC 8414 §3.3).
                require_same_issuer(issuer, metadata, "introspection.endpoint")
                return self._read_endpoint(metadata)
        except Exception as error:  # noqa: BLE001 - as above
            failure = error if isinstance(error, FetchError) else failure_of(error, settings.timeout)
            self._discovery_hint = failure.hint
            raise FetchError(f"GET {redact_url(url)}: {failure}", hint=failure.hint) from None

    def _read_endpoint(self, metadata: Mapping[str, object]) -> Endpoint:
        url, settings = metadata.get("introspection_endpoint"), self.settings
        if not isinstance(url, str):
            raise FetchError("the metadata has no introspection_endpoint", hint=MISSING_HINT)
        # The client's secret and all tokens go there, so plain http is as dangerous as for keys.
        why = forbidden_endpoint_reason(url, settings.issuer, settings.insecure_http_hosts, "introspection endpoint")
        if why is not None:
            raise FetchError(f"{redact_url(url)} is not used: {why}", hint=ENDPOINT_HINT)
        return Endpoint(
            url,
            _find_methods(metadata),
            _names(metadata, "introspection_endpoint_auth_signing_alg_values_supported"),
        )

    async def _send(self, endpoint: Endpoint, token: str, now: float) -> Response:
        settings = self.settings
        credentials = make_credentials(
            settings.client,
            methods=endpoint.methods,
            algorithms=endpoint.algorithms,
            audience=settings.issuer,
            now=now,
        )
        # POST, because servers log query strings (RFC 7662 §2.1, §4).
        form = {"token": token, "token_type_hint": "access_token", **credentials.form}
        headers = {"accept": JSON_TYPE, "content-type": FORM_TYPE, **credentials.headers}
        try:
            return await self._fetcher("POST", endpoint.url, headers, urlencode(form).encode())
        except FetchError as error:
            raise FetchError(f"POST {redact_url(endpoint.url)}: {error}", hint=error.hint) from None

    def _read(self, response: Response) -> Mapping[str, object]:
        status, headers, body = response
        # Also for fetchers of the user, which may not bound the body.
        if len(body) > self.settings.max_bytes:
            raise body_too_large(self.settings.max_bytes)
        if status != OK:
            raise self._status_error(response)
        # A login page and a signed answer (RFC 9701) do not count.
        kind = headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != JSON_TYPE:
            raise FetchError(f"content-type {quote(kind)} is not {JSON_TYPE}", hint=TYPE_HINT)
        try:
            # As strict as for a token: with two members "active", it would be unclear which one counts.
            return parse_object(body, self.settings.max_depth)
        except TokenError:
            raise FetchError("the body is not one strict JSON object", hint=DOCUMENT_HINT) from None

    def _status_error(self, response: Response) -> IntrospectionError:
        status, what = response.status, f"status {response.status}{_error_name(response.body)}"
        # 401 is the answer to a wrong credential (RFC 7662 §2.3). Some providers answer 400 or 403. No other token can
        # help, so the user gets 503, and the operator a message about the client.
        if status in REFUSED_CLIENT or _error_name(response.body).endswith("invalid_client"):
            client = quote(self.settings.client.client_id)
            return IntrospectionError(f"the provider refused the client {client}: {what}", hint=CLIENT_HINT)
        # Only whole seconds. A date would depend on the clocks of both hosts.
        wait = response.headers.get("retry-after", "") if status in OVERLOADED else ""
        retry_after = min(int(wait), MAX_RETRY_AFTER) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 1  # noqa: PLR2004 - 5 digits are a day
        return IntrospectionError(what, hint=STATUS_HINT, retry_after=retry_after)


def _error_name(body: bytes) -> str:
    """Return the OAuth error of an answer (RFC 6749 §5.2), or ""."""
    # Its description is left out, because a provider could repeat the token there.
    try:
        answer = parse_object(body, 4)
    except TokenError:
        return ""
    name = answer.get("error")
    return f", error {name}" if isinstance(name, str) and _ERROR_NAME.fullmatch(name) else ""


def _find_methods(metadata: Mapping[str, object]) -> tuple[str, ...] | None:
    methods = _names(metadata, "introspection_endpoint_auth_methods_supported")
    if methods is not None:
        return methods
    # Without a list, RFC 8414 §2 leaves the methods open. Clients that must use POST for tokens use it here too.
    token_methods = _names(metadata, "token_endpoint_auth_methods_supported") or ()
    return (POST, PRIVATE_KEY_JWT) if POST in token_methods and BASIC not in token_methods else None


def _names(metadata: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    """Return a list of names in the metadata, or None if there is none."""
    value = metadata.get(key)
    return tuple(each for each in value if isinstance(each, str)) if is_list(value) else None
