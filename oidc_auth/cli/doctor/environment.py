"""The data for all checks, collected once: files, answers of providers, hook.

Nothing is changed, neither on disk nor on a server.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...authentication import OIDCAuth
from ...config.build_introspection import introspection_client
from ...config.issuers import exact_issuers
from ...config.load import LoadedConfig
from ...config.raw_document import read_table
from ...errors import ConfigError, UpstreamError
from ...introspection.endpoint import IntrospectionError
from ...keys.budget import FetchBudget
from ...keys.discovery import WELL_KNOWN, metadata_url
from ...keys.fetch import FetchError, HttpFetcher, Response, TlsFiles, forbidden_url_reason
from ...keys.remote import KeyLimits, RemoteKeys
from ...observability import EventReporter
from ..auth_hook import find_hook
from ..inputs import load
from ..langgraph_json import AEGRA_ENTRY, AEGRA_JSON, LANGGRAPH_JSON, read_document
from .check import NotApplicableError, Severity, not_checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...config.schema import IntrospectionTable, IssuerTable
    from ...config.schema_server import LimitsTable
    from ..auth_hook import AuthHook
    from .check import Finding
    from .running_server import RunningServer


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of the server's own code, its answer, and the time of the answer."""

    url: str
    response: Response
    at: float


@dataclass(frozen=True, slots=True)
class IntrospectionResult:
    """The answer of an introspection endpoint about a made-up token, or why there was none."""

    answer: Mapping[str, object] = field(default_factory=dict[str, object])
    failure: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """The answers of one issuer. Each tenant and each alias is an issuer.

    Attributes:
        issuer: The exact issuer.
        table: Its configuration.
        alias: Whether it is an alias. Providers do not always serve aliases.
        failure: Why the server would have no keys, or "".
        exchanges: All answers of the discovery document and the key set.
        introspection: The result of a test of its introspection, or None if it has none.
    """

    issuer: str
    table: IssuerTable
    alias: bool = False
    failure: str = ""
    exchanges: tuple[Exchange, ...] = ()
    introspection: IntrospectionResult | None = None

    @property
    def severity(self) -> Severity | None:
        """The severity of findings about it. None means the severity of the check."""
        return Severity.WARNING if self.alias else None

    def document(self, *, discovery: bool) -> Mapping[str, Any]:
        """Return the discovery document or the key set, or an empty table."""
        for exchange in self.exchanges:
            # The first answer with 200: the body of a redirect or an error is not the document.
            if exchange.url.endswith(WELL_KNOWN) == discovery and exchange.response.status == 200:  # noqa: PLR2004 - OK
                return _object(exchange.response.body)
        return {} if discovery or self.table.jwks is None else self.table.jwks


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorEnvironment:
    """The data for all checks.

    Attributes:
        file: The configuration file. None if the configuration is not in a file.
        loaded: The configuration, or why it is invalid.
        providers: The answers of all issuers. Empty if the configuration is invalid.
        langgraph_file: The path of langgraph.json, or of aegra.json.
        langgraph: Its content. None if it is missing, a text if it cannot be read.
        hook: The authenticate hook that it names.
        server: The running server, or None.
    """

    file: Path | None
    loaded: LoadedConfig | ConfigError
    providers: tuple[Provider, ...]
    langgraph_file: Path
    langgraph: dict[str, Any] | str | None
    hook: AuthHook
    server: RunningServer | None

    def configuration(self) -> LoadedConfig:
        """Return the configuration.

        Raises:
            NotApplicableError: It is invalid. Another check reports this.
        """
        if isinstance(self.loaded, ConfigError):
            raise NotApplicableError("the configuration is invalid")
        return self.loaded

    def configuration_file(self) -> Path:
        """Return the file of the configuration.

        Raises:
            NotApplicableError: There is none.
        """
        if self.file is None:
            # An invalid configuration has no source.
            self.configuration()
            raise NotApplicableError("the configuration is not in a file")
        return self.file

    def queried_providers(self) -> tuple[Provider, ...]:
        """Return the providers with keys that the server must fetch.

        Raises:
            NotApplicableError: There are none.
        """
        self.configuration()
        if not (asked := tuple(provider for provider in self.providers if provider.table.jwks is None)):
            raise NotApplicableError("the configuration contains the keys, so nothing is fetched")
        return asked

    def responding_providers(self) -> tuple[Provider, ...]:
        """Return the providers that answered.

        Raises:
            NotApplicableError: There are none.
        """
        if not (answered := tuple(provider for provider in self.queried_providers() if provider.exchanges)):
            raise NotApplicableError("no provider answered")
        return answered

    def unanswered_findings(self) -> Iterator[Finding]:
        """Yield a finding for each provider that did not answer."""
        silent = (provider for provider in self.queried_providers() if not provider.exchanges)
        yield from (not_checked(provider.issuer, "no answer") for provider in silent)

    @property
    def is_aegra(self) -> bool:
        """Whether the deployment is one of Aegra, which also reads a langgraph.json."""
        return self.langgraph_file.name == AEGRA_JSON or self.hook.path == AEGRA_ENTRY

    def deployment(self) -> dict[str, Any]:
        """Return the content of langgraph.json.

        Raises:
            NotApplicableError: There is none, it is one of Aegra, or it cannot be read. Another check reports this.
        """
        if self.is_aegra:
            raise NotApplicableError("Aegra has no such setting")
        return self.any_deployment()

    def any_deployment(self) -> dict[str, Any]:
        """Return the content of langgraph.json or aegra.json, for settings that both have.

        Raises:
            NotApplicableError: There is none, or it cannot be read.
        """
        if not isinstance(self.langgraph, dict):
            raise NotApplicableError(f"no {LANGGRAPH_JSON}")
        return self.langgraph

    def auth(self) -> dict[str, Any]:
        """Return the table ``auth`` of langgraph.json."""
        return read_table(self.deployment().get("auth"))

    def http(self) -> dict[str, Any]:
        """Return the table ``http`` of langgraph.json."""
        return read_table(self.deployment().get("http"))

    def authorization_servers(self) -> tuple[str, ...]:
        """Return the issuers that the metadata of the web application names."""
        resource = OIDCAuth(self.configuration()).resource
        return () if resource is None else resource.authorization_servers

    def running_server(self) -> RunningServer:
        """Return the running server.

        Raises:
            NotApplicableError: The command has no --url.
        """
        if self.server is None:
            raise NotApplicableError("no --url")
        return self.server


@dataclass(slots=True)
class Recorder:
    """A fetcher that keeps all answers."""

    fetcher: HttpFetcher
    exchanges: list[Exchange] = field(default_factory=list[Exchange])

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Fetch, and keep the answer."""
        # The fetcher of the server, so that its rules apply here too: https, sizes, timeouts, no redirects.
        response = await self.fetcher(method, url, headers, body)
        self.exchanges.append(Exchange(url, response, time.time()))
        return response


def collect_environment(file: Path | None, langgraph_file: Path, server: RunningServer | None) -> DoctorEnvironment:
    """Read the files, import the hook, and send the server's requests to each provider."""
    # Imported once: a module can take seconds, and its side effects happen again.
    hook = find_hook(langgraph_file)
    try:
        loaded: LoadedConfig | ConfigError = load(file, langgraph_file, hook)
    except ConfigError as error:
        loaded = error
    return DoctorEnvironment(
        file=_source_file(loaded) or file,
        loaded=loaded,
        providers=() if isinstance(loaded, ConfigError) else asyncio.run(_query_providers(loaded)),
        langgraph_file=langgraph_file,
        langgraph=_read(langgraph_file),
        hook=hook,
        server=server,
    )


def _source_file(loaded: LoadedConfig | ConfigError) -> Path | None:
    """Return the file of a configuration. Variables and Python mappings have none."""
    source = Path(loaded.source)
    return source if isinstance(loaded, LoadedConfig) and source.is_file() else None


async def _query_providers(loaded: LoadedConfig) -> tuple[Provider, ...]:
    limits = loaded.document.limits
    asked = (_query_provider(provider, limits) for table in loaded.document.issuer for provider in _providers_of(table))
    # Together, so that several providers that do not answer take the time of one.
    return tuple(await asyncio.gather(*asked))


def _providers_of(table: IssuerTable) -> Iterator[Provider]:
    """Yield each issuer of a table, without answers. With jwks or jwks_uri there is one key set."""
    # One entry, because all tenants and aliases of the table share that key set.
    if table.jwks is not None or table.jwks_uri is not None:
        yield Provider(table.issuer, table)
        return
    own = {exact.issuer for exact in exact_issuers(table.issuer, [], table.tenants)}
    for exact in exact_issuers(table.issuer, table.aliases, table.tenants):
        yield Provider(exact.issuer, table, alias=exact.issuer not in own)


async def _query_provider(provider: Provider, limits: LimitsTable) -> Provider:
    """Fetch the keys with the server's code. With ``jwks_uri``, also fetch the discovery document."""
    issuer, table = provider.issuer, provider.table
    if table.introspection is not None and issuer == table.issuer:
        provider = replace(provider, introspection=await _introspect(table, table.introspection, limits))
    if table.jwks is not None:
        return provider
    recorder, failure = _recorder(table, limits), ""
    keys = RemoteKeys(
        issuer,
        jwks_uri=table.jwks_uri,
        fetcher=recorder,
        limits=KeyLimits(fetch_timeout=limits.fetch_timeout, key_set_bytes=limits.key_set_bytes),
        reporter=EventReporter(),
        bearer_file=table.bearer_file,
        insecure_http_hosts=frozenset(table.insecure_http_hosts),
        # No token is verified here, so no kid is unknown.
        fetch_budget=FetchBudget(0, 0),
    )
    try:
        await keys.current_generation(time.time())
    except UpstreamError as error:
        # The finding names the issuer already.
        failure = error.found.removeprefix(f"{issuer}: ")
    url = metadata_url(issuer)
    reachable = forbidden_url_reason(url, table.insecure_http_hosts) is None
    # Only for the check of the issuer. With tenants, the issuer is a template without an address.
    if table.jwks_uri is not None and not table.tenants and reachable:
        await _fetch_discovery(recorder, url, limits.fetch_timeout)
    await recorder.fetcher.aclose()
    return replace(provider, failure=failure, exchanges=tuple(recorder.exchanges))


async def _introspect(
    table: IssuerTable, introspection: IntrospectionTable, limits: LimitsTable
) -> IntrospectionResult:
    """Ask about a made-up token, with the server's code and client."""
    fetcher = _recorder(table, limits).fetcher
    try:
        client = introspection_client(table, introspection, limits, fetcher)
        return IntrospectionResult(await client.ask(f"doctor-{secrets.token_urlsafe(24)}", time.time()))
    except IntrospectionError as error:
        return IntrospectionResult(failure=str(error), hint=error.hint)
    finally:
        await fetcher.aclose()


def _recorder(table: IssuerTable, limits: LimitsTable) -> Recorder:
    # A client for each table, because each can have its own certificates.
    tls = TlsFiles(ca_file=table.ca_file, client_certificate=table.client_certificate, client_key=table.client_key)
    return Recorder(HttpFetcher(max_bytes=limits.key_set_bytes, timeout=limits.fetch_timeout, tls=tls))


async def _fetch_discovery(recorder: Recorder, url: str, timeout: float) -> None:  # noqa: ASYNC109 - the operator's own bound
    try:
        async with asyncio.timeout(timeout):
            await recorder("GET", url, {"accept": "application/json"}, None)
    except (FetchError, OSError):
        # The server does not need this document, because the keys have their own address.
        return


def _read(file: Path) -> dict[str, Any] | str | None:
    if not file.is_file():
        return None
    try:
        return read_document(file)
    except ValueError as error:
        # As text, so that one check reports the reason and the others are skipped.
        return str(error)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        return read_table(json.loads(body))
    # The provider chooses the body: no JSON, or nested deeper than the parser can go.
    except (ValueError, RecursionError):
        return {}
