"""Fetch an issuer's keys, keep them fresh, and keep them through an outage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..errors import ErrorCode, TokenError, UpstreamError
from ..observability import EventReporter, KeysFetched, logger
from .budget import UnknownKids
from .discovery import KeySetClient, WithdrawnKeysError
from .fetch import FetchError
from .key_set import SelectedKey, select_key
from .refresh import RefreshAges, RefreshingValue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .budget import FetchBudget
    from .fetch import Fetcher
    from .key_set import KeySet

WARNING_INTERVAL = 60
"""Seconds between two warnings about one provider."""

MAX_FAILURE_LENGTH = 1_000
"""Characters of a failure in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """The limits for fetching one issuer's keys.

    Attributes:
        ages: when a key set is refreshed, and when it must not be used any more.
        fetch_timeout: seconds for a whole fetch, metadata and key set together.
        key_set_bytes: the largest document, in bytes.
        unknown_kid_fetches: fetches that unknown key ids may cause in one window, on average. Failed ones count.
        unknown_kid_window: the window, in seconds.
    """

    ages: RefreshAges = field(default_factory=RefreshAges)
    fetch_timeout: float = 5
    key_set_bytes: int = 524_288
    unknown_kid_fetches: int = 2
    unknown_kid_window: float = 30

    @property
    def unknown_kid_pause(self) -> float:
        """Seconds after which unknown key ids may cause one more fetch."""
        return self.unknown_kid_window / max(1, self.unknown_kid_fetches)


class _LoadedKeys(NamedTuple):
    """A key set and its generation.

    They are one value, because another thread may load new keys at any time. The keys of one set with the generation of
    the next would keep tokens of a withdrawn key in the cache.
    """

    key_set: KeySet
    generation: int

    def select(self, algorithm: str, kid: str | None) -> SelectedKey:
        """Return the key for a token's header."""
        return SelectedKey(select_key(self.key_set, algorithm, kid), self.generation)


class RemoteKeys:
    """The keys of an issuer, fetched from its provider.

    Concurrent requests share one fetch. During an outage, the last keys are used for up to ``max_stale`` seconds.

    Args:
        issuer: the exact issuer.
        jwks_uri: the address of the key set. None: take it from the issuer's metadata.
        bearer_file: a file with a token for the provider.
        fetcher: sends the requests.
        limits: the limits.
        reporter: reports each attempt.
        fetch_budget: limits the fetches for unknown key ids. Several issuers of one provider share it.
        insecure_http_hosts: hosts that may be fetched over plain http.
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
        insecure_http_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._issuer = issuer
        self._limits = limits
        self._reporter = reporter
        self._client = KeySetClient(
            issuer,
            jwks_uri=jwks_uri,
            fetcher=fetcher,
            max_bytes=limits.key_set_bytes,
            bearer_file=bearer_file,
            insecure_http_hosts=insecure_http_hosts,
        )
        self._unknown_kids = UnknownKids(fetch_budget, limits.unknown_kid_pause)
        self._keys: RefreshingValue[_LoadedKeys] = RefreshingValue(self._load, limits.ages)
        self._generations = count(1)
        self._failure_hint = ""
        self._warned_at: float | None = None

    @property
    def has_keys(self) -> bool:
        """Whether keys were loaded, and not withdrawn."""
        return self._keys.value is not None

    def age(self, now: float) -> float | None:
        """Return the seconds since the keys were fetched, or None without keys."""
        loaded_at = self._keys.loaded_at
        return None if loaded_at is None else now - loaded_at

    async def current_generation(self, now: float) -> int:
        """Refresh the keys if necessary and return their generation."""
        loaded = self._keys.fresh_value(now) or await self._get_keys(self._keys.get, now)
        return loaded.generation

    async def find(self, algorithm: str, kid: str | None, now: float) -> SelectedKey:
        """Return the key for a token's header. An unknown key id may cause a fetch."""
        # A known key never waits, not even for a running fetch.
        loaded = self._keys.fresh_value(now)
        if loaded is not None and kid is not None and loaded.key_set.has_kid(kid):
            return loaded.select(algorithm, kid)
        load_count = self._keys.load_count
        loaded = await self._get_keys(self._keys.get, now)
        # If a load ended while this request waited, another fetch would bring the same keys.
        if kid is not None and not loaded.key_set.has_kid(kid) and self._keys.load_count == load_count:
            loaded = await self._fetch_unknown_kid(loaded, kid, now)
        try:
            return loaded.select(algorithm, kid)
        except TokenError as error:
            raise self._add_key_age(error, now) from None

    def _add_key_age(self, error: TokenError, now: float) -> TokenError:
        """Add how old the keys are, and when an unknown key id may cause a fetch."""
        if error.code is not ErrorCode.KEY_NOT_FOUND:
            return error
        age, wait = now - (self._keys.loaded_at or now), self._unknown_kids.seconds_until_fetch(now)
        expected = f"{error.expected} (fetched {age:.0f} s ago, the next fetch for an unknown key id in {wait:.0f} s)"
        return TokenError(error.code, expected=expected, found=error.found)

    async def _fetch_unknown_kid(self, loaded: _LoadedKeys, kid: str, now: float) -> _LoadedKeys:
        """Fetch the keys for an unknown key id, or wait for the running fetch."""
        waits = self._keys.is_refreshing()
        if not waits and self._unknown_kids.is_missing(kid, now):
            return loaded
        # Without a fetch, the key id counts as not found. The limits bound the load on the provider.
        if not (self._unknown_kids.can_wait(kid) if waits else self._unknown_kids.take_fetch(now)):
            return self._require_reachable(loaded, now)
        self._unknown_kids.waiting.add(kid)
        loaded = self._require_reachable(await self._get_keys(self._keys.refresh, now), now)
        # The provider may have answered a fetch that was already running before it published the key.
        if not waits and not loaded.key_set.has_kid(kid):
            self._unknown_kids.add_missing(kid, now)
        return loaded

    def _require_reachable(self, loaded: _LoadedKeys, now: float) -> _LoadedKeys:
        # During an outage the key may exist at the provider, so the token may be valid: 503, not 401.
        if self._keys.failed_at is not None:
            raise self._unavailable(now)
        return loaded

    async def _get_keys(self, get: Callable[[float], Awaitable[_LoadedKeys]], now: float) -> _LoadedKeys:
        try:
            loaded = await get(now)
        except LookupError:
            raise self._unavailable(now) from None
        if self._keys.failed_at is not None:
            self._warn(now)
        return loaded

    def _unavailable(self, now: float) -> UpstreamError:
        self._warn(now)
        return UpstreamError(
            found=f"{self._issuer}: {self._failure()}",
            hint=self._failure_hint,
            retry_after=self._keys.seconds_until_retry(now),
        )

    def _warn(self, now: float) -> None:
        # During an outage, every request would log the same warning.
        if self._warned_at is None or not 0 <= now - self._warned_at < WARNING_INTERVAL:
            self._warned_at = now
            logger.warning("keys of %s cannot be refreshed: %s", self._issuer, self._failure())

    def _failure(self) -> str:
        return one_line(self._keys.failure)

    async def _load(self, now: float) -> _LoadedKeys:
        """Fetch a new key set.

        Raises:
            WithdrawnKeysError: the provider has no usable key. The old keys must not be used any more.
            FetchError: the fetch failed. The old keys may still be used.
        """
        started = self._reporter.start()
        # Also for fetchers of the user, which may have no timeout.
        deadline = asyncio.get_running_loop().time() + self._limits.fetch_timeout
        try:
            async with asyncio.timeout_at(deadline):
                url = await self._client.address(now, self._limits.ages.blocking_refresh_after)
                key_set = await self._client.key_set(url)
            key_set = await self._follow_move(key_set, url, now, deadline)
        except Exception as error:
            # The keys may have moved.
            self._client.forget_address()
            self._report("failed", started)
            failure = error if isinstance(error, FetchError) else failure_of(error, self._limits.fetch_timeout)
            self._failure_hint = failure.hint
            raise failure from error
        finally:
            self._unknown_kids.waiting.clear()
        # Withdrawn keys leave no value, so the next key set is a new generation. Cached tokens of the withdrawn keys
        # are then not used again.
        known = self._keys.value
        is_same = known is not None and known.key_set.keys == key_set.keys
        generation = known.generation if known is not None and is_same else next(self._generations)
        self._report("succeeded", started)
        return _LoadedKeys(key_set, generation)

    def _report(self, outcome: Literal["succeeded", "failed"], started: float) -> None:
        if not self._reporter.is_silent:
            duration = self._reporter.elapsed(started)
            self._reporter.report(KeysFetched(outcome=outcome, issuer=self._issuer, duration=duration))

    async def _follow_move(self, key_set: KeySet, url: str, now: float, deadline: float) -> KeySet:
        """Return the key set of a new address, if ``key_set`` lacks a key id that requests wait for.

        Raises:
            WithdrawnKeysError: the new address has a key set without a usable key.
        """
        if all(map(key_set.has_kid, self._unknown_kids.waiting)):
            return key_set
        # The old address may answer for long after a move, with keys that were withdrawn at the new one.
        try:
            async with asyncio.timeout_at(deadline):
                new_url = await self._client.address(now, self._limits.unknown_kid_pause)
                return key_set if new_url == url else await self._client.key_set(new_url)
        except WithdrawnKeysError:
            raise
        except Exception:  # noqa: BLE001 - the user's fetcher may raise anything
            # Anyone can cause this step with an invented key id. Its failure must not discard the new key set.
            # Otherwise a withdrawn key would be accepted for as long as the metadata cannot be read.
            return key_set


def failure_of(error: Exception, timeout: float) -> FetchError:
    """Return the failure of a fetch that raised anything else than ``FetchError``."""
    if isinstance(error, TimeoutError):
        return FetchError(f"no answer within {timeout:g} s")
    # The user's fetcher may raise anything. The text of its exception may hold a secret.
    return FetchError(f"the fetcher failed with {type(error).__name__}")


def one_line(failure: str) -> str:
    """Return the message of a failure on one line, with a bounded length."""
    # The provider or a user's fetcher chose parts of it. A line break could forge a line of the log.
    return "".join(map(_escape, failure[:MAX_FAILURE_LENGTH]))


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
