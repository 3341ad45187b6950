"""``OIDCAuth``: from a request's headers to the caller; the whole decision on one screen."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from .config.build import build
from .config.load import Loaded, load_environment, load_file, load_mapping
from .errors import Code, OIDCAuthError, TokenError, UpstreamError
from .keys.fetch import HttpFetcher
from .observe import Authenticated, Refused, log_refusal, logger, pseudonym, silent, tell
from .permissions.explain import Explanation, explain_claims, nothing_maps, road_of_token
from .permissions.mapping import map_caller
from .tokens.bearer import check_place, header_pairs, present
from .tokens.cache import SeenBefore
from .tokens.checks import shown
from .tokens.diagnose import diagnose
from .tokens.origin import check_origin
from .tokens.turns import Turns
from .tokens.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from .config.build import Settings
    from .keys.fetch import Fetcher
    from .observe import Observer
    from .permissions.caller import Caller
    from .permissions.settings import EnforcementSettings
    from .tokens.bearer import Headers
    from .tokens.states import Presented, VerifiedToken

    Clock = Callable[[], float]
    Mapper = Callable[[Mapping[str, object], Caller], Caller]


class Seams(TypedDict, total=False):
    """What a program may put in place of the defaults; see ``OIDCAuth``."""

    fetcher: Fetcher | None
    clock: Clock
    observer: Observer
    mapper: Mapper | None


@dataclass(frozen=True, slots=True)
class _Seen:
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
        loaded: Loaded,
        *,
        fetcher: Fetcher | None = None,
        clock: Clock = time.time,
        observer: Observer = silent,
        mapper: Mapper | None = None,
    ) -> None:
        self._settings: Settings = build(loaded.document, fetcher=fetcher, observer=observer)
        self._verifier = Verifier(self._settings.issuers, max_depth=self._settings.json_depth)
        self._keys = {issuer.policy.issuer: issuer.keys for issuer in self._settings.issuers}
        self._headers = {issuer.policy.issuer: issuer.policy.header for issuer in self._settings.issuers}
        self._origins = {issuer.policy.issuer: issuer.policy.allowed_origins for issuer in self._settings.issuers}
        self._fields = frozenset(self._headers.values())
        self._seen: SeenBefore[_Seen] = SeenBefore(self._settings.cache_entries)
        self._turns = Turns()
        self._clock = clock
        self._mapper = mapper
        self.observer = observer
        self.source = loaded.source
        logger.info("configuration %s (%s): issuers %s", loaded.source, loaded.digest, ", ".join(self._keys))
        for warning in loaded.warnings:
            logger.warning("%s", warning)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **seams: Unpack[Seams]) -> Self:
        """Return the authenticator that a TOML (or JSON) file describes.

        Args:
            path: the file.
            **seams: ``fetcher``, ``clock``, ``observer``, ``mapper``, as for the class.

        Raises:
            ConfigError: what is wrong with it.
        """
        return cls(load_file(path), **seams)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], **seams: Unpack[Seams]) -> Self:
        """Return the authenticator that a mapping with the keys of the TOML file describes."""
        return cls(load_mapping(document), **seams)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **seams: Unpack[Seams]) -> Self:
        """Return the authenticator of OIDC_AUTH_CONFIG, ./oidc-auth.toml or OIDC_AUTH_ISSUER; exactly one of them."""
        return cls(load_environment(os.environ if environ is None else environ, Path.cwd()), **seams)

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
            presented = present(
                pairs, method=method, url=url, max_bytes=self._settings.token_bytes, fields=self._fields
            )
            genuine, cached = await self._genuine(presented, now)
            issuer = genuine.token.issuer
            # What depends on the request, and not on the token alone, stands here: after the memory of tokens.
            check_place(presented, issuer, self._headers[issuer])
            check_origin(pairs, issuer, self._origins[issuer])
        except (TokenError, UpstreamError) as refusal:
            self._report(refusal)
            raise
        self._tell_admitted(issuer, cached=cached)
        return genuine.caller

    async def _genuine(self, presented: Presented, now: float) -> tuple[_Seen, bool]:
        """Return the verified token, and whether it was seen before under the same keys, or verified now."""
        if (seen := await self._known(presented, now)) is not None:
            return seen, True
        # Only who is not known by now waits for a turn: what strangers send holds up none of those who are.
        if (turn := self._turns.join()) is not None:
            await turn
            now = self._clock()
            # Another request may have brought the same token meanwhile.
            if (seen := await self._known(presented, now)) is not None:
                return seen, True
        admitted = self._verifier.admit(presented, now)
        while (token := await self._verifier.verify(admitted, now)) is None:
            # It waited for the issuer's first keys, perhaps beside others with the same token.
            if (seen := await self._known(presented, now)) is not None:
                return seen, True
        seen = _Seen(token.remembered(), self._caller(token))
        self._seen.put(presented.token, seen, min(seen.token.valid_until, now + self._settings.cache_seconds))
        return seen, False

    async def _known(self, presented: Presented, now: float) -> _Seen | None:
        """Return a token seen before, if its issuer's keys are still those that it was verified with."""
        seen = self._seen.get(presented.token, now)
        if seen is None or seen.token.key_generation == await self._keys[seen.token.issuer].current(now):
            return seen
        # A withdrawn key takes its tokens along.
        self._seen.forget(presented.token)
        return None

    def _caller(self, token: VerifiedToken) -> Caller:
        rules = self._settings.mapping[token.issuer]
        caller = map_caller(token, rules)
        caller = caller if self._mapper is None else self._mapper(token.claims, caller)
        if not caller.rights:
            issuer, user = token.issuer, pseudonym(caller.identity)
            facts = {"oidc_code": Code.NO_PERMISSION_MAPS, "oidc_issuer": issuer, "oidc_user": user}
            why = nothing_maps(token.claims, rules)
            logger.warning("no permission maps: %s (issuer %s, user %s)", why, issuer, user, extra=facts)
        return caller

    def _tell_admitted(self, issuer: str, *, cached: bool) -> None:
        if self.observer is not silent:
            tell(self.observer, Authenticated(issuer=issuer, cached=cached))

    def _report(self, refusal: OIDCAuthError) -> None:
        log_refusal(refusal)
        if self.observer is not silent:
            tell(self.observer, Refused(code=refusal.code))

    def explain(self, claims: Mapping[str, object]) -> Explanation:
        """Return what these claims would give, and why: synchronous, no network, no signature.

        What the claims show by themselves is judged as the server does it. Audience and time are shown, and not judged;
        the header's type, the key and the signature are not reached.

        Args:
            claims: a decoded token's claims; ``iss`` may be left out with one issuer.
        """
        claims = dict(claims)
        issuer = claims.get("iss", self._settings.default_issuer)
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        if rules is None:
            known = ", ".join(self._keys)
            error = TokenError(Code.ISSUER_UNKNOWN)
            cure = diagnose(error, {}, {**claims, "iss": issuer}, self._settings.mapping).cure
            return Explanation(refusal=f"issuer_unknown: expected one of {known}; found {shown(issuer)}; {cure}")
        return explain_claims(claims, rules, self._clock())

    async def explain_token(self, token: str) -> Explanation:
        """Return what a token gives, and why; of a token that is refused, the refusal alone. Never shows the token."""
        now, admitted = self._clock(), None
        try:
            headers = [("authorization", f"Bearer {token}")]
            presented = present(headers, method=None, url=None, max_bytes=self._settings.token_bytes)
            admitted = self._verifier.admit(presented, now)
            verified = None
            while verified is None:
                verified = await self._verifier.verify(admitted, now)
        except (TokenError, UpstreamError) as refusal:
            checks = road_of_token(refusal, admitted=admitted is not None)
            issuer = refusal.issuer if refusal.issuer in self._keys else ""
            return Explanation(issuer=issuer, checks=checks, refusal=refusal.report())
        explained = explain_claims(verified.claims, self._settings.mapping[verified.issuer], now)
        return replace(explained, checks=road_of_token(None, admitted=True))

    def leeway_of(self, issuer: object) -> float:
        """Return the seconds by which an issuer's clock may differ; 0 for an issuer that is not configured."""
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        return 0 if rules is None else rules.policy.leeway

    def scopes_that_yield(self, issuer: object, event: str) -> str:
        """Return the provider's scopes with which a caller of ``issuer`` would hold ``event``, or ""."""
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        return "" if rules is None else rules.scopes_that_yield(event)

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
