"""The checks that every token must pass, one row each, in the order in which they run.

A check is a pure function. It returns on success and raises ``TokenError`` with the code of its row. No setting turns
a row off. The verifier, ``explain``, the metrics' labels and the table in the documentation read this list.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from ..errors import ErrorCode, TokenError
from ..json_values import is_object, scalar_text
from ..keys.jwk import check_signature
from ..keys.key_set import find_keys, keys_for_algorithm, require_single_key
from ..providers.lookup import TOKEN_KINDS
from ..quoting import list_examples, quote
from . import extract, jws
from .claim_path import MISSING, find_claim, format_path, is_empty, list_members
from .introspected import check_active, check_subject
from .policy import MAX_IDENTITY, has_control, is_scope, matches, normalize_typ

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .issuers import TrustedIssuer, TrustedIssuers
    from .policy import IdentityClaim, Requirement, TenantClaim, TokenPolicy

MAX_KEY_ID = 256
MAX_TIMESTAMP = 253_402_300_799
"""The end of the year 9999, in seconds. A later time is a mistake, or an attack on arithmetic."""

ID = "id"
"""The kind of an ID token in ``TOKEN_KINDS``."""
CODE_HASH = "c_hash"
"""A claim of ID tokens that are issued together with a code (OpenID Connect Core §3.3.2.11)."""
LOGOUT_EVENT = "events"
"""A claim of logout and security event tokens (Back-Channel Logout 1.0 §2.4, RFC 8417 §2.2)."""

_ONLY_TEXT: frozenset[type] = frozenset({str})
_MARKS = tuple(TOKEN_KINDS.items())
_NO_KINDS: frozenset[str] = frozenset()
_ID_ONLY = frozenset({ID})
_EXTENSIONS = frozenset({"crit", "b64", "zip"})


class Stage(StrEnum):
    """The part of the authentication in which a check runs."""

    EXTRACT = "extract"
    PARSE = "parse"
    HEADER = "header"
    ISSUER = "issuer"
    KEY = "key"
    SIGNATURE = "signature"
    INTROSPECTION = "introspection"
    CLAIMS = "claims"


class Check(NamedTuple):
    """One check.

    Attributes:
        code: The code of its refusal.
        name: What is true of a token that passes.
        stage: The part of the authentication in which it runs.
        source: The standard or setting that demands it.
        rule: The function.
    """

    code: ErrorCode
    name: str
    stage: Stage
    source: str
    rule: Callable[..., object]


def check_algorithm(header: Mapping[str, object], allowed: frozenset[str]) -> str:
    """Return the ``alg`` of a header if it is allowed (RFC 8725 §3.1).

    ``none`` and HS* are never allowed.
    """
    # An allow list, so that no weak or new algorithm is accepted by accident. HS* would use the public key as a shared
    # secret (RFC 8725 §2.1).
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise TokenError(ErrorCode.ALG_NOT_ALLOWED, expected=_listed(allowed), found=quote(algorithm))
    return algorithm


def check_crit(header: Mapping[str, object]) -> None:
    """Refuse critical extensions and unencoded payloads (RFC 7515 §4.1.11, RFC 7797 §7)."""
    # A verifier that ignored one of them would check other bytes than the issuer signed.
    if not _EXTENSIONS.isdisjoint(header):
        raise TokenError(ErrorCode.CRIT_NOT_SUPPORTED, found=", ".join(sorted(_EXTENSIONS.intersection(header))))


def check_kid(header: Mapping[str, object]) -> str | None:
    """Return the ``kid`` of a header, or None (RFC 7515 §4.1.4)."""
    kid = header.get("kid")
    # The sender chooses kid. It is only compared with known key ids, and never used as a path or URL (RFC 8725 §3.10).
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_ID):
        raise TokenError(ErrorCode.KID_INVALID, expected=f"a string of 1 to {MAX_KEY_ID} characters", found=quote(kid))
    return kid


def check_typ(header: Mapping[str, object], policy: TokenPolicy) -> None:
    """Refuse a header ``typ`` that the issuer's tokens do not have (RFC 8725 §3.11, RFC 9068 §4)."""
    typ = header.get("typ", "")
    if not isinstance(typ, str) or normalize_typ(typ) not in policy.accepted_typ:
        raise TokenError(ErrorCode.TYP_NOT_ALLOWED, expected=f"typ in {_listed(policy.accepted_typ)}", found=quote(typ))


def select_issuer(claims: Mapping[str, object], issuers: TrustedIssuers) -> TrustedIssuer:
    """Return the trusted issuer that ``iss`` names exactly (RFC 8725 §3.8, OpenID Connect Core §3.1.3.7)."""
    issuer = claims.get("iss")
    # Exact text: if two names were equal after normalization, one provider could sign tokens of the other.
    found = issuers.by_name.get(issuer) if isinstance(issuer, str) else None
    if found is None:
        raise TokenError(ErrorCode.ISSUER_NOT_TRUSTED, expected=issuers.description, found=quote(issuer))
    return found


def check_token_use(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse ID, refresh, offline and logout tokens by their marks (RFC 8725 §3.12)."""
    del now
    kinds = _marked_kinds(claims)
    is_id = ID in kinds or CODE_HASH in claims
    is_other = LOGOUT_EVENT in claims or not kinds <= _ID_ONLY
    # An ID token needs no mark. A token with another mark, such as typ "Bearer", is another kind.
    wanted = is_id or _is_unmarked(claims) if policy.token_type == "id" else not is_id
    if is_other or not wanted:
        marks = {name: claims.get(name) for name in TOKEN_KINDS}
        found = ", ".join(f"{name}={quote(mark)}" for name, mark in marks.items() if mark is not None)
        found = next((name for name in (LOGOUT_EVENT, CODE_HASH) if name in claims), found)
        raise TokenError(ErrorCode.TOKEN_USE_NOT_ALLOWED, expected=f"an {policy.token_type} token", found=found)


def _marked_kinds(claims: Mapping[str, object]) -> frozenset[str]:
    """Return the kinds that a token's marks name, such as ``id``."""
    found = _NO_KINDS
    for name, kinds in _MARKS:
        mark = claims.get(name)
        # Marks are strings. A list or an object cannot be looked up in a dictionary.
        if isinstance(mark, str) and mark in kinds:
            found |= {kinds[mark]}
    return found


def _is_unmarked(claims: Mapping[str, object]) -> bool:
    """Tell whether a token has none of the claims that can mark an ID token."""
    return all(claims.get(name) is None for name, kinds in TOKEN_KINDS.items() if ID in kinds.values())


def check_audience(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that was issued for another API (RFC 7519 §4.1.3, RFC 9068 §4)."""
    del now
    if policy.audiences is None:
        return
    audience = claims.get("aud")
    named = list_members(audience)
    # One member of another type makes the whole claim malformed. Fail closed.
    if not _all_strings(named) or policy.audiences.isdisjoint(named):
        raise TokenError(ErrorCode.AUDIENCE_MISMATCH, expected=_listed(policy.audiences), found=quote(audience))


def check_azp(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse an ID token that another client received (OpenID Connect Core §3.1.3.7).

    The client in ``azp`` must be one of ``audiences`` or ``allowed_clients``. Only a token with one audience may
    have no ``azp``.
    """
    del now
    if policy.token_type != "id" or policy.audiences is None:
        return
    # Not None as the default: "azp": null is a wrong value and not an absent one.
    party = claims.get("azp", MISSING)
    # Each further audience is a client that also holds this token and could send it here (steps 3 to 5).
    if party is MISSING and len(list_members(claims.get("aud"))) == 1:
        return
    allowed = policy.audiences | policy.allowed_clients
    if not isinstance(party, str) or party not in allowed:
        raise TokenError(ErrorCode.AZP_NOT_ALLOWED, expected=f"azp in {_listed(allowed)}", found=_quote_claim(party))


def check_client(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token of a client that is not listed: ``azp``, else ``client_id`` (RFC 9068 §2.2)."""
    del now
    if policy.client is not None:
        _require_value(policy.client, claims, ErrorCode.CLIENT_NOT_ALLOWED)
    if not policy.allowed_clients:
        return
    # "azp": null is a wrong value and not an absent one.
    client = claims.get("azp", claims.get("client_id"))
    if not isinstance(client, str) or client not in policy.allowed_clients:
        raise TokenError(
            ErrorCode.CLIENT_NOT_ALLOWED, expected=_listed(policy.allowed_clients), found=_quote_claim(client)
        )


def check_expiry(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse an expired token, or one without ``exp`` (RFC 7519 §4.1.4)."""
    expires = _time(claims, "exp", ErrorCode.TOKEN_EXPIRED)
    # exp is optional in RFC 7519 and required in RFC 9068 §2.2. Without it a stolen token would be valid forever.
    if expires is None:
        raise TokenError(ErrorCode.TOKEN_EXPIRED, expected="a claim exp", found="none")
    if now >= expires + policy.leeway:
        raise TokenError(
            ErrorCode.TOKEN_EXPIRED, expected=f"leeway {policy.leeway:g} s", found=f"{now - expires:.1f} s past exp"
        )


def check_not_before(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token before its ``nbf`` (RFC 7519 §4.1.5)."""
    starts = _time(claims, "nbf", ErrorCode.TOKEN_NOT_YET_VALID)
    if starts is not None and now < starts - policy.leeway:
        raise TokenError(
            ErrorCode.TOKEN_NOT_YET_VALID, expected=f"leeway {policy.leeway:g} s", found=f"{starts - now:.1f} s to nbf"
        )


def check_issued_at(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that was issued in the future (RFC 7519 §4.1.6)."""
    # With an iat in the future, a token would look younger to max_token_age than it is.
    issued = _time(claims, "iat", ErrorCode.TOKEN_ISSUED_IN_FUTURE)
    if issued is not None and now < issued - policy.leeway:
        found = f"iat {issued - now:.1f} s in this host's future"
        raise TokenError(ErrorCode.TOKEN_ISSUED_IN_FUTURE, expected=f"leeway {policy.leeway:g} s", found=found)


def check_age(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that is older than ``max_token_age``, or has no ``iat``."""
    if policy.max_token_age is None:
        return
    issued = _time(claims, "iat", ErrorCode.TOKEN_TOO_OLD)
    # Without iat the age is unknown. Fail closed.
    if issued is None or now >= issued + policy.max_token_age + policy.leeway:
        found = "no iat" if issued is None else f"{now - issued:.1f} s"
        raise TokenError(ErrorCode.TOKEN_TOO_OLD, expected=f"an age of at most {policy.max_token_age:g} s", found=found)


def check_lifetime(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that outlives the revocations (``max_token_lifetime``)."""
    del now
    if policy.max_token_lifetime is None:
        return
    # check_expiry has shown that exp is a number.
    expires = _time(claims, "exp", ErrorCode.TOKEN_LIFETIME_TOO_LONG) or 0
    issued = _time(claims, "iat", ErrorCode.TOKEN_LIFETIME_TOO_LONG)
    # Without iat, only the rest of the lifetime is known. A revocation of the token could have expired already.
    if issued is None or expires - issued > policy.max_token_lifetime:
        raise TokenError(
            ErrorCode.TOKEN_LIFETIME_TOO_LONG,
            expected=f"at most {policy.max_token_lifetime:g} s from iat to exp",
            found="no iat" if issued is None else f"{expires - issued:.0f} s",
        )


def check_required_claims(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token without a claim that must be present, or with an empty value in it."""
    del now
    for requirement in policy.requirements:
        if requirement.accepts_any and not meets_requirement(find_claim(claims, requirement.path), requirement):
            expected, value = f"a claim {format_path(requirement.path)}", find_claim(claims, requirement.path)
            found = "none" if value in (MISSING, None) else f"an empty value, {quote(value)}"
            raise TokenError(ErrorCode.CLAIM_MISSING, expected=expected, found=found, hint=requirement.hint)


def check_not_bound(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that is bound to a key (RFC 7800 §3, RFC 9449 §7.1, RFC 8705 §3)."""
    del policy, now
    # Proofs of possession are not checked. Without the proof, a stolen bound token would be accepted.
    if "cnf" in claims:
        raise TokenError(ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, expected="a token without cnf")


def check_requirements(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that does not meet every requirement.

    A missing claim meets no requirement.
    """
    del now
    for requirement in policy.requirements:
        if not requirement.accepts_any:
            _require_value(requirement, claims, ErrorCode.REQUIREMENT_NOT_MET)


def check_identity(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token without a usable identity claim (RFC 7519 §4.1.2)."""
    del now
    claim, value = find_identity(claims, policy)
    if (fault := identity_fault(claim, value)) is not None:
        raise TokenError(ErrorCode.IDENTITY_INVALID, expected=f"a string in {format_path(claim.path)}", found=fault)


def check_tenant(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token with an unusable tenant claim."""
    del now
    # Such a tenant must not count as "no tenant": users of different tenants would then share that state.
    if policy.tenant is not None and find_tenant(claims, policy.tenant) is MISSING:
        path = format_path(policy.tenant.path)
        raise TokenError(
            ErrorCode.TENANT_INVALID,
            expected=f"a string, a whole number or a boolean in {path}",
            found=_quote_claim(find_claim(claims, policy.tenant.path)),
        )


def find_tenant(claims: Mapping[str, object], rule: TenantClaim) -> object:
    """Return the tenant, None if the token has none, or ``MISSING`` if its tenant cannot be used.

    A tenant is a string, a whole number or a boolean, a list of one of these, or with ``object_keys`` an object of one
    key. An empty string or several memberships are not a tenant.
    """
    value = find_claim(claims, rule.path)
    if rule.object_keys and is_object(value):
        value = list(value)
    names = [] if value in (None, MISSING, "") else list_members(value)
    texts = [_tenant_text(name) for name in names]
    # With several memberships, the order of the list would decide which objects a user reaches.
    if len(texts) != 1:
        return MISSING if None in texts else None
    (name,) = texts
    usable = name is not None and name.strip() and len(name) <= MAX_IDENTITY and not has_control(name)
    return name if usable else MISSING


def _tenant_text(value: object) -> str | None:
    # Rounding can make two numbers with a fraction or an exponent equal. Two tenants must never become one.
    return None if isinstance(value, float) else scalar_text(value)


def find_identity(claims: Mapping[str, object], policy: TokenPolicy) -> tuple[IdentityClaim, object]:
    """Return the first identity claim that is present, and its value."""
    # If that claim is invalid, the token is refused. Otherwise a user could choose which claim counts.
    for claim in policy.identities:
        if (value := find_claim(claims, claim.path)) is not MISSING:
            return claim, value
    return policy.identities[0], MISSING


def identity_fault(claim: IdentityClaim, value: object) -> str | None:
    """Return why a value cannot be an identity, or None."""
    if value is MISSING:
        return "no claim"
    if not isinstance(value, str) or not value.strip():
        return "an empty value" if isinstance(value, str) else f"a {type(value).__name__}"
    # A line break in an identity could forge a line of a log that prints it.
    if has_control(value):
        return "control characters"
    identity = claim.prefix + value
    if len(identity) > MAX_IDENTITY:
        return f"more than {MAX_IDENTITY} characters"
    # A user of this issuer could otherwise have the identity of a user of another issuer.
    if claim.reserved_prefixes and identity.startswith(claim.reserved_prefixes):
        return "a value that begins with another identity_prefix"
    # Servers and stores give these names a meaning. See RESERVED_IDENTITIES.
    return f"the reserved name {quote(value)}" if identity in claim.reserved_names else None


def _require_value(requirement: Requirement, claims: Mapping[str, object], code: ErrorCode) -> None:
    value = find_claim(claims, requirement.path)
    if not meets_requirement(value, requirement):
        path = format_path(requirement.path)
        expected = f"{path} in {_listed(requirement.values)}"
        raise TokenError(code, expected=expected, found=_quote_claim(value), hint=requirement.hint)


def meets_requirement(value: object, requirement: Requirement) -> bool:
    """Tell whether a claim's value, or one of several values, is a required one."""
    if requirement.accepts_any:
        return not is_empty(value)
    if isinstance(value, str) and is_scope(requirement.path):
        value = value.split(" ")
    texts = [text for member in list_members(value) if (text := scalar_text(member)) is not None]
    return any(matches(pattern, text) for text in texts for pattern in requirement.values)


def _all_strings(values: list[object]) -> TypeGuard[list[str]]:
    # A generator takes longer than the rest of the check. JSON values have no subclasses of str.
    return _ONLY_TEXT.issuperset(map(type, values))


def _time(claims: Mapping[str, object], name: str, code: ErrorCode) -> float | None:
    """Return a NumericDate (RFC 7519 §2), or None if the claim is absent."""
    value = claims.get(name, MISSING)
    if value is MISSING:
        return None
    # The comparison also refuses NaN and the infinities.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MAX_TIMESTAMP <= value <= MAX_TIMESTAMP:
        raise TokenError(code, expected=f"{name} as a number of seconds", found=type(value).__name__)
    return value


def _quote_claim(value: object) -> str:
    return quote(None if value is MISSING else value)


@lru_cache(maxsize=256)
def _listed(values: frozenset[str] | tuple[str, ...]) -> str:
    # Cached, because each refused token names them.
    return list_examples(values)


CHECKS: tuple[Check, ...] = (
    Check(ErrorCode.HEADER_REPEATED, "one credential", Stage.EXTRACT, "RFC 9110 §5.3", extract.require_single_header),
    Check(ErrorCode.TOKEN_MISSING, "credential present", Stage.EXTRACT, "RFC 6750 §3.1", extract.require_credential),
    Check(ErrorCode.TOKEN_TOO_LONG, "token length allowed", Stage.EXTRACT, "RFC 8725 §2.4", extract.check_length),
    Check(ErrorCode.HEADER_MALFORMED, "header well-formed", Stage.EXTRACT, "RFC 6750 §2.1", extract.parse_bearer),
    Check(ErrorCode.TOKEN_MALFORMED, "three JWT segments", Stage.PARSE, "RFC 7515 §7.1", jws.split_token),
    Check(ErrorCode.TOKEN_BASE64_INVALID, "base64url valid", Stage.PARSE, "RFC 7515 §2", jws.decode_base64url),
    Check(ErrorCode.TOKEN_JSON_INVALID, "JSON valid", Stage.PARSE, "RFC 7519 §4", jws.parse_object),
    Check(ErrorCode.ALG_NOT_ALLOWED, "algorithm allowed", Stage.HEADER, "RFC 8725 §3.1", check_algorithm),
    Check(ErrorCode.CRIT_NOT_SUPPORTED, "no unsupported extension", Stage.HEADER, "RFC 7515 §4.1.11", check_crit),
    Check(ErrorCode.KID_INVALID, "key id valid", Stage.HEADER, "RFC 7515 §4.1.4", check_kid),
    Check(ErrorCode.ISSUER_NOT_TRUSTED, "issuer trusted", Stage.ISSUER, "RFC 8725 §3.8", select_issuer),
    Check(ErrorCode.TYP_NOT_ALLOWED, "typ allowed", Stage.ISSUER, "RFC 9068 §4", check_typ),
    Check(ErrorCode.KEY_NOT_FOUND, "key found", Stage.KEY, "RFC 7515 §4.1.4", find_keys),
    Check(ErrorCode.KEY_ALG_MISMATCH, "key matches algorithm", Stage.KEY, "RFC 8725 §3.1", keys_for_algorithm),
    Check(ErrorCode.KEY_AMBIGUOUS, "key unambiguous", Stage.KEY, "RFC 7515 §6", require_single_key),
    # The signature comes before the claims (RFC 7519 §7.2). Otherwise answers to unsigned tokens would tell which
    # audiences, clients and claim values this server requires.
    Check(ErrorCode.SIGNATURE_INVALID, "signature valid", Stage.SIGNATURE, "RFC 7515 §5.2", check_signature),
    # Only for issuers with introspection. Other issuers' tokens do not run them.
    Check(ErrorCode.TOKEN_INACTIVE, "token active", Stage.INTROSPECTION, "RFC 7662 §2.2", check_active),
    Check(ErrorCode.SUBJECT_MISMATCH, "answer about this subject", Stage.INTROSPECTION, "RFC 7662 §2.2", check_subject),
    Check(ErrorCode.TOKEN_USE_NOT_ALLOWED, "token use allowed", Stage.CLAIMS, "RFC 8725 §3.12", check_token_use),
    Check(ErrorCode.AUDIENCE_MISMATCH, "audience matches", Stage.CLAIMS, "RFC 7519 §4.1.3", check_audience),
    Check(ErrorCode.AZP_NOT_ALLOWED, "azp allowed", Stage.CLAIMS, "OpenID Connect Core §3.1.3.7", check_azp),
    Check(ErrorCode.CLIENT_NOT_ALLOWED, "client allowed", Stage.CLAIMS, "RFC 9068 §2.2", check_client),
    Check(ErrorCode.TOKEN_EXPIRED, "not expired", Stage.CLAIMS, "RFC 7519 §4.1.4", check_expiry),
    Check(ErrorCode.TOKEN_NOT_YET_VALID, "already valid", Stage.CLAIMS, "RFC 7519 §4.1.5", check_not_before),
    Check(
        ErrorCode.TOKEN_ISSUED_IN_FUTURE, "not issued in the future", Stage.CLAIMS, "RFC 7519 §4.1.6", check_issued_at
    ),
    Check(ErrorCode.TOKEN_TOO_OLD, "not too old", Stage.CLAIMS, "the issuer's max_token_age", check_age),
    Check(
        ErrorCode.TOKEN_LIFETIME_TOO_LONG,
        "lifetime allowed",
        Stage.CLAIMS,
        "revocation.max_token_lifetime",
        check_lifetime,
    ),
    Check(
        ErrorCode.CLAIM_MISSING,
        "required claims present",
        Stage.CLAIMS,
        "the issuer's require",
        check_required_claims,
    ),
    Check(ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, "not bound to a key", Stage.CLAIMS, "RFC 7800 §3", check_not_bound),
    Check(ErrorCode.REQUIREMENT_NOT_MET, "requirements met", Stage.CLAIMS, "the issuer's require", check_requirements),
    Check(ErrorCode.IDENTITY_INVALID, "identity valid", Stage.CLAIMS, "RFC 7519 §4.1.2", check_identity),
    Check(ErrorCode.TENANT_INVALID, "tenant valid", Stage.CLAIMS, "the issuer's tenant", check_tenant),
)

CLAIM_CHECKS: tuple[Check, ...] = tuple(check for check in CHECKS if check.stage is Stage.CLAIMS)
"""The checks that need only the claims, the issuer's policy and the time."""


def codes_of(stage: Stage) -> tuple[ErrorCode, ...]:
    """Return the codes of one stage, in the order in which its checks run."""
    return tuple(check.code for check in CHECKS if check.stage is stage)


def passed_before(code: ErrorCode, codes: tuple[ErrorCode, ...]) -> tuple[ErrorCode, ...]:
    """Return the checks of a stage that ran before the one that failed."""
    return codes[: codes.index(code)] if code in codes else ()
