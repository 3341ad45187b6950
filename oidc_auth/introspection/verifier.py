"""Verify tokens with the provider's help: opaque tokens, and JWTs that may have been revoked."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ErrorCode, OIDCAuthError, TokenError
from ..json_values import is_object
from ..quoting import quote
from ..tokens.diagnose import Refusal, add_log_context, diagnose
from ..tokens.introspected import check_active, check_answer_use, check_subject
from ..tokens.verifier import build_verified_token, check_all_claims

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..tokens.policy import TokenPolicy
    from ..tokens.states import PresentedToken, VerifiedToken
    from ..tokens.verifier import JwtVerifier, Record
    from .answers import Answer
    from .introspector import Introspector

JWE_DOTS = 4
"""A compact JWE has five segments (RFC 7516 §7.1). Only the provider can read it, so it counts as opaque."""
NAMES_OF_TOKEN = ("sid", "jti", "iat")
"""Claims of a JWT that revocations compare. Its subject is checked separately."""
NO_AUDIENCE_HINT = (
    "Let the provider add aud to its answer, or bind the tokens with require, or with client_claim instead of audience."
)

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""The characters of a bearer token (RFC 6750 §2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectedIssuer:
    """An issuer with introspection.

    Attributes:
        introspector: Asks its provider.
        policies: The rules for its tokens, by ``iss``. The first one is for answers without ``iss``.
        every_jwt: Whether the provider is asked about each JWT too.
        needs_audience: Whether an answer must have ``aud``, because nothing else binds its tokens to this API.
        lifetime: Seconds after which a token without ``exp`` counts as expired.
    """

    introspector: Introspector
    policies: Mapping[str, TokenPolicy]
    every_jwt: bool
    needs_audience: bool
    lifetime: float


class IntrospectionVerifier:
    """Verifies opaque tokens, and JWTs that the provider must call active.

    Args:
        jwts: Verifies JWTs. A JWT that it refuses is never sent to a provider.
        issuers: The issuers with introspection.
        opaque: The issuer of all opaque tokens, or None. An opaque token names no issuer.
        clock: Returns the time, in seconds since the epoch. It is read again after a wait.
        max_depth: The deepest nesting of a token's JSON.
    """

    def __init__(
        self,
        jwts: JwtVerifier,
        issuers: tuple[IntrospectedIssuer, ...],
        opaque: IntrospectedIssuer | None,
        *,
        clock: Callable[[], float],
        max_depth: int,
    ) -> None:
        self._jwts = jwts
        self._every_jwt = {name: each for each in issuers if each.every_jwt for name in each.policies}
        self._opaque = opaque
        self._clock = clock
        self._max_depth = max_depth

    async def verify(self, presented: PresentedToken, now: float, *, record: Record | None = None) -> VerifiedToken:
        """Return a verified token; see ``CredentialVerifier``."""
        if self._opaque is not None and not looks_like_jwt(presented.token):
            return await self._verify_opaque(self._opaque, presented.token, record)
        # A JWT first passes every local check (RFC 7515 §5.2). Made-up JWTs cause no request.
        token = await self._jwts.verify(presented, now, record=record)
        issuer = self._every_jwt.get(token.issuer)
        return token if issuer is None else await self._verify_jwt(issuer, presented.token, token, record)

    async def _verify_opaque(self, issuer: IntrospectedIssuer, text: str, record: Record | None) -> VerifiedToken:
        """Return the token that the provider's answer describes."""
        first = next(iter(issuer.policies.values()))
        answer: Answer | None = None
        claims: dict[str, object] = {}
        policy = first
        try:
            # Other characters could have a meaning for a provider that does not decode the form correctly.
            if not _TOKEN.fullmatch(text):
                raise TokenError(ErrorCode.TOKEN_MALFORMED, expected="a bearer token of RFC 6750 §2.1")
            answer = await issuer.introspector.introspect(text)
            check_active(answer.members)
            _note(record, ErrorCode.TOKEN_INACTIVE)
            # Configured permission maps can read iss, so an answer without it gets the issuer that was asked.
            claims = _claims_of(answer, {"iss": first.issuer})
            # exp is optional (RFC 7662 §2.2). Without it, a WebSocket would stay open forever.
            claims.setdefault("exp", answer.asked_at + issuer.lifetime)
            policy = _select_policy(issuer, claims)
            # iat is optional in RFC 7662 §2.2. Without it, the lifetime is unknown, and only the provider can end it.
            if "iat" not in claims:
                policy = replace(policy, max_token_lifetime=None)
            _note(record, ErrorCode.ISSUER_NOT_TRUSTED)
            self._check(issuer, policy, answer, claims, record)
        except OIDCAuthError as error:
            self._add_diagnosis(error, claims, policy)
            raise
        is_current = _Freshness(issuer.introspector, answer.asked_at).is_current
        return build_verified_token(claims, policy, is_current)

    async def _verify_jwt(
        self, issuer: IntrospectedIssuer, text: str, token: VerifiedToken, record: Record | None
    ) -> VerifiedToken:
        """Return a locally verified token with the claims of the provider's answer."""
        # The lifetime of the JWT was checked. A later exp in the answer does not count.
        policy = replace(issuer.policies[token.issuer], max_token_lifetime=None)
        claims = dict(token.claims)
        try:
            answer = await issuer.introspector.introspect(text)
            check_active(answer.members)
            _note(record, ErrorCode.TOKEN_INACTIVE)
            check_subject(answer.members, token.claims)
            _note(record, ErrorCode.SUBJECT_MISMATCH)
            # The answer is newer than the token, so its claims replace those of the token. It cannot replace those that
            # revocations compare. Otherwise it could rename a revoked session, or make a revoked token newer.
            claims = {**_claims_of(answer, token.claims), **_signed_names(token.claims)}
            _select_policy(issuer, claims)
            self._check(issuer, policy, answer, claims, record)
        except OIDCAuthError as error:
            self._add_diagnosis(error, claims, policy)
            raise
        # The answer can end the token sooner, and cannot extend what the issuer signed.
        claims["iss"] = token.issuer
        is_current = _Freshness(issuer.introspector, answer.asked_at, token.is_current).is_current
        built = build_verified_token(claims, policy, is_current)
        return built._replace(
            expires_at=min(built.expires_at, token.expires_at), valid_until=min(built.valid_until, token.valid_until)
        )

    def _check(
        self,
        issuer: IntrospectedIssuer,
        policy: TokenPolicy,
        answer: Answer,
        claims: Mapping[str, object],
        record: Record | None,
    ) -> None:
        """Run the same checks of claims as for a JWT."""
        check_answer_use(answer.members, claims)
        if "aud" not in claims and policy.audiences is not None:
            if issuer.needs_audience:
                raise TokenError(
                    ErrorCode.AUDIENCE_MISMATCH,
                    expected=", ".join(sorted(policy.audiences)),
                    found="no aud in the provider's answer",
                    hint=NO_AUDIENCE_HINT,
                )
            # aud is optional in RFC 7662 §2.2. The operator's require binds these tokens.
            policy = replace(policy, audiences=None)
        # The wait for the answer can take seconds. The token may have expired in that time.
        check_all_claims(claims, policy, self._clock(), record)

    def _add_diagnosis(self, error: OIDCAuthError, claims: Mapping[str, object], policy: TokenPolicy) -> None:
        refusal = Refusal(claims=claims, policy=policy, now=self._clock())
        add_log_context(error, refusal)
        if isinstance(error, TokenError):
            error.defer_hint(partial(diagnose, refusal=refusal, issuers=self._jwts.issuers, max_depth=self._max_depth))


class _Freshness:
    """How long the provider's answer about a token counts."""

    # The answer itself is not kept: thousands of tokens are cached, and it holds all their claims.
    __slots__ = ("_asked_at", "_introspector", "_is_key_current")

    def __init__(
        self,
        introspector: Introspector,
        asked_at: float,
        is_key_current: Callable[[float], Awaitable[bool]] | None = None,
    ) -> None:
        self._introspector = introspector
        self._asked_at = asked_at
        self._is_key_current = is_key_current

    async def is_current(self, now: float) -> bool:
        """Tell whether the answer may still be used, and the key of a JWT is still published."""
        if not self._introspector.is_recent(self._asked_at, now):
            return False
        return self._is_key_current is None or await self._is_key_current(now)


def looks_like_jwt(token: str) -> bool:
    """Tell whether a token is a JWS, or was one before a client changed it.

    Such a token is never sent as an opaque one. It could be a credential for another provider.
    """
    segment, _, rest = token.partition(".")
    try:
        # More tolerant than the verifier, which decides whether the token is valid.
        header: object = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except RecursionError:
        return True
    except ValueError:
        return False
    # A signed token has three segments, and a JWE has enc in its header.
    is_jwe = rest.count(".") == JWE_DOTS - 1 and is_object(header) and "enc" in header
    return is_object(header) and "alg" in header and not is_jwe


def _claims_of(answer: Answer, known: Mapping[str, object]) -> dict[str, object]:
    """Return known claims, replaced by those of an answer, without ``active``."""
    return {name: value for name, value in {**known, **answer.members}.items() if name != "active"}


def _signed_names(claims: Mapping[str, object]) -> dict[str, object]:
    # A null names nothing, so the answer can add the name.
    return {name: value for name in NAMES_OF_TOKEN if (value := claims.get(name)) is not None}


def _select_policy(issuer: IntrospectedIssuer, claims: Mapping[str, object]) -> TokenPolicy:
    """Return the rules for the issuer that the claims name. It must be the one that was asked (RFC 7662 §2.2)."""
    # An answer that names another configured issuer would give its users' identities to this provider.
    named = claims["iss"]
    found = issuer.policies.get(named) if isinstance(named, str) else None
    if found is None:
        raise TokenError(
            ErrorCode.ISSUER_NOT_TRUSTED, expected=" or ".join(sorted(issuer.policies)), found=quote(named)
        )
    return found


def _note(record: Record | None, code: ErrorCode) -> None:
    if record is not None:
        record.append(code)
