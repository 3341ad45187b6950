"""``OIDCAuth``: from a request's headers to the caller; the whole decision on one screen."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from .config.build import build
from .config.load import LoadedConfig, load_environment, load_file, load_mapping
from .errors import ErrorCode, OIDCAuthError, TokenError, UpstreamError
from .keys.fetch import HttpFetcher
from .observability import (
    AuthenticationFailed,
    AuthenticationSucceeded,
    ignore_event,
    log_refusal,
    logger,
    notify_observer,
    pseudonym,
)
from .permissions.explain import Explanation, explain_claims, explain_no_permissions, trace_checks
from .permissions.permission_maps import map_caller
from .tokens.admission import AdmissionLimiter
from .tokens.cache import TokenCache
from .tokens.checks import format_value
from .tokens.diagnose import diagnose
from .tokens.extract import check_header, extract_token, header_pairs
from .tokens.origin import check_origin
from .tokens.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from .config.build import Settings
    from .keys.fetch import Fetcher
    from .observability import Observer
    from .permissions.caller import Caller
    from .permissions.settings import EnforcementSettings
    from .tokens.extract import Headers
    from .tokens.states import PresentedToken, VerifiedToken

    Clock = Callable[[], float]
    Mapper = Callable[[Mapping[str, object], Caller], Caller]


class AuthOptions(TypedDict, total=False):
    """What a program may put in place of the defaults; see ``OIDCAuth``."""

    fetcher: Fetcher | None
    clock: Clock
    observer: Observer
    mapper: Mapper | None


@dataclass(frozen=True, slots=True)
class _CachedCaller:
    """A verified token, without its text, and who it stands for."""

    token: VerifiedToken
    caller: Caller


class OIDCAuth:
    """Authenticates requests by the bearer tokens of configured OpenID providers.

    Made by ``from_file``, ``from_dict`` or ``from_env``; all three raise ``ConfigError`` with every problem at once,
    fetch nothing and start nothing. An async context manager: leaving it closes the HTTP client of the running loop.

    Args:
        loaded: a valid configuration.
        fetcher: brings discovery documents and key sets; httpx by default.
        clock: wall time in seconds since the epoch.
        observer: hears what happened; silent by default.
        mapper: ``(claims, caller) -> caller``, for what a claim map cannot say; runs once for each verified token.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        fetcher: Fetcher | None = None,
        clock: Clock = time.time,
        observer: Observer = ignore_event,
        mapper: Mapper | None = None,
    ) -> None:
        self._settings: Settings = build(loaded.document, fetcher=fetcher, observer=observer)
        self._verifier = Verifier(self._settings.issuers, max_depth=self._settings.json_depth)
        self._keys = {issuer.policy.issuer: issuer.keys for issuer in self._settings.issuers}
        self._headers = {issuer.policy.issuer: issuer.policy.header for issuer in self._settings.issuers}
        self._origins = {issuer.policy.issuer: issuer.policy.allowed_origins for issuer in self._settings.issuers}
        self._fields = frozenset(self._headers.values())
        self._cache: TokenCache[_CachedCaller] = TokenCache(self._settings.cache_entries)
        self._admission = AdmissionLimiter()
        self._clock = clock
        self._mapper = mapper
        self.observer = observer
        self.source = loaded.source
        logger.info("configuration %s (%s): issuers %s", loaded.source, loaded.digest, ", ".join(self._keys))
        for warning in loaded.warnings:
            logger.warning("%s", warning)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: Unpack[AuthOptions]) -> Self:
        """Return the authenticator that a TOML (or JSON) file describes.

        Args:
            path: the file.
            **options: ``fetcher``, ``clock``, ``observer``, ``mapper``, as for the class.

        Raises:
            ConfigError: what is wrong with it.
        """
        return cls(load_file(path), **options)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], **options: Unpack[AuthOptions]) -> Self:
        """Return the authenticator that a mapping with the keys of the TOML file describes."""
        return cls(load_mapping(document), **options)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Unpack[AuthOptions]) -> Self:
        """Return the authenticator of OIDC_AUTH_CONFIG, ./oidc-auth.toml or OIDC_AUTH_ISSUER; exactly one of them."""
        return cls(load_environment(os.environ if environ is None else environ, Path.cwd()), **options)

    async def authenticate(self, headers: Headers, *, method: str | None = None, url: str | None = None) -> Caller:
        """Return who a request comes from and what they may do.

        Args:
            headers: the request's headers, ``str`` or ``bytes``: a mapping, or a list of pairs that may repeat.
            method: its HTTP method.
            url: its URL.

        Raises:
            TokenError: 401, or 403 for ``origin_not_allowed``; its ``code`` says which check refused.
            UpstreamError: 503; the provider's keys cannot be had.
        """
        now = self._clock()
        try:
            pairs = header_pairs(headers)
            presented = extract_token(
                pairs, method=method, url=url, max_bytes=self._settings.token_bytes, fields=self._fields
            )
            entry, cached = await self._authenticate_token(presented, now)
            issuer = entry.token.issuer
            # What depends on the request, and not on the token alone, stands here: after the memory of tokens.
            check_header(presented, issuer, self._headers[issuer])
            check_origin(pairs, issuer, self._origins[issuer])
        except (TokenError, UpstreamError) as refusal:
            self._report(refusal)
            raise
        self._report_success(issuer, cached=cached)
        return entry.caller

    async def _authenticate_token(self, presented: PresentedToken, now: float) -> tuple[_CachedCaller, bool]:
        """Return the verified token, and whether it was seen before under the same keys, or verified now."""
        if (entry := await self._lookup_cached(presented, now)) is not None:
            return entry, True
        # Only who is not known by now waits for a turn: what strangers send holds up none of those who are.
        if (slot := self._admission.join()) is not None:
            await slot
            now = self._clock()
            # Another request may have brought the same token meanwhile.
            if (entry := await self._lookup_cached(presented, now)) is not None:
                return entry, True
        admitted = self._verifier.admit(presented, now)
        while (token := await self._verifier.verify(admitted, now)) is None:
            # It waited for the issuer's first keys, perhaps beside others with the same token.
            if (entry := await self._lookup_cached(presented, now)) is not None:
                return entry, True
        entry = _CachedCaller(token.for_cache(), self._caller(token))
        self._cache.put(presented.token, entry, min(entry.token.valid_until, now + self._settings.cache_seconds))
        return entry, False

    async def _lookup_cached(self, presented: PresentedToken, now: float) -> _CachedCaller | None:
        """Return a token seen before, if its issuer's keys are still those that it was verified with."""
        entry = self._cache.get(presented.token, now)
        if entry is None or entry.token.key_generation == await self._keys[entry.token.issuer].current_generation(now):
            return entry
        # A withdrawn key takes its tokens along.
        self._cache.remove(presented.token)
        return None

    def _caller(self, token: VerifiedToken) -> Caller:
        rules = self._settings.mapping[token.issuer]
        caller = map_caller(token, rules)
        caller = caller if self._mapper is None else self._mapper(token.claims, caller)
        if not caller.rights:
            issuer, user = token.issuer, pseudonym(caller.identity)
            facts = {"oidc_code": ErrorCode.NO_PERMISSIONS, "oidc_issuer": issuer, "oidc_user": user}
            why = explain_no_permissions(token.claims, rules)
            logger.warning("no permission maps: %s (issuer %s, user %s)", why, issuer, user, extra=facts)
        return caller

    def _report_success(self, issuer: str, *, cached: bool) -> None:
        if self.observer is not ignore_event:
            notify_observer(self.observer, AuthenticationSucceeded(issuer=issuer, cached=cached))

    def _report(self, refusal: OIDCAuthError) -> None:
        log_refusal(refusal)
        if self.observer is not ignore_event:
            notify_observer(self.observer, AuthenticationFailed(code=refusal.code))

    def explain(self, claims: Mapping[str, object]) -> Explanation:
        """Return what these claims would give, and why: synchronous, no network, no signature.

        What the claims show by themselves is judged as the server does it. Audience and time are shown, and not
        checked;
        the header's type, the key and the signature are not reached.

        Args:
            claims: a decoded token's claims; ``iss`` may be left out with one issuer.
        """
        claims = dict(claims)
        # default_role depends on iss, which every token has.
        issuer = claims.setdefault("iss", self._settings.default_issuer)
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        if rules is None:
            known = ", ".join(self._keys)
            error = TokenError(ErrorCode.ISSUER_NOT_TRUSTED)
            hint = diagnose(error, {}, {**claims, "iss": issuer}, self._settings.mapping).hint
            return Explanation(
                refusal=f"issuer_not_trusted: expected one of {known}; found {format_value(issuer)}; {hint}"
            )
        return explain_claims(claims, rules, self._clock())

    async def explain_token(self, token: str) -> Explanation:
        """Return what a token gives, and why; of a token that is refused, the refusal alone. Never shows the token."""
        now, admitted = self._clock(), None
        try:
            headers = [("authorization", f"Bearer {token}")]
            presented = extract_token(headers, method=None, url=None, max_bytes=self._settings.token_bytes)
            admitted = self._verifier.admit(presented, now)
            verified = None
            while verified is None:
                verified = await self._verifier.verify(admitted, now)
        except (TokenError, UpstreamError) as refusal:
            checks = trace_checks(refusal, admitted=admitted is not None)
            issuer = refusal.issuer if refusal.issuer in self._keys else ""
            return Explanation(issuer=issuer, checks=checks, refusal=refusal.report())
        explained = explain_claims(verified.claims, self._settings.mapping[verified.issuer], now)
        return replace(explained, checks=trace_checks(None, admitted=True))

    def leeway_of(self, issuer: object) -> float:
        """Return the seconds by which an issuer's clock may differ; 0 for an issuer that is not configured."""
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        return 0 if rules is None else rules.policy.leeway

    def scopes_granting(self, issuer: object, event: str) -> str:
        """Return the provider's scopes with which a caller of ``issuer`` would hold ``event``, or ""."""
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        return "" if rules is None else rules.scopes_granting(event)

    @property
    def enforcement(self) -> EnforcementSettings:
        """The server's own settings: the ``[langgraph]`` table."""
        return self._settings.enforcement

    @property
    def clock(self) -> Clock:
        """The clock that all ages and claims are measured by."""
        return self._clock

    async def aclose(self) -> None:
        """Close the HTTP client of the running loop."""
        for fetcher in self._settings.fetchers:
            if isinstance(fetcher, HttpFetcher):
                await fetcher.aclose()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the HTTP client of the running loop."""
        await self.aclose()
