"""Hints for the operator about refused tokens.

Nothing here decides about a token. A hint is found only when it is read, and every value that a token chose is
bounded. So a refusal does not cost more with more issuers.
"""

from __future__ import annotations

import re
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ERROR_DETAILS, ErrorCode, TokenError
from ..json_values import is_list
from ..observability import pseudonym
from ..providers import PROVIDERS
from ..providers.lookup import (
    HINTED_CODES,
    LONGEST_ISSUER,
    find_hint,
    identify_provider,
    recognize_issuer,
    usual_causes,
)
from ..providers.record import RefusedToken
from ..quoting import quote
from .checks import CLAIM_CHECKS, find_identity
from .claim_path import find_claim, format_path, is_empty
from .issuers import split_issuer
from .jws import decode_base64url, parse_object
from .policy import OTHER_TOKEN_TYPES, normalize_typ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..errors import OIDCAuthError
    from ..providers.record import Provider
    from .issuers import TrustedIssuers
    from .policy import TokenPolicy

JWE_PARTS = 5
"""A compact JWE has five parts (RFC 7516 §7.1)."""
MAX_HEADER_DEPTH = 4
MAX_EXPLAINED_LENGTH = 4_096
"""Characters before the signature up to which a payload is decoded for a hint. Real tokens are shorter."""
MAX_COMPARED_AUDIENCES = 8
"""Audiences of a token, and of an issuer, that are compared for a hint."""
SLASH_HINT = "They differ only by a trailing '/'. Set {setting} = {value}, as in the token."
CASE_HINT = "They differ only in upper and lower case. Set {setting} = {value}, as in the token."
SCHEME_HINT = "They differ only in the scheme. Set {setting} = {value}, as in the token."
OTHER_HOST_HINT = (
    "The path is the same, but the host differs. Set issuer to the address that clients use, and jwks_uri to the one "
    "that this server reaches."
)
ID_TOKEN_HINT = "This looks like an ID token. Send the access token."
NO_CLIENT_HINT = (
    "The token has no claim {missing}. Set client_claim to the claim that holds the client, or set audience."
)
ACCEPTED_TYP_HINT = "If this is an access token, add its typ to the issuer: accepted_typ = {accepted}."
CLAIMS_HINT = "The claims would be refused too: {error}."

_HINTED = HINTED_CODES | {ErrorCode.AUDIENCE_MISMATCH, ErrorCode.CLIENT_NOT_ALLOWED, ErrorCode.TYP_NOT_ALLOWED}
_PLACEHOLDER = re.compile(r"\{(the_client|client|audience|kind|issuer)\}")


class Refusal(NamedTuple):
    """What is known about a refused token. Nothing of it is verified.

    Attributes:
        token: Its text, or "" for claims without a token.
        header: Its header, as far as it was parsed.
        claims: Its claims, as far as they were parsed.
        policy: The policy of its issuer, or None if the issuer is not known.
        now: The time of the refusal, in seconds since the epoch.
    """

    token: str = ""
    header: Mapping[str, object] = {}
    claims: Mapping[str, object] = {}
    policy: TokenPolicy | None = None
    now: float = 0

    def __repr__(self) -> str:
        """Return no part of the token."""
        return "Refusal(...)"


def diagnose(error: OIDCAuthError, *, refusal: Refusal, issuers: TrustedIssuers, max_depth: int) -> str:
    """Return the hint that fits a refused token, or "".

    Args:
        error: The refusal.
        refusal: What is known about the token.
        issuers: The trusted issuers.
        max_depth: The deepest nesting of a token's JSON.
    """
    if error.code is ErrorCode.TOKEN_MALFORMED:
        return _text_hint(error.code, refusal.token, issuers.providers)
    if error.code is ErrorCode.ISSUER_NOT_TRUSTED:
        return issuer_hint(refusal.claims, issuers)
    if error.code is ErrorCode.ALG_NOT_ALLOWED and refusal.policy is None:
        return _algorithm_hint(error, refusal, max_depth, issuers.providers)
    if refusal.policy is None:
        return ""
    hint = diagnose_claims(error, refusal.header, refusal.claims, refusal.policy)
    # For the log only. The client must not learn which claims this server requires.
    if error.code is ErrorCode.SIGNATURE_INVALID:
        return " ".join(
            filter(None, [hint or error.default_hint, _claims_fault(refusal.claims, refusal.policy, refusal.now)])
        )
    return hint


def diagnose_claims(
    error: OIDCAuthError, header: Mapping[str, object], claims: Mapping[str, object], policy: TokenPolicy
) -> str:
    """Return the hint for a token of a known issuer, or ""."""
    # An expired token is the usual refusal. No provider has a hint for it.
    if error.code not in _HINTED:
        return ""
    if error.code is ErrorCode.TYP_NOT_ALLOWED:
        return _typ_hint(header, policy)
    provider = identify_provider(policy.preset, policy.issuer)
    token = RefusedToken(header=header, claims=claims, missing=_missing(error.code, claims, policy))
    return next(_hints(error, token, provider, policy), "")


def _hints(error: OIDCAuthError, token: RefusedToken, provider: Provider | None, policy: TokenPolicy) -> Iterator[str]:
    """Yield the hints that fit, the most specific one first."""
    near = dict(_near_audiences(error.code, token.claims, policy))
    yield from (_set_audience(hint, value) for hint, value in near.items() if hint != SCHEME_HINT)
    general, specific = _general_hint(error.code, token), find_hint(error.code, token, provider)
    ordered = [general, specific] if provider is None else [specific, general]
    yield from (_filled(hint, token.claims, error) for hint in ordered if hint)
    yield from (_set_audience(hint, value) for hint, value in near.items())
    if provider is not None and (causes := usual_causes(error.code, [provider])):
        yield _filled(causes, token.claims, error)
    if hint := _no_client_hint(error.code, token):
        yield hint


def hint_for_claims(code: ErrorCode, claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the hint for an accepted token, or ""."""
    token, provider = RefusedToken(claims=claims), identify_provider(policy.preset, policy.issuer)
    # A provider can copy the claims of another provider that it uses for the login.
    return find_hint(code, token, provider) or find_hint(code, token, None)


def _algorithm_hint(error: OIDCAuthError, refusal: Refusal, max_depth: int, providers: Iterable[Provider]) -> str:
    """Return the hint for a token that is signed with a shared secret (HS256 and the like), or ""."""
    # Only short payloads are decoded: the signature was not checked, and the sender chooses the length.
    length = refusal.token.rfind(".")
    if not str(refusal.header.get("alg")).startswith("HS") or length > MAX_EXPLAINED_LENGTH:
        return ""
    claims = _try_parse(refusal.token[refusal.token.find(".") + 1 : length], max_depth)
    provider = recognize_issuer(claims.get("iss"))
    hint = find_hint(error.code, RefusedToken(header=refusal.header, claims=claims), provider)
    causes = usual_causes(error.code, providers if provider is None else [provider])
    return _filled(hint, claims, error) or _appended(error.code, causes)


def _text_hint(code: ErrorCode, token: str, providers: Iterable[Provider]) -> str:
    """Return the hint for an encrypted or opaque token, or ""."""
    # Bounded, so that a million dots do not become a million strings.
    parts = token.split(".", JWE_PARTS)
    if len(parts) != JWE_PARTS:
        return _appended(code, usual_causes(code, providers))
    header = _try_parse(parts[0][:MAX_EXPLAINED_LENGTH], MAX_HEADER_DEPTH)
    known = ", ".join(f"{name}={quote(header[name])}" for name in ("enc", "iss") if name in header)
    kind = f"JWE, {known}" if known else "JWE"
    provider = recognize_issuer(header.get("iss"))
    causes = usual_causes(code, providers if provider is None else [provider])
    # Such a token has no issuer that can be read. Without a configured provider, the causes of all are listed.
    causes = causes or usual_causes(code, PROVIDERS.values())
    return f"This is an encrypted token ({kind}), which only its provider can read. {causes}"


def _try_parse(segment: str, max_depth: int) -> Mapping[str, object]:
    try:
        return parse_object(decode_base64url(segment), max_depth)
    except TokenError:
        return {}


def add_log_context(error: OIDCAuthError, refusal: Refusal) -> None:
    """Add the issuer and the pseudonym of the user to a refusal, for the log. Neither is verified."""
    claims, policy = refusal.claims, refusal.policy
    if policy is None:
        # Not verified, so it is quoted. A line break could forge a line of the log.
        error.issuer = quote(claims["iss"]) if "iss" in claims else ""
        return
    error.issuer = policy.issuer
    claim, value = find_identity(claims, policy)
    # A pseudonym, so that the log contains no personal data.
    error.user = pseudonym(claim.prefix + value) if isinstance(value, str) and value else ""


def _claims_fault(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> str:
    """Return the first fault of the claims of a token with a wrong signature, for the log only."""
    for check in CLAIM_CHECKS:
        try:
            check.rule(claims, policy, now)
        except TokenError as error:
            return CLAIMS_HINT.replace("{error}", f"{error.code} (expected {error.expected}, found {error.found})")
    return ""


def _appended(code: ErrorCode, causes: str) -> str:
    return f"{ERROR_DETAILS[code].hint} {causes}" if causes else ""


def _missing(code: ErrorCode, claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the path of a claim that is required, and missing or empty, or ""."""
    client = () if policy.client is None else (policy.client.path,)
    present = tuple(each.path for each in policy.requirements if each.accepts_any)
    paths = {ErrorCode.CLAIM_MISSING: present, ErrorCode.CLIENT_NOT_ALLOWED: client}.get(code, ())
    return next((format_path(path) for path in paths if is_empty(find_claim(claims, path))), "")


def _typ_hint(header: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the setting that would accept a header ``typ``, or ""."""
    typ = header.get("typ", "")
    # No advice to accept ID or logout tokens as access tokens (RFC 8725 §2.8, cross-JWT confusion).
    if not isinstance(typ, str) or normalize_typ(typ) in OTHER_TOKEN_TYPES:
        return ""
    accepted = ", ".join(f'"{each}"' for each in [*sorted(policy.accepted_typ), quote(typ).strip("'")])
    return ACCEPTED_TYP_HINT.replace("{accepted}", f"[{accepted}]")


def _general_hint(code: ErrorCode, token: RefusedToken) -> str:
    is_id_token = "nonce" in token.claims or "at_hash" in token.claims
    return ID_TOKEN_HINT if code is ErrorCode.AUDIENCE_MISMATCH and is_id_token else ""


def _no_client_hint(code: ErrorCode, token: RefusedToken) -> str:
    is_missing = code is ErrorCode.CLIENT_NOT_ALLOWED and token.missing
    return NO_CLIENT_HINT.replace("{missing}", token.missing) if is_missing else ""


def _filled(hint: str, claims: Mapping[str, object], error: OIDCAuthError) -> str:
    """Return a hint with its placeholders filled in."""
    client = claims.get("azp", claims.get("client_id"))
    name = quote(client) if isinstance(client, str) else ""
    values = {
        "the_client": f"client {name}" if name else "the client",
        "client": name or "<the client>",
        "audience": error.expected,
        "kind": quote(claims.get("typ")),
        "issuer": quote(claims.get("iss")),
    }
    # Not format(), because a hint may hold other braces. A claim's value is never searched for placeholders.
    return _PLACEHOLDER.sub(lambda found: values[found[1]], hint)


_DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    (SLASH_HINT, lambda name: name.rstrip("/")),
    (CASE_HINT, str.casefold),
    (SCHEME_HINT, lambda name: name.partition("://")[2] or name),
)
"""Small differences between two names, and what removes each of them."""


def _near_audiences(code: ErrorCode, claims: Mapping[str, object], policy: TokenPolicy) -> Iterator[tuple[str, str]]:
    """Yield each small difference between the token's and the configured audiences, and the token's audience."""
    if code is not ErrorCode.AUDIENCE_MISMATCH or policy.audiences is None:
        return
    # Both lists are bounded, because the sender chooses the audiences of an unsigned token.
    audience = claims.get("aud")
    named = islice(audience if is_list(audience) else [audience], MAX_COMPARED_AUDIENCES)
    found = [name for name in named if isinstance(name, str) and len(name) <= LONGEST_ISSUER]
    expected = sorted(policy.audiences)[:MAX_COMPARED_AUDIENCES]
    for (hint, normalize), ours, theirs in product(_DIFFERENCES, expected, found):
        if normalize(ours) == normalize(theirs):
            yield hint, theirs


def _set_audience(hint: str, audience: str) -> str:
    return hint.replace("{setting}", "audience").replace("{value}", quote(audience, LONGEST_ISSUER))


def issuer_hint(claims: Mapping[str, object], issuers: TrustedIssuers) -> str:
    """Return what to set if a configured issuer is similar to the token's, or ""."""
    found, error = claims.get("iss"), TokenError(ErrorCode.ISSUER_NOT_TRUSTED)
    # One comparison, with the most similar issuer: the cost must not depend on the number of issuers.
    similar = issuers.find_similar(found)
    if not similar or not isinstance(found, str):
        return ""
    for hint, normalize in _DIFFERENCES[:2]:
        if normalize(similar) == normalize(found):
            return hint.replace("{setting}", "issuer").replace("{value}", quote(found, LONGEST_ISSUER))
    hint = find_hint(error.code, RefusedToken(claims=claims, configured=similar), None)
    (_, path), (_, found_path) = split_issuer(similar), split_issuer(found)
    if not hint and path.strip("/") and path == found_path:
        hint = OTHER_HOST_HINT
    return _filled(hint, claims, error)
