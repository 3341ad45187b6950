"""Hints for the operator: why a token was refused, by the usual mistakes of each provider.

Nothing here decides. The client hears the same; only the log gets the hint.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import ERROR_DETAILS, ErrorCode, TokenError
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
from .checks import find_identity, format_value
from .claim_path import MISSING, find_claim, format_path
from .jws import decode_base64url, parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..errors import OIDCAuthError
    from ..providers.record import Provider
    from .jws import Segments
    from .policy import TokenPolicy

JWE_PARTS = 5
"""A compact JWE has five parts (RFC 7516 §7.1)."""
MAX_HEADER_DEPTH = 4
MAX_EXPLAINED_LENGTH = 4_096
"""Bytes before the signature that are decoded only for a hint. Real tokens are shorter; made-up ones may not be."""
SLASH_HINT = "They differ only by a trailing '/': write {issuer}, as the token and discovery have it."
CASE_HINT = "They differ only in upper and lower case: write {issuer}."
OTHER_HOST_HINT = (
    "The same path on another host: set issuer to the address that clients use, and jwks_uri to the one this server "
    "reaches."
)
ID_TOKEN_HINT = "This looks like an ID token: send the access token."
NO_CLIENT_HINT = (
    "The token has no claim {missing}: name the claim that holds the client in client_claim, or set audience."
)

_HINTED = HINTED_CODES | {ErrorCode.AUDIENCE_MISMATCH, ErrorCode.CLIENT_NOT_ALLOWED}
_PLACEHOLDER = re.compile(r"\{(the_client|client|audience|kind|issuer)\}")


def configured_providers(policies: Iterable[TokenPolicy]) -> tuple[Provider, ...]:
    """Return the providers of the configured issuers, each once."""
    found = (identify_provider(policy.preset, policy.issuer) for policy in policies)
    return tuple({each.name: each for each in found if each is not None}.values())


def diagnose(
    error: TokenError,
    header: Mapping[str, object],
    claims: Mapping[str, object],
    issuers: Iterable[str],
    policy: TokenPolicy | None = None,
) -> TokenError:
    """Return the same refusal with the hint that fits the token, where one is known.

    Args:
        error: The refusal.
        header: The token's header.
        claims: Its claims. They are not verified.
        issuers: The configured issuers, to compare with an unknown one.
        policy: The policy of the token's issuer, or None if it is not configured.
    """
    if error.code is ErrorCode.ISSUER_NOT_TRUSTED:
        return _with_hint(error, _issuer_hint(claims, issuers))
    # An expired token is the usual refusal: it costs no look at the providers.
    if policy is None or error.code not in _HINTED:
        return error
    provider = identify_provider(policy.preset, policy.issuer)
    token = RefusedToken(header=header, claims=claims, missing=_missing(error.code, claims, policy))
    if provider is None:
        hint = _general_hint(error.code, token) or find_hint(error.code, token, None)
    else:
        hint = find_hint(error.code, token, provider) or _general_hint(error.code, token)
        hint = hint or usual_causes(error.code, [provider])
    return _with_hint(error, _filled(hint or _fallback(error.code, token), claims, error))


def hint_for_claims(code: ErrorCode, claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the hint for what an accepted token's claims lead to, or ""."""
    token, provider = RefusedToken(claims=claims), identify_provider(policy.preset, policy.issuer)
    # Another provider can be behind this one, and its claims are copied.
    return find_hint(code, token, provider) or find_hint(code, token, None)


def diagnose_algorithm(
    error: TokenError,
    header: Mapping[str, object],
    segments: Segments,
    max_depth: int,
    providers: Iterable[Provider] = (),
) -> TokenError:
    """Return the refusal of an algorithm with the hint that fits.

    The payload is decoded only if the token is signed with a shared secret (HS256 and the like), and decides nothing.
    """
    if not str(header.get("alg")).startswith("HS") or segments.second > MAX_EXPLAINED_LENGTH:
        return error
    claims = _try_parse(segments.payload, max_depth)
    provider = recognize_issuer(claims.get("iss"))
    hint = find_hint(error.code, RefusedToken(header=header, claims=claims), provider)
    causes = usual_causes(error.code, providers if provider is None else [provider])
    return _with_hint(error, _filled(hint, claims, error) or _appended(error.code, causes))


def diagnose_text(error: TokenError, token: str, providers: Iterable[Provider] = ()) -> TokenError:
    """Return the refusal of a text that is not a signed JWT with the hint that fits: encrypted and opaque tokens."""
    # A bound, so that a million dots do not become a million strings.
    parts = token.split(".", JWE_PARTS)
    if len(parts) != JWE_PARTS:
        return _with_hint(error, _appended(error.code, usual_causes(error.code, providers)))
    header = _try_parse(parts[0], MAX_HEADER_DEPTH)
    known = ", ".join(f"{name}={format_value(header[name])}" for name in ("enc", "iss") if name in header)
    kind = f"JWE, {known}" if known else "JWE"
    provider = recognize_issuer(header.get("iss"))
    causes = usual_causes(error.code, providers if provider is None else [provider])
    # Such a token names no issuer that can be read: without a configured provider, every provider's cause is listed.
    causes = causes or usual_causes(error.code, PROVIDERS.values())
    return _with_hint(error, f"An encrypted token ({kind}), which only its provider can read. {causes}")


def _try_parse(segment: str, max_depth: int) -> Mapping[str, object]:
    try:
        return parse_object(decode_base64url(segment), max_depth)
    except TokenError:
        return {}


def add_log_context(refusal: OIDCAuthError, claims: Mapping[str, object], policy: TokenPolicy | None) -> OIDCAuthError:
    """Return the same refusal with the issuer and, by a pseudonym, the user, for the log.

    Neither is verified. ``policy`` is that of the issuer, or None when it is not configured.
    """
    if policy is None:
        refusal.issuer = format_value(claims["iss"]) if "iss" in claims else ""
        return refusal
    refusal.issuer = policy.issuer
    claim, value = find_identity(claims, policy)
    refusal.user = pseudonym(claim.prefix + value) if isinstance(value, str) and value else ""
    return refusal


def _with_hint(error: TokenError, hint: str) -> TokenError:
    return TokenError(error.code, expected=error.expected, found=error.found, hint=hint) if hint else error


def _appended(code: ErrorCode, causes: str) -> str:
    return f"{ERROR_DETAILS[code].hint} {causes}" if causes else ""


def _missing(code: ErrorCode, claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the path of the claim that a refusal is about, if the token does not have it."""
    client = () if policy.client is None else (policy.client.path,)
    present = tuple(each.path for each in policy.requirements if each.accepts_any)
    paths = {ErrorCode.CLAIM_MISSING: present, ErrorCode.CLIENT_NOT_ALLOWED: client}.get(code, ())
    return next((format_path(path) for path in paths if find_claim(claims, path) in (MISSING, None)), "")


def _general_hint(code: ErrorCode, token: RefusedToken) -> str:
    is_id_token = "nonce" in token.claims or "at_hash" in token.claims
    return ID_TOKEN_HINT if code is ErrorCode.AUDIENCE_MISMATCH and is_id_token else ""


def _fallback(code: ErrorCode, token: RefusedToken) -> str:
    return (
        NO_CLIENT_HINT.replace("{missing}", token.missing)
        if code is ErrorCode.CLIENT_NOT_ALLOWED and token.missing
        else ""
    )


def _filled(hint: str, claims: Mapping[str, object], error: TokenError) -> str:
    """Return a hint with the token's client, the expected audience and the token's kind filled in."""
    client = claims.get("azp", claims.get("client_id"))
    name = format_value(client) if isinstance(client, str) else ""
    values = {
        "the_client": f"client {name}" if name else "the client",
        "client": name or "<the client>",
        "audience": error.expected,
        "kind": format_value(claims.get("typ")),
        "issuer": format_value(claims.get("iss")),
    }
    # Not format: a hint may hold other braces, and a claim's value is never read for placeholders.
    return _PLACEHOLDER.sub(lambda found: values[found[1]], hint)


def _issuer_hint(claims: Mapping[str, object], issuers: Iterable[str]) -> str:
    """Return what to write when a configured issuer is nearly the one that the token names."""
    found = claims.get("iss")
    if not isinstance(found, str) or len(found) > LONGEST_ISSUER:
        return ""
    error = TokenError(ErrorCode.ISSUER_NOT_TRUSTED)
    hints = (hint for issuer in issuers for near, hint in _similar_issuers(issuer, found, claims) if near)
    return _filled(next(hints, ""), claims, error)


def _similar_issuers(issuer: str, found: str, claims: Mapping[str, object]) -> Iterable[tuple[bool, str]]:
    yield issuer.rstrip("/") == found.rstrip("/"), SLASH_HINT
    yield issuer.casefold() == found.casefold(), CASE_HINT
    hint = find_hint(ErrorCode.ISSUER_NOT_TRUSTED, RefusedToken(claims=claims, configured=issuer), None)
    yield bool(hint), hint
    yield _path(issuer) == _path(found) and bool(_path(issuer).strip("/")), OTHER_HOST_HINT


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
