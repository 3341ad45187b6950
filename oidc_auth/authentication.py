"""``OIDCAuth``: the whole authentication of a request, in one sequence."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, Unpack, cast

from .config.build import build
from .config.build_revocation import build_revocation
from .config.load import LoadedConfig, load_environment, load_file, load_mapping
from .errors import ErrorCode, OIDCAuthError, TokenError, UpstreamError
from .introspection.readiness import OpaqueReadiness
from .introspection.verifier import IntrospectionVerifier
from .keys.fetch import HttpFetcher
from .keys.readiness import find_usable_keys
from .observability import AuthenticationDecided, EventReporter, ignore_event, log_refusal, logger, pseudonym
from .permissions.explain import Explanation, check_results, explain_claims, explain_no_permissions
from .permissions.permission_maps import map_caller
from .quoting import quote
from .shared_objects import SharedObjects, key_of
from .tokens.admission import PendingVerifications
from .tokens.cache import TokenCache, cache_slot
from .tokens.checks import Stage, codes_of, passed_before
from .tokens.diagnose import issuer_hint
from .tokens.extract import (
    AUTHORIZATION_HEADER,
    SUBPROTOCOL_HEADER,
    check_header,
    check_origin,
    extract_token,
    header_pairs,
)
from .tokens.policy import RESERVED_IDENTITIES
from .tokens.resource import RequestKind, Resource, check_resource, check_stream_start, is_for_mcp_only
from .tokens.verifier import JwtVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from .config.build import Settings
    from .enforcement.limits import EnforcementSettings
    from .errors import Challenge, DeniedError
    from .keys.fetch import Fetcher
    from .keys.readiness import ReadinessSource
    from .observability import Observer
    from .permissions.caller import Caller
    from .permissions.names import Reach
    from .tokens.extract import Headers
    from .tokens.resource import ProtectedResource
    from .tokens.states import PresentedToken, VerifiedToken
    from .tokens.verifier import CredentialVerifier, Record

    Clock = Callable[[], float]
    Mapper = Callable[[Mapping[str, object], Caller], Caller]


class AuthOptions(TypedDict, total=False):
    """The options of ``OIDCAuth`` that a program may set."""

    fetcher: Fetcher | None
    clock: Clock
    observer: Observer
    timer: Clock
    mapper: Mapper | None


@dataclass(frozen=True, slots=True)
class VerifiedCaller:
    """A verified token, without its text, and its caller.

    The token is not a part of the caller. Servers and operators' code store callers, and it has personal data.

    Attributes:
        token: The token.
        caller: Its caller.
        is_for_mcp_only: Whether the token names the MCP endpoint and no other audience of this server.
    """

    token: VerifiedToken
    caller: Caller
    is_for_mcp_only: bool


class OIDCAuth:
    """Authenticates requests with bearer tokens of the configured OpenID providers.

    Create it with ``from_file``, ``from_dict`` or ``from_env``. They raise ``ConfigError`` with all problems, and they
    fetch nothing. As an async context manager, it closes the HTTP client of the running loop at the end.

    Args:
        loaded: A valid configuration.
        fetcher: Fetches metadata and key sets. The default uses httpx.
        clock: Returns the time, in seconds since the epoch.
        observer: Receives events. The default ignores them.
        timer: A monotonic clock in seconds, for the durations in events.
        mapper: ``(claims, caller) -> caller``, for rules that a permission map cannot express. It runs once for each
            verified token.
    """

    reserved_identities: ClassVar[frozenset[str]] = RESERVED_IDENTITIES
    """Identities that no token can have, because servers give them a meaning."""

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        fetcher: Fetcher | None = None,
        clock: Clock = time.time,
        observer: Observer = ignore_event,
        timer: Clock = time.perf_counter,
        mapper: Mapper | None = None,
    ) -> None:
        self.reporter = EventReporter(observer, timer)
        self._settings: Settings = build(
            loaded.document,
            fetcher=fetcher,
            reporter=self.reporter,
            clock=clock,
            reserved_identities=self.reserved_identities,
        )
        jwt_verifier = JwtVerifier(self._settings.issuers, clock=clock, max_depth=self._settings.json_depth)
        self._issuers = jwt_verifier.issuers
        self._verifier: CredentialVerifier = jwt_verifier
        if self._settings.introspected:
            # Opaque tokens go to the provider, and JWTs of some issuers too, after they were verified here.
            self._verifier = IntrospectionVerifier(
                jwt_verifier,
                self._settings.introspected,
                self._settings.opaque,
                clock=clock,
                max_depth=self._settings.json_depth,
            )
        self._headers = {issuer.policy.issuer: issuer.policy.header for issuer in self._settings.issuers}
        self._origins = {issuer.policy.issuer: issuer.policy.allowed_origins for issuer in self._settings.issuers}
        self._fields = frozenset(self._headers.values())
        web = loaded.document.web
        self.accepts_subprotocol = web is not None and web.websocket_tokens and AUTHORIZATION_HEADER in self._fields
        """Whether a WebSocket may send its token as a subprotocol."""
        self.ends_streams = web is not None and web.stream_expiry == "close"
        """Whether streams end with their token."""
        self._cache: TokenCache[VerifiedCaller] = TokenCache(self._settings.cache_entries)
        self._pending = PendingVerifications()
        self.revocation = build_revocation(loaded.document, self._settings.issuers, clock, self.reporter)
        """The check for revoked tokens and the receiver of notices, or None without ``[revocation]``."""
        self._clock = clock
        self._mapper = mapper
        self.anonymous_endpoints: set[object] = set()
        """Functions of routes that need no token. Only ``oidc_auth.web`` adds some."""
        self.loaded = loaded
        self.source = loaded.source
        logger.info("configuration %s (%s): issuers %s", loaded.source, loaded.digest, ", ".join(self._issuers.by_name))
        for warning in loaded.warnings:
            logger.warning("%s", warning)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: Unpack[AuthOptions]) -> Self:
        """Return the authenticator for a TOML or JSON file.

        Args:
            path: The file.
            **options: ``fetcher``, ``clock``, ``observer``, ``timer`` and ``mapper``, as for the class.

        Raises:
            ConfigError: The configuration is not valid.
        """
        return cls._share(load_file(path), options)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], **options: Unpack[AuthOptions]) -> Self:
        """Return the authenticator for a mapping with the keys of the TOML file.

        Equal configurations and options give the same object in a process, so that all share keys and cached tokens.
        """
        return cls._share(load_mapping(document), options)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Unpack[AuthOptions]) -> Self:
        """Return the authenticator for OIDC_AUTH_CONFIG, ./oidc-auth.toml or OIDC_AUTH_ISSUER.

        Exactly one of them must exist.
        """
        return cls._share(load_environment(os.environ if environ is None else environ, Path.cwd()), options)

    @classmethod
    def _share(cls, loaded: LoadedConfig, options: AuthOptions) -> Self:
        key = cls, loaded.document.model_dump_json(), key_of(options)
        shared = _SHARED.get_or_create(key, lambda: cls(loaded, **options))
        return cast("Self", shared)

    async def find_usable_keys(self, *, wait_for_all: bool = False) -> dict[str, bool]:
        """Return whether each issuer has usable keys, and fetch keys that are missing.

        An issuer with opaque tokens needs none if its introspection endpoint is known.

        Args:
            wait_for_all: Wait for all issuers, at most ``fetch_timeout`` seconds. Otherwise one is enough.
        """
        sources: dict[str, ReadinessSource] = {each.policy.issuer: each.keys for each in self._settings.issuers}
        if (opaque := self._settings.opaque) is not None:
            sources |= {name: OpaqueReadiness(sources[name], opaque.introspector) for name in opaque.policies}
        timeout = self.loaded.document.limits.fetch_timeout
        return await find_usable_keys(sources, self._clock(), timeout=timeout, wait_for_all=wait_for_all)

    async def authenticate(
        self,
        headers: Headers,
        *,
        method: str | None = None,
        url: str | None = None,
        resource: Resource = Resource.API,
        kind: RequestKind = RequestKind.ANSWER,
    ) -> Caller:
        """Return the caller of a request and their permissions.

        Args:
            headers: The request's headers, ``str`` or ``bytes``: a mapping, or a list of pairs that may repeat.
            method: Its HTTP method.
            url: Its URL.
            resource: The part of the server that it is for. ``find_resource`` tells it from a path.
            kind: What it opens: one answer, a stream of events, or a WebSocket.

        Raises:
            TokenError: 401, or 403 for ``origin_not_allowed``. Its ``code`` names the check that failed.
            UpstreamError: 503. The keys, the introspection or the revocations are not available.
        """
        verified = await self.verify_request(headers, method=method, url=url, resource=resource, kind=kind)
        return verified.caller

    async def verify_request(
        self, headers: Headers, *, method: str | None, url: str | None, resource: Resource, kind: RequestKind
    ) -> VerifiedCaller:
        """Return the caller of a request and their token, for code that follows a long connection.

        Its arguments and errors are those of ``authenticate``.
        """
        now, started = self._clock(), self.reporter.start()
        try:
            # 1. Extract exactly one credential (RFC 6750 §2.1, RFC 9110 §5.3).
            fields = header_pairs(headers)
            presented = extract_token(
                fields, method=method, url=url, max_bytes=self._settings.token_bytes, fields=self._fields_of(kind)
            )
            # 2. Look the token up in the cache. A cached token counts only while its key is still published, and the
            #    provider's answer about it is recent (RFC 7662 §4).
            entry, cached = await self._find_cached(presented, now), True
            if entry is None:
                # 3. Verify the token (RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725), or introspect it (RFC 7662).
                # 4. Map its claims to the caller's permissions.
                # Concurrent requests with one token do both once.
                entry, cached = await self._verify_once(presented, now, started)
            # The next request with the same token can differ, so checks of the request stay after the cache. Proof of
            # possession (RFC 9449) belongs here too.
            issuer = entry.token.issuer
            # 5. Check the header that carried the token: one is set by a proxy, the other by any client.
            check_header(presented, issuer, self._headers[issuer])
            # 6. Check the origin of the page that sent the request (RFC 6454 §7, Fetch Metadata).
            check_origin(fields, issuer, self._origins[issuer])
            # 7. Check that the token is for this part of the server (RFC 8707 §2).
            if entry.is_for_mcp_only:
                check_resource(self._settings.mapping[issuer].policy, resource)
            # 8. Check that a new stream does not begin after the end of its token.
            if self.ends_streams and kind is not RequestKind.ANSWER:
                check_stream_start(issuer, entry.caller.expires_at, self._clock())
            # 9. Check that neither the token nor its session or user is revoked. A cached token may be revoked later.
            if (revocation := self.revocation) is not None:
                # No coroutine for the usual request.
                if not revocation.store.is_current(now):
                    await revocation.check.require_known(now)
                revocation.check.refuse_revoked(entry.token)
        except (TokenError, UpstreamError) as refusal:
            self._report(refusal, started)
            raise
        self._report_success(issuer, started, cached=cached)
        return entry

    def _fields_of(self, kind: RequestKind) -> frozenset[str]:
        """Return the headers in which a request may carry a token."""
        # Only the handshake of a WebSocket has subprotocols (RFC 6455 §4.1).
        is_socket = kind is RequestKind.WEBSOCKET and self.accepts_subprotocol
        return self._fields | {SUBPROTOCOL_HEADER} if is_socket else self._fields

    async def _find_cached(self, presented: PresentedToken, now: float) -> VerifiedCaller | None:
        """Return the cached caller of a token that is still valid, or None."""
        entry = self._cache.get(presented.token, now)
        if entry is None or await entry.token.is_current(now):
            return entry
        # A withdrawn key must not sign any more, and a token may be revoked. So both are verified again.
        self._cache.remove(presented.token)
        return None

    async def _verify_once(self, presented: PresentedToken, now: float, started: float) -> tuple[VerifiedCaller, bool]:
        """Return the caller of an uncached token, and whether another request verified it."""
        slot = cache_slot(presented.token)
        if (other := self._pending.find(slot)) is not None:
            await other
            now = self._clock()
            if (entry := await self._find_cached(presented, now)) is not None:
                return entry, True
        pending, verified = self._pending.start(slot), False
        try:
            token = await self._verifier.verify(presented, now)
            for_mcp = is_for_mcp_only(token.claims, self._settings.mapping[token.issuer].policy)
            try:
                caller = self._caller(token)
            except Exception as error:
                # The mapper is the operator's code, and can raise anything. The hook denies with the same code.
                if not isinstance(error, (TokenError, UpstreamError)):
                    self._report_failure(ErrorCode.CUSTOM_RULE_FAILED, token.issuer, started)
                raise
            entry = VerifiedCaller(token.for_cache(), caller, for_mcp)
            # Not after the end of the token, and not longer than the operator allows.
            self._cache.put(presented.token, entry, min(token.valid_until, now + self._settings.cache_seconds))
            verified = True
        finally:
            self._pending.finish(pending, succeeded=verified)
        return entry, False

    def _caller(self, token: VerifiedToken) -> Caller:
        rules = self._settings.mapping[token.issuer]
        caller = map_caller(token, rules)
        if self._mapper is not None:
            mapped = self._mapper(token.claims, caller)
            # The mapper may return a new caller. Crons carry these two, so that a revocation stops them.
            caller = replace(mapped, subject_digest=caller.subject_digest, issued_at=caller.issued_at)
        if not caller.rights:
            issuer, user = token.issuer, pseudonym(caller.identity)
            facts = {"oidc_code": ErrorCode.NO_PERMISSIONS, "oidc_issuer": issuer, "oidc_user": user}
            why = explain_no_permissions(token.claims, rules)
            logger.warning("no permissions: %s (issuer %s, user %s)", why, issuer, user, extra=facts)
        return caller

    def _report_success(self, issuer: str, started: float, *, cached: bool) -> None:
        if not self.reporter.is_silent:
            duration = self.reporter.elapsed(started)
            self.reporter.report(
                AuthenticationDecided(outcome="succeeded", issuer=issuer, cached=cached, duration=duration)
            )

    def _report(self, refusal: OIDCAuthError, started: float) -> None:
        log_refusal(refusal)
        refusal.drop_token()
        # A refused token may name any issuer. Only configured ones are reported.
        self._report_failure(refusal.code, refusal.issuer if refusal.issuer in self._issuers.by_name else "", started)

    def _report_failure(self, code: ErrorCode, issuer: str, started: float) -> None:
        if not self.reporter.is_silent:
            duration = self.reporter.elapsed(started)
            self.reporter.report(AuthenticationDecided(outcome="failed", code=code, issuer=issuer, duration=duration))

    def explain(self, claims: Mapping[str, object]) -> Explanation:
        """Return what a token with these claims would grant, and why.

        The claims are checked like those of a token. Audience and time are shown, but not checked. Header, key and
        signature are not checked, and nothing is fetched.

        Args:
            claims: The claims of a decoded token. ``iss`` may be missing if there is one issuer.
        """
        claims = dict(claims)
        # default_role depends on iss, which every token has.
        issuer = claims.setdefault("iss", self._settings.default_issuer)
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        if rules is None:
            hint = issuer_hint({**claims, "iss": issuer}, self._issuers)
            error = TokenError(
                ErrorCode.ISSUER_NOT_TRUSTED, expected=self._issuers.description, found=quote(issuer), hint=hint
            )
            return Explanation(checks=check_results([], error), refusal=error.report())
        return explain_claims(claims, rules, self._clock())

    async def explain_token(self, token: str) -> Explanation:
        """Return what a token grants, and why, or why it is refused. The token is never shown."""
        now, record = self._clock(), list[ErrorCode]()
        try:
            presented = self._extract_alone(token, record)
            verified = await self._verifier.verify(presented, now, record=record)
        except (TokenError, UpstreamError) as refusal:
            issuer = refusal.issuer if refusal.issuer in self._issuers.by_name else ""
            return Explanation(issuer=issuer, checks=check_results(record, refusal), refusal=refusal.report())
        explained = explain_claims(verified.claims, self._settings.mapping[verified.issuer], now)
        return replace(explained, checks=check_results(record, None))

    def _extract_alone(self, token: str, record: Record) -> PresentedToken:
        """Return a token as if a request without other headers carried it."""
        codes = codes_of(Stage.EXTRACT)
        try:
            # The same checks as for a request, so that explain and authenticate never disagree.
            headers = [("authorization", f"Bearer {token}")]
            presented = extract_token(headers, method=None, url=None, max_bytes=self._settings.token_bytes)
        except TokenError as error:
            record += passed_before(error.code, codes)
            raise
        record += codes
        return presented

    def leeway_of(self, issuer: object) -> float:
        """Return the leeway of an issuer in seconds, or 0 for an unknown issuer."""
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        return 0 if rules is None else rules.policy.leeway

    def challenge(
        self, refusal: TokenError | DeniedError | UpstreamError, resource: Resource = Resource.API
    ) -> Challenge:
        """Return the answer to a refused request, for a part of the server."""
        challenge = refusal.challenge()
        return challenge if self.resource is None else self.resource.extend(challenge, resource)

    def scopes_granting(self, issuer: object, event: str, held: Mapping[str, Reach]) -> str:
        """Return the scopes to request for ``event``, with those held, or "" if none would permit it.

        Args:
            issuer: The issuer of the caller.
            event: The event.
            held: The names that the caller has.
        """
        rules = self._settings.mapping.get(issuer) if isinstance(issuer, str) else None
        return "" if rules is None else rules.scopes_granting(event, held)

    @property
    def resource(self) -> ProtectedResource | None:
        """This server as a protected resource, or None without ``[web]``."""
        return self._settings.resource

    @property
    def enforcement(self) -> EnforcementSettings:
        """The settings of the ``[langgraph]`` table."""
        return self._settings.enforcement

    @property
    def clock(self) -> Clock:
        """The clock for all ages and claims."""
        return self._clock

    async def aclose(self) -> None:
        """Close the HTTP client of the running loop, and stop to follow the revocations."""
        if self.revocation is not None:
            await self.revocation.store.aclose()
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


_SHARED: SharedObjects[OIDCAuth] = SharedObjects()
