"""What the checks look at, gathered once: the configuration, each provider's answers, langgraph.json, a running server.

Read-only: nothing is written anywhere, and a server is only searched, never changed.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...config.issuers import exact_issuers
from ...config.load import LoadedConfig
from ...config.raw_document import read_table
from ...errors import ConfigError, UpstreamError
from ...keys.budget import FetchBudget
from ...keys.discovery import WELL_KNOWN, metadata_url
from ...keys.fetch import FetchError, HttpFetcher, Response, TlsFiles, forbidden_url_reason
from ...keys.source import KeyLimits, RemoteKeys
from ...observability import EventReporter
from ..inputs import load
from ..langgraph_json import LANGGRAPH_JSON
from .finding import NotApplicableError, Severity, not_checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...config.schema import IssuerTable, LimitsTable
    from .finding import Finding
    from .server import RunningServer


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that the server itself would make, its answer, and when it came (seconds since the epoch)."""

    url: str
    response: Response
    at: float


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider of one issuer answered. Each tenant and each alias is an issuer.

    Attributes:
        issuer: the issuer, exactly.
        table: its configuration.
        alias: whether it is another spelling only, which a provider need not know.
        failure: why the server would have no keys, or "".
        exchanges: every answer there was.
    """

    issuer: str
    table: IssuerTable
    alias: bool = False
    failure: str = ""
    exchanges: tuple[Exchange, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """How bad a finding about it is at most; None: as bad as the check says."""
        return Severity.WARNING if self.alias else None

    def document(self, *, discovery: bool) -> Mapping[str, Any]:
        """Return the discovery document, or the key set; empty when there was none."""
        for exchange in self.exchanges:
            if exchange.url.endswith(WELL_KNOWN) == discovery and exchange.response.status == 200:  # noqa: PLR2004 - OK
                return _object(exchange.response.body)
        return {} if discovery or self.table.jwks is None else self.table.jwks


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorEnvironment:
    """All that the checks look at.

    Attributes:
        file: the configuration; None: the environment is.
        loaded: what it says, or why it is wrong.
        providers: the answers of each issuer's provider; none when the configuration is wrong.
        langgraph_file: where langgraph.json is expected.
        langgraph: what it says; None: there is none, a text: why it cannot be read.
        server: the running server, when an address was given.
    """

    file: Path | None
    loaded: LoadedConfig | ConfigError
    providers: tuple[Provider, ...]
    langgraph_file: Path
    langgraph: dict[str, Any] | str | None
    server: RunningServer | None

    def configuration(self) -> LoadedConfig:
        """Return the configuration.

        Raises:
            NotApplicableError: it is wrong (a check of its own says so).
        """
        if isinstance(self.loaded, ConfigError):
            raise NotApplicableError("the configuration is wrong")
        return self.loaded

    def configuration_file(self) -> Path:
        """Return the file of the configuration.

        Raises:
            NotApplicableError: there is none.
        """
        if self.file is None:
            raise NotApplicableError("no configuration file to look at")
        return self.file

    def queried_providers(self) -> tuple[Provider, ...]:
        """Return the providers that the server would ask over the network.

        Raises:
            NotApplicableError: there are none.
        """
        self.configuration()
        if not (asked := tuple(provider for provider in self.providers if provider.table.jwks is None)):
            raise NotApplicableError("the keys are part of the configuration: nothing is fetched")
        return asked

    def responding_providers(self) -> tuple[Provider, ...]:
        """Return the providers that answered at all.

        Raises:
            NotApplicableError: there are none.
        """
        if not (answered := tuple(provider for provider in self.queried_providers() if provider.exchanges)):
            raise NotApplicableError("no provider answered")
        return answered

    def unanswered_findings(self) -> Iterator[Finding]:
        """Yield that a check saw nothing of the providers that did not answer, while others did."""
        silent_ones = (provider for provider in self.queried_providers() if not provider.exchanges)
        yield from (not_checked(provider.issuer, "no answer") for provider in silent_ones)

    def deployment(self) -> dict[str, Any]:
        """Return what langgraph.json says.

        Raises:
            NotApplicableError: there is none, or it cannot be read (a check of its own says so).
        """
        if not isinstance(self.langgraph, dict):
            raise NotApplicableError(f"no {LANGGRAPH_JSON} to look at")
        return self.langgraph

    def auth(self) -> dict[str, Any]:
        """Return the table ``auth`` of langgraph.json."""
        return read_table(self.deployment().get("auth"))

    def http(self) -> dict[str, Any]:
        """Return the table ``http`` of langgraph.json."""
        return read_table(self.deployment().get("http"))

    def running_server(self) -> RunningServer:
        """Return the running server.

        Raises:
            NotApplicableError: no address was given.
        """
        if self.server is None:
            raise NotApplicableError("no --url")
        return self.server


@dataclass(slots=True)
class Recorder:
    """A fetcher that remembers what it brought."""

    fetcher: HttpFetcher
    exchanges: list[Exchange] = field(default_factory=list[Exchange])

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Fetch, and remember the answer."""
        response = await self.fetcher(method, url, headers, body)
        self.exchanges.append(Exchange(url, response, time.time()))
        return response


def collect_environment(file: Path | None, langgraph_file: Path, server: RunningServer | None) -> DoctorEnvironment:
    """Read the files, and ask each provider what the server would ask it."""
    try:
        loaded: LoadedConfig | ConfigError = load(file, langgraph_file)
    except ConfigError as error:
        loaded = error
    return DoctorEnvironment(
        file=Path(loaded.source) if isinstance(loaded, LoadedConfig) and not loaded.source.startswith("$") else file,
        loaded=loaded,
        providers=() if isinstance(loaded, ConfigError) else asyncio.run(_query_providers(loaded)),
        langgraph_file=langgraph_file,
        langgraph=_read(langgraph_file),
        server=server,
    )


async def _query_providers(loaded: LoadedConfig) -> tuple[Provider, ...]:
    limits = loaded.document.limits
    asked = (_query_provider(provider, limits) for table in loaded.document.issuer for provider in _providers_of(table))
    return tuple(await asyncio.gather(*asked))


def _providers_of(table: IssuerTable) -> Iterator[Provider]:
    """Yield each exact issuer of a table, still without answers; keys whose place is written down are one set."""
    if table.jwks is not None or table.jwks_uri is not None:
        yield Provider(table.issuer, table)
        return
    own = {exact.issuer for exact in exact_issuers(table.issuer, [], table.tenants)}
    for exact in exact_issuers(table.issuer, table.aliases, table.tenants):
        yield Provider(exact.issuer, table, alias=exact.issuer not in own)


async def _query_provider(provider: Provider, limits: LimitsTable) -> Provider:
    """Fetch an issuer's keys by the server's own code; with ``jwks_uri`` also look at the discovery document."""
    issuer, table = provider.issuer, provider.table
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
        # No token is looked at here, so that no kid is unknown.
        fetch_budget=FetchBudget(0, 0),
    )
    try:
        await keys.current_generation(time.time())
    except UpstreamError as error:
        failure = error.found.removeprefix(f"{issuer}: ")
    place = metadata_url(issuer)
    if table.jwks_uri is not None and not table.tenants and forbidden_url_reason(place) is None:
        await _fetch_discovery(recorder, place, limits.fetch_timeout)
    await recorder.fetcher.aclose()
    return replace(provider, failure=failure, exchanges=tuple(recorder.exchanges))


def _recorder(table: IssuerTable, limits: LimitsTable) -> Recorder:
    tls = TlsFiles(ca_file=table.ca_file, client_certificate=table.client_certificate, client_key=table.client_key)
    return Recorder(HttpFetcher(max_bytes=limits.key_set_bytes, timeout=limits.fetch_timeout, tls=tls))


async def _fetch_discovery(recorder: Recorder, url: str, timeout: float) -> None:  # noqa: ASYNC109 - the operator's own bound
    try:
        async with asyncio.timeout(timeout):
            await recorder("GET", url, {"accept": "application/json"}, None)
    except (FetchError, OSError):
        # The server does not need this document: its keys have an address of their own.
        return


def _read(file: Path) -> dict[str, Any] | str | None:
    if not file.is_file():
        return None
    try:
        document: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        return f"cannot be read: {type(error).__name__}"
    return cast("dict[str, Any]", document) if isinstance(document, dict) else "is no JSON object"


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        return read_table(json.loads(body))
    except (ValueError, RecursionError):
        return {}
