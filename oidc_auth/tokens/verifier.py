"""Verify credentials: the protocol of all verifiers, and the verifier for JWTs."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import ErrorCode, OIDCAuthError, TokenError
from ..keys.jwk import check_signature
from .admission import AdmissionLimiter
from .checks import (
    CLAIM_CHECKS,
    Stage,
    check_algorithm,
    check_crit,
    check_kid,
    check_typ,
    codes_of,
    passed_before,
    select_issuer,
)
from .diagnose import Refusal, add_log_context, diagnose
from .extract import extract_token
from .introspected import DECIDED_LATER, limit_to_present
from .issuers import TrustedIssuers
from .jws import decode_base64url, parse_object, split_token
from .states import UnverifiedClaims, VerifiedToken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from ..keys.key_set import KeySource
    from .checks import Check
    from .issuers import TrustedIssuer
    from .jws import Segments
    from .policy import TokenPolicy
    from .states import PresentedToken

MAX_CACHED_HEADER = 512
"""Characters of an encoded header that is cached. Providers' headers are shorter, and senders choose theirs."""

_CLAIM_RULES = tuple((check.code, check.rule) for check in CLAIM_CHECKS)
_PRESENT_CLAIM_RULES = tuple(each for each in _CLAIM_RULES if each[0] is not ErrorCode.IDENTITY_INVALID)
_KEY_CODES = codes_of(Stage.KEY)

Record = list[ErrorCode]
"""The checks that a token passed, in the order in which they ran."""


class CredentialVerifier(Protocol):
    """Tells whether a credential is genuine, and what it says."""

    async def verify(self, presented: PresentedToken, now: float, *, record: Record | None = None) -> VerifiedToken:
        """Return a verified token.

        Args:
            presented: The credential.
            now: The time, in seconds since the epoch.
            record: Receives the code of each check that passed. The error that is raised names the one that failed.

        Raises:
            TokenError: The credential is not valid.
            UpstreamError: The provider cannot be asked.
        """
        ...


class _KeyGeneration:
    """The key set with which a signature was verified."""

    __slots__ = ("is_current", "keys", "number")

    def __init__(self, keys: KeySource, number: int) -> None:
        self.keys = keys
        self.number = number
        # One bound method for all tokens.
        self.is_current = self._is_current

    async def _is_current(self, now: float) -> bool:
        """Tell whether the issuer still publishes that key set."""
        return self.number == await self.keys.current_generation(now)


class VerifiedClaims(NamedTuple):
    """The claims of a valid JWT, its issuer, and the number of the key set that verified it."""

    claims: UnverifiedClaims
    issuer: TrustedIssuer
    generation: int

    def __repr__(self) -> str:
        """Return no claim."""
        return f"VerifiedClaims(issuer={self.issuer.policy.issuer!r})"


class JwtVerifier:
    """Verifies JWTs with the keys of their issuers.

    Args:
        issuers: The trusted issuers. Each has its own keys, audiences and algorithms.
        clock: Returns the time, in seconds since the epoch. It is read again after a wait.
        max_depth: The deepest nesting of a token's JSON.
        checks: The checks of the claims.
    """

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        *,
        clock: Callable[[], float],
        max_depth: int,
        checks: Iterable[Check] = CLAIM_CHECKS,
    ) -> None:
        self._claim_rules = None if checks is CLAIM_CHECKS else tuple((check.code, check.rule) for check in checks)
        self.issuers = TrustedIssuers(issuers)
        self._clock = clock
        self._max_depth = max_depth
        self._admission = AdmissionLimiter()
        self._generations: dict[str, _KeyGeneration] = {}

    async def verify(self, presented: PresentedToken, now: float, *, record: Record | None = None) -> VerifiedToken:
        """Return a verified token; see ``CredentialVerifier``."""
        verified = await self.verify_claims(presented, now, record=record)
        generation = self._generation(verified.issuer, verified.generation)
        return build_verified_token(verified.claims, verified.issuer.policy, generation.is_current)

    async def verify_claims(
        self, presented: PresentedToken, now: float, *, record: Record | None = None
    ) -> VerifiedClaims:
        """Return the claims of a valid JWT of any kind.

        The code of a refusal tells what is wrong with the header, the issuer or the key, which are public. It tells
        what is wrong with the claims only if the signature is valid.

        Args:
            presented: The token.
            now: The time, in seconds since the epoch.
            record: Receives the code of each check that passed.

        Raises:
            TokenError: The token is not valid.
            UpstreamError: The keys are not available.
        """
        # 1. Limit how many tokens are verified in one event-loop iteration.
        if (admitted := self._admission.join()) is not None:
            await admitted
            now = self._clock()
        header: Mapping[str, object] = {}
        claims, policy = UnverifiedClaims({}), None
        try:
            # 2. Three segments, a JSON header, and an algorithm, extensions and kid that any issuer may use
            #    (RFC 7515 §5.2, RFC 8725 §3.1). The payload is not decoded before that.
            segments = split_token(presented.token)
            header = self._parse_header(segments, record)
            kid = self._check_header(header, record)
            # 3. The payload, and the issuer that it names (RFC 7519 §7.2, RFC 8725 §3.8).
            claims = self._parse_claims(segments, record)
            issuer = select_issuer(claims, self.issuers)
            policy = issuer.policy
            _note(record, ErrorCode.ISSUER_NOT_TRUSTED)
            # 4. The header again, by the rules of this issuer (RFC 8725 §3.1, §3.11).
            algorithm = check_algorithm(header, policy.algorithms)
            _note(record, ErrorCode.ALG_NOT_ALLOWED)
            check_typ(header, policy)
            _note(record, ErrorCode.TYP_NOT_ALLOWED)
            # 5. The issuer's key (RFC 7515 §4.1.4). The first request of an issuer waits for it. The claims of a
            #    thousand waiting requests would take 12 MB, so they are parsed again.
            if not issuer.keys.has_keys:
                claims = UnverifiedClaims({})
            key, generation = await issuer.keys.find(algorithm, kid, now)
            # A fetch of the keys can take seconds. The token may have expired in that time.
            now = self._clock()
            claims = claims or self._parse_claims(segments, None)
            _note(record, *_KEY_CODES)
            # 6. The signature (RFC 7515 §5.2).
            signature = decode_base64url(segments.signature)
            _note(record, ErrorCode.TOKEN_BASE64_INVALID)
            check_signature(key, algorithm, segments.signing_input, signature)
            _note(record, ErrorCode.SIGNATURE_INVALID)
            # 7. The claims (RFC 7519 §4.1, RFC 9068 §4).
            self._check_claims(claims, policy, now, record)
        except OIDCAuthError as error:
            if record is not None:
                record += passed_before(error.code, _KEY_CODES)
            self._add_diagnosis(error, Refusal(presented.token, header, claims, policy, now))
            raise
        return VerifiedClaims(claims, issuer, generation)

    def _generation(self, issuer: TrustedIssuer, number: int) -> _KeyGeneration:
        """Return one object for all tokens of a key set, because thousands of tokens are cached."""
        name = issuer.policy.issuer
        known = self._generations.get(name)
        if known is None or known.number != number:
            known = self._generations[name] = _KeyGeneration(issuer.keys, number)
        return known

    def _parse_header(self, segments: Segments, record: Record | None) -> Mapping[str, object]:
        _note(record, ErrorCode.TOKEN_MALFORMED)
        parse = _parse_header if segments.first <= MAX_CACHED_HEADER else _parse_header.__wrapped__
        return parse(segments.header, self._max_depth)

    def _check_header(self, header: Mapping[str, object], record: Record | None) -> str | None:
        check_algorithm(header, self.issuers.algorithms)
        check_crit(header)
        _note(record, ErrorCode.CRIT_NOT_SUPPORTED)
        kid = check_kid(header)
        _note(record, ErrorCode.KID_INVALID)
        return kid

    def _parse_claims(self, segments: Segments, record: Record | None) -> UnverifiedClaims:
        claims = UnverifiedClaims(parse_object(decode_base64url(segments.payload), self._max_depth))
        _note(record, ErrorCode.TOKEN_JSON_INVALID)
        return claims

    def _check_claims(self, claims: UnverifiedClaims, policy: TokenPolicy, now: float, record: Record | None) -> None:
        if self._claim_rules is not None:
            # Notices of a provider have checks of their own. The provider is not asked about them.
            _run_rules(self._claim_rules, claims, policy, now, record)
        elif policy.introspected:
            _check_present_claims(claims, policy, now, record)
        else:
            check_all_claims(claims, policy, now, record)

    def _add_diagnosis(self, error: OIDCAuthError, refusal: Refusal) -> None:
        """Add the issuer and the user for the log, and the hint when it is read."""
        if refusal.policy is not None and not refusal.claims:
            # The claims were dropped for the wait for the keys.
            refusal = refusal._replace(claims=self._parse_claims(split_token(refusal.token), None))
        add_log_context(error, refusal)
        if isinstance(error, TokenError):
            error.defer_hint(partial(diagnose, refusal=refusal, issuers=self.issuers, max_depth=self._max_depth))


def _note(record: Record | None, *codes: ErrorCode) -> None:
    if record is not None:
        record += codes


def _check_present_claims(claims: UnverifiedClaims, policy: TokenPolicy, now: float, record: Record | None) -> None:
    """Check what the JWT itself says, before the provider is asked about it."""
    limited = limit_to_present(claims, policy)
    for code, rule in _PRESENT_CLAIM_RULES:
        rule(claims, limited, now)
        if code not in DECIDED_LATER:
            _note(record, code)


def check_all_claims(claims: Mapping[str, object], policy: TokenPolicy, now: float, record: Record | None) -> None:
    """Run every check of claims.

    Raises:
        TokenError: The code of the first check that failed.
    """
    _run_rules(_CLAIM_RULES, claims, policy, now, record)


def _run_rules(
    rules: Sequence[tuple[ErrorCode, Callable[..., object]]],
    claims: Mapping[str, object],
    policy: TokenPolicy,
    now: float,
    record: Record | None,
) -> None:
    """Run checks of claims in their order."""
    for code, rule in rules:
        rule(claims, policy, now)
        if record is not None:
            record.append(code)


@lru_cache(maxsize=256)
def _parse_header(segment: str, max_depth: int) -> Mapping[str, object]:
    """Return a header's members. An issuer signs its tokens with few headers, so each is parsed once."""
    return parse_object(decode_base64url(segment), max_depth)


def build_verified_token(
    claims: Mapping[str, object], policy: TokenPolicy, is_current: Callable[[float], Awaitable[bool]]
) -> VerifiedToken:
    """Return the token of claims that passed every check."""
    # The checks have shown that exp and iat are numbers.
    expires_at: Any = claims["exp"]
    valid_until = expires_at
    if policy.max_token_age is not None:
        issued_at: Any = claims["iat"]
        valid_until = min(expires_at, issued_at + policy.max_token_age)
    return VerifiedToken(policy.issuer, claims, expires_at, valid_until, is_current)


def extract_alone(token: str, max_bytes: int, record: Record) -> PresentedToken:
    """Return a token as if a request without other headers carried it.

    Args:
        token: the token.
        max_bytes: its largest size.
        record: receives the checks that it passed.
    """
    codes = codes_of(Stage.EXTRACT)
    try:
        # The same checks as for a request, so that explain and authenticate never disagree.
        headers = [("authorization", f"Bearer {token}")]
        presented = extract_token(headers, method=None, url=None, max_bytes=max_bytes)
    except TokenError as error:
        record += passed_before(error.code, codes)
        raise
    record += codes
    return presented
