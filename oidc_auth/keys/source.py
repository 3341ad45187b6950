"""Where an issuer's keys come from: written into the configuration, or fetched and kept fresh."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from cachetools import LRUCache

from ..errors import ErrorCode, TokenError, UpstreamError
from ..json_values import is_object
from ..observability import EventReporter, KeysFetched, logger
from .discovery import key_set_url, metadata_url
from .fetch import Fetcher, FetchError, forbidden_url_reason, redact_url
from .jwk import Key, UnusableKeyError
from .key_set import KeySet, NoUsableKeyError, read_key_set, select_key
from .refresh import RefreshAges, RefreshingValue, WithdrawnError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .budget import FetchBudget

MAX_ABSENT_KIDS = 1024
"""How many kids that the last key set lacked are remembered; more only push the oldest out."""
MOST_SOUGHT = 8
"""Unknown kids whose requests wait for one fetch: a rotation brings one or two, a flood a thousand."""
WARNING_INTERVAL = 60
"""Seconds between two warnings about a provider that stays away."""


MAX_FAILURE_LENGTH = 1_000
"""Characters of a failure in a message."""


class SelectedKey(NamedTuple):
    """The key for a header, and the generation of the key set it stands in."""

    key: Key
    generation: int


class KeySource(Protocol):
    """The keys of one issuer. ``now`` is wall time in seconds, read once per request."""

    @property
    def has_keys(self) -> bool:
        """Whether there are keys at all, however old."""
        ...

    async def current_generation(self, now: float) -> int:
        """Bring the keys up to the freshness that is due; return a number that changes when a key comes or goes.

        Raises:
            UpstreamError: there are no keys that may be used.
        """
        ...

    def may_contain_kid(self, kid: str, now: float) -> bool:
        """Tell whether the key is here or may still be found: what is cheap to say before a token is parsed."""
        ...

    async def find(self, algorithm: str, kid: str | None, now: float) -> SelectedKey:
        """Return the one key for a header.

        Raises:
            TokenError: no such key, or not one only.
            UpstreamError: there are no keys that may be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """Keys that the configuration holds itself: no network, and no change without a restart."""

    key_set: KeySet

    @property
    def has_keys(self) -> bool:
        """Always: they were read with the configuration."""
        return True

    async def current_generation(self, now: float) -> int:
        """Return the one generation there is."""
        del now
        return 0

    def may_contain_kid(self, kid: str, now: float) -> bool:
        """Tell whether the key is here."""
        del now
        return self.key_set.has_kid(kid)

    async def find(self, algorithm: str, kid: str | None, now: float) -> SelectedKey:
        """Return the one key for a header."""
        del now
        return SelectedKey(select_key(self.key_set, algorithm, kid), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """The bounds of fetching one issuer's keys.

    Attributes:
        ages: when a key set is young, old and too old (seconds).
        fetch_timeout: seconds for the whole fetch, discovery and key set together.
        key_set_bytes: the largest document that is read, in bytes.
        unknown_kid_fetches: how many fetches unknown kids may cause at once, and on average in one window; failed ones
            count.
        unknown_kid_window: that window, in seconds.
    """

    ages: RefreshAges = field(default_factory=RefreshAges)
    fetch_timeout: float = 5
    key_set_bytes: int = 524_288
    unknown_kid_fetches: int = 2
    unknown_kid_window: float = 30

    @property
    def unknown_kid_pause(self) -> float:
        """Seconds after which the allowance for unknown kids grows by one fetch."""
        return self.unknown_kid_window / max(1, self.unknown_kid_fetches)


class RemoteKeys:
    """Keys fetched from an issuer: once for all callers, kept fresh, and kept through an outage.

    Args:
        issuer: the issuer, exactly.
        jwks_uri: where its keys lie; None: its discovery document says so.
        bearer_file: a file with a token that the provider asks for; read anew for each fetch, since it may be rotated.
        fetcher: brings the documents.
        limits: the bounds.
        reporter: reports each attempt.
        fetch_budget: for the fetches that unknown kids cause; several issuers of one provider share it.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_uri: str | None,
        fetcher: Fetcher,
        limits: KeyLimits,
        reporter: EventReporter,
        fetch_budget: FetchBudget,
        bearer_file: str | None = None,
    ) -> None:
        self._issuer = issuer
        self._bearer_file = bearer_file
        self._configured_url = jwks_uri
        self._discovered_url: str | None = None
        self._discovered_at = 0.0
        self._fetcher = fetcher
        self._limits = limits
        self._reporter = reporter
        self._generation = 0
        self._keys: RefreshingValue[KeySet] = RefreshingValue(self._load, limits.ages)
        self._fetch_budget = fetch_budget
        self._absent: LRUCache[str, float] = LRUCache(MAX_ABSENT_KIDS)
        self._sought: set[str] = set()
        self._warned_at: float | None = None

    @property
    def has_keys(self) -> bool:
        """Whether any keys were ever loaded."""
        return self._keys.value is not None

    async def current_generation(self, now: float) -> int:
        """Bring the keys up to the freshness that is due, and return the generation."""
        if self._keys.fresh_value(now) is None:
            await self._key_set(self._keys.get, now)
        return self._generation

    def may_contain_kid(self, kid: str, now: float) -> bool:
        """Tell whether the key is here or may still be found."""
        known = self._keys.fresh_value(now)
        if known is None or known.has_kid(kid):
            return True
        if self._keys.is_refreshing():
            return self._may_join(kid)
        return self._fetch_budget.is_available(now) and not self._is_known_absent(kid, now)

    async def find(self, algorithm: str, kid: str | None, now: float) -> SelectedKey:
        """Return the one key for a header; a kid that is not known is asked for at once, within bounds."""
        key_set = self._keys.fresh_value(now)
        if key_set is not None and kid is not None and key_set.has_kid(kid):
            return SelectedKey(select_key(key_set, algorithm, kid), self._generation)
        load_count = self._keys.load_count
        key_set = await self._key_set(self._keys.get, now)
        if kid is not None and not key_set.has_kid(kid) and self._keys.load_count == load_count:
            key_set = await self._refetch_for_kid(key_set, kid, now)
        try:
            return SelectedKey(select_key(key_set, algorithm, kid), self._generation)
        except TokenError as error:
            raise self._add_key_age(error, now) from None

    def _add_key_age(self, error: TokenError, now: float) -> TokenError:
        """Say how old the keys are that a kid was not among, and when they are asked for again."""
        if error.code is not ErrorCode.KEY_NOT_FOUND:
            return error
        age, wait = now - (self._keys.loaded_at or now), self._fetch_budget.seconds_until_available(now)
        expected = f"{error.expected} (fetched {age:.0f} s ago, the next fetch for an unknown kid in {wait:.0f} s)"
        return TokenError(error.code, expected=expected, found=error.found)

    def _is_known_absent(self, kid: str, now: float) -> bool:
        asked_at = self._absent.get(kid)
        return asked_at is not None and 0 <= now - asked_at < self._limits.unknown_kid_pause

    def _may_join(self, kid: str) -> bool:
        return kid in self._sought or len(self._sought) < MOST_SOUGHT

    async def _refetch_for_kid(self, key_set: KeySet, kid: str, now: float) -> KeySet:
        """Fetch for an unknown kid, or wait for the fetch under way, which costs nothing.

        Two budgets bound this. One kid causes one fetch in each ``unknown_kid_pause``, so that a client with an old
        token leaves a fetch to the others. All kids together share the allowance. Both end after one pause, so that
        nobody who sends made-up kids, or guesses the next one, delays a new key for longer.
        """
        joins = self._keys.is_refreshing()
        if not joins and self._is_known_absent(kid, now):
            return key_set
        if not (self._may_join(kid) if joins else self._fetch_budget.take(now)):
            return self._require_reachable(key_set, now)
        self._sought.add(kid)
        key_set = self._require_reachable(await self._key_set(self._keys.refresh, now), now)
        # A fetch that was under way already may have been answered before the key came: that says nothing.
        if not joins and not key_set.has_kid(kid):
            self._absent[kid] = now
        return key_set

    def _require_reachable(self, key_set: KeySet, now: float) -> KeySet:
        """Return the keys, unless the provider could not be asked: the key may exist; that is no bad token."""
        if self._keys.failed_at is not None:
            raise self._unavailable(now)
        return key_set

    async def _key_set(self, get: Callable[[float], Awaitable[KeySet]], now: float) -> KeySet:
        try:
            key_set = await get(now)
        except LookupError:
            raise self._unavailable(now) from None
        if self._keys.failed_at is not None:
            self._warn(now)
        return key_set

    def _unavailable(self, now: float) -> UpstreamError:
        self._warn(now)
        return UpstreamError(found=f"{self._issuer}: {self._why()}", retry_after=self._keys.seconds_until_retry(now))

    def _warn(self, now: float) -> None:
        if self._warned_at is None or not 0 <= now - self._warned_at < WARNING_INTERVAL:
            self._warned_at = now
            logger.warning("keys of %s cannot be refreshed: %s", self._issuer, self._why())

    def _why(self) -> str:
        """Return the failure, bounded: a provider chooses parts of it."""
        return self._keys.failure[:MAX_FAILURE_LENGTH]

    async def _load(self, now: float) -> KeySet:
        """Fetch a new key set.

        A key set without usable keys is an answer: the old keys are withdrawn. Whatever else goes wrong is no answer,
        and keeps them.

        Raises:
            WithdrawnError: a key set without usable keys.
            FetchError: no key set.
        """
        started = self._reporter.start()
        deadline = asyncio.get_running_loop().time() + self._limits.fetch_timeout
        try:
            async with asyncio.timeout_at(deadline):
                url = await self._address(now, self._limits.ages.blocking_refresh_after)
                key_set = read_key_set(await self._document(url))
            key_set = await self._moved(key_set, url, now, deadline)
        except Exception as error:
            self._discovered_url = None
            self._report("failed", started)
            raise self._failed(error) from error
        finally:
            self._sought = set()
        if self._keys.value is None or self._keys.value.keys != key_set.keys:
            self._generation += 1
        self._report("succeeded", started)
        return key_set

    def _report(self, outcome: Literal["succeeded", "failed"], started: float) -> None:
        if not self._reporter.is_silent:
            duration = self._reporter.elapsed(started)
            self._reporter.report(KeysFetched(outcome=outcome, issuer=self._issuer, duration=duration))

    def _failed(self, error: Exception) -> Exception:
        if isinstance(error, NoUsableKeyError):
            # The next key set gets a new generation, so that cached tokens of the withdrawn keys are not used again.
            return WithdrawnError(f"the key set cannot be used: {error}")
        return error if isinstance(error, FetchError) else _failure(error, self._limits.fetch_timeout)

    async def _moved(self, key_set: KeySet, url: str, now: float, deadline: float) -> KeySet:
        """Return the key set of the address to which the keys have moved, if ``key_set`` lacks a kid that is sought.

        Anyone can send a token with a made-up kid, and so cause this. What goes wrong here must not discard the key set
        that was just fetched: a withdrawn key would be accepted for as long as the metadata cannot be read.

        Raises:
            NoUsableKeyError: a key set without usable keys, at the new address.
        """
        if all(map(key_set.has_kid, self._sought)):
            return key_set
        try:
            async with asyncio.timeout_at(deadline):
                moved = await self._address(now, self._limits.unknown_kid_pause)
                return key_set if moved == url else read_key_set(await self._document(moved))
        except NoUsableKeyError:
            raise
        except Exception:  # noqa: BLE001 - a fetcher that somebody else wrote may raise anything
            return key_set

    async def _address(self, now: float, max_age: float) -> str:
        """Return where the keys lie, by metadata that were read less than ``max_age`` seconds ago.

        The old address may answer for long after a move, with keys that were withdrawn at the new one.
        """
        if self._configured_url is not None:
            return self._configured_url
        if self._discovered_url is None or not 0 <= now - self._discovered_at < max_age:
            url = key_set_url(self._issuer, await self._document(metadata_url(self._issuer)))
            self._discovered_url, self._discovered_at = url, now
        return self._discovered_url

    async def _document(self, url: str) -> dict[str, object]:
        if (why := forbidden_url_reason(url) or self._downgraded(url)) is not None:
            raise FetchError(f"{redact_url(url)} is not fetched: {why}")
        # A provider may want a key of its own in the query: it stands in no message.
        asked = f"GET {redact_url(url)}"
        sent = {"accept": "application/json", **await self._authorization(url)}
        try:
            status, headers, body = await self._fetcher("GET", url, sent, None)
        except FetchError as error:
            raise FetchError(f"{asked}: {error}") from error
        if status != 200:  # noqa: PLR2004 - OK
            raise FetchError(f"{asked} -> {status} {headers.get('content-type', '')}".rstrip())
        if len(body) > self._limits.key_set_bytes:
            raise FetchError(f"{asked}: the body is larger than {self._limits.key_set_bytes} bytes")
        return _json_object(asked, body)

    def _downgraded(self, url: str) -> str | None:
        """Return why an address from the metadata of an https issuer must not be fetched, or None.

        ``jwks_uri`` must be https (OpenID Connect Discovery 1.0 §3, RFC 8414 §2). http on loopback is for an operator
        who wrote it: another process of this host could answer there.
        """
        if url == self._configured_url or urlsplit(self._issuer).scheme != "https":
            return None
        return None if urlsplit(url).scheme == "https" else "the issuer is https, so its keys must be https too"

    async def _authorization(self, url: str) -> dict[str, str]:
        """Return the header with the token of ``bearer_file``: for the addresses that the operator wrote, no others."""
        own = {_origin(known) for known in (self._issuer, self._configured_url) if known is not None}
        if self._bearer_file is None or _origin(url) not in own:
            return {}
        try:
            token = (await asyncio.to_thread(Path(self._bearer_file).read_text, "utf-8")).strip()
        except (OSError, ValueError) as error:
            raise FetchError(f"bearer_file {self._bearer_file} cannot be read: {type(error).__name__}") from None
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            # An HTTP client would refuse the header, and quote it.
            raise FetchError(f"bearer_file {self._bearer_file} does not hold exactly one token")
        return {"authorization": f"Bearer {token}"}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _json_object(asked: str, body: bytes) -> dict[str, object]:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FetchError(f"{asked}: the body is not JSON") from error
    if not is_object(document):
        raise FetchError(f"{asked}: the body is not a JSON object")
    return document


def _failure(error: Exception, timeout: float) -> FetchError:
    if isinstance(error, TimeoutError):
        return FetchError(f"no answer within {timeout:g} s")
    if isinstance(error, UnusableKeyError):
        return FetchError(f"the key set cannot be used: {error}")
    # A fetcher that somebody else wrote may raise anything.
    return FetchError(f"the fetcher failed with {type(error).__name__}")


def unknown_kid_error(kid: str) -> TokenError:
    """Return the refusal of a kid that is in no configured set while no refetch is allowed."""
    return TokenError(ErrorCode.KEY_NOT_FOUND, expected="a kid of a configured issuer", found=repr(kid)[:80])
