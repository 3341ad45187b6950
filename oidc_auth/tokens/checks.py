"""CHECKS: every rule a token must pass, one a row, in the order in which the road meets them.

A rule is a pure function that returns on success and raises ``TokenError`` with its row's code. There is no switch to
turn a row off. The verifier, ``explain``, the metrics' labels and the table in the documentation read this one list.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeGuard, TypeVar

from ..errors import ErrorCode, TokenError
from ..json_values import is_list, is_object, scalar_text
from ..keys.jwk import check_signature
from ..keys.key_set import find_keys, keys_for_algorithm, require_single_key
from ..providers.lookup import TOKEN_KINDS
from . import extract, jws
from .claim_path import MISSING, find_claim, format_path
from .policy import MAX_IDENTITY, RESERVED_IDENTITIES, has_control, is_scope, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .policy import IdentityClaim, Requirement, TenantClaim, TokenPolicy

T = TypeVar("T")

MAX_KEY_ID = 256
MAX_TIMESTAMP = 253_402_300_799
"""The end of the year 9999, in seconds: a later time is no time but a mistake, or an attack on arithmetic."""

ACCESS_TYPES = frozenset({"at+jwt", "jwt", ""})
ID_TYPES = frozenset({"jwt", ""})
ID = "id"
"""The kind of an ID token, as ``TOKEN_KINDS`` has it."""
CODE_HASH = "c_hash"
"""An ID token that came beside a code carries this claim (OpenID Connect Core §3.3.2.11); no access token does."""
LOGOUT_EVENT = "events"
"""A logout or security event token (Back-Channel Logout 1.0 §2.4, RFC 8417 §2.2) carries this claim."""

_ONLY_TEXT: frozenset[type] = frozenset({str})
_MARKS = tuple(TOKEN_KINDS.items())
_NO_KINDS: frozenset[str] = frozenset()
_ID_ONLY = frozenset({ID})
_EXTENSIONS = frozenset({"crit", "b64", "zip"})


class Stage(StrEnum):
    """Where on the road a rule stands."""

    EXTRACT = "extract"
    PARSE = "parse"
    HEADER = "header"
    KEY = "key"
    CLAIMS = "claims"
    SIGNATURE = "signature"


class Check(NamedTuple):
    """One row: the code of its refusal, its stage, where the rule comes from, and the rule."""

    code: ErrorCode
    stage: Stage
    source: str
    rule: Callable[..., object]


def check_algorithm(header: Mapping[str, object], allowed: frozenset[str]) -> str:
    """Return ``alg`` when it is allowed (RFC 8725 §3.1); ``none`` and HS* never are."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise TokenError(ErrorCode.ALG_NOT_ALLOWED, expected=_listed(allowed), found=format_value(algorithm))
    return algorithm


def check_crit(header: Mapping[str, object]) -> None:
    """Refuse extensions that must be understood, and unencoded payloads (RFC 7515 §4.1.11, RFC 7797 §7, RFC 7516)."""
    if not _EXTENSIONS.isdisjoint(header):
        raise TokenError(ErrorCode.CRIT_NOT_SUPPORTED, found=", ".join(sorted(_EXTENSIONS.intersection(header))))


def check_kid(header: Mapping[str, object]) -> str | None:
    """Return ``kid``, or None when there is none (RFC 7515 §4.1.4)."""
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_ID):
        raise TokenError(ErrorCode.KID_INVALID)
    return kid


def check_typ(header: Mapping[str, object], policy: TokenPolicy) -> None:
    """Refuse a header ``typ`` that no access token has (RFC 9068 §4, RFC 8725 §3.11), such as ``logout+jwt``."""
    named = header.get("typ", "")
    kind = named.lower().removeprefix("application/") if isinstance(named, str) else None
    if policy.token_type == "id":
        allowed = ID_TYPES
    else:
        allowed = frozenset({"at+jwt"}) if policy.strict_rfc9068 else ACCESS_TYPES
    if kind not in allowed:
        raise TokenError(ErrorCode.TYP_NOT_ALLOWED, expected=_listed(allowed), found=format_value(named))


def select_issuer(claims: Mapping[str, object], issuers: Mapping[str, T]) -> T:
    """Return what is configured for ``iss``, compared exactly (RFC 8725 §3.8, OpenID Connect Core §3.1.3.7)."""
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        raise TokenError(ErrorCode.ISSUER_NOT_TRUSTED, expected=_listed(frozenset(issuers)), found=format_value(issuer))
    return issuers[issuer]


def check_token_use(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse by name what is no access token: ID, refresh, offline, logout (RFC 8725 §3.12)."""
    del now
    kinds = _marked_kinds(claims)
    is_id = ID in kinds or CODE_HASH in claims
    is_other = LOGOUT_EVENT in claims or not kinds <= _ID_ONLY
    # An ID token needs no mark. A token with another mark, such as typ "Bearer", is not one.
    wanted = is_id or _is_unmarked(claims) if policy.token_type == "id" else not is_id
    if is_other or not wanted:
        marks = {name: claims.get(name) for name in TOKEN_KINDS}
        found = ", ".join(f"{name}={format_value(mark)}" for name, mark in marks.items() if mark is not None)
        found = next((name for name in (LOGOUT_EVENT, CODE_HASH) if name in claims), found)
        raise TokenError(ErrorCode.TOKEN_USE_NOT_ALLOWED, expected=f"an {policy.token_type} token", found=found)


def _marked_kinds(claims: Mapping[str, object]) -> frozenset[str]:
    """Return the kinds that a token's marks name, such as ``id``."""
    found = _NO_KINDS
    for name, kinds in _MARKS:
        mark = claims.get(name)
        # No provider's mark is a list or an object, which cannot be looked up.
        if isinstance(mark, str) and mark in kinds:
            found |= {kinds[mark]}
    return found


def _is_unmarked(claims: Mapping[str, object]) -> bool:
    """Tell whether a token has none of the claims that can mark an ID token."""
    return all(claims.get(name) is None for name, kinds in TOKEN_KINDS.items() if ID in kinds.values())


def check_audience(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that is not for this API (RFC 7519 §4.1.3, RFC 9068 §4)."""
    del now
    if policy.audiences is None:
        return
    audience = claims.get("aud")
    named = _members(audience)
    if not _all_strings(named) or policy.audiences.isdisjoint(named):
        raise TokenError(ErrorCode.AUDIENCE_MISMATCH, expected=_listed(policy.audiences), found=format_value(audience))


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
    if party is MISSING and len(_members(claims.get("aud"))) == 1:
        return
    allowed = policy.audiences | policy.allowed_clients
    if not isinstance(party, str) or party not in allowed:
        raise TokenError(ErrorCode.AZP_NOT_ALLOWED, expected=f"azp in {_listed(allowed)}", found=format_value(party))


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
            ErrorCode.CLIENT_NOT_ALLOWED, expected=_listed(policy.allowed_clients), found=format_value(client)
        )


def check_expiry(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token without ``exp``, or past it (RFC 7519 §4.1.4)."""
    expires = _time(claims, "exp", ErrorCode.TOKEN_EXPIRED)
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
    """Refuse a token that was issued in this host's future (RFC 7519 §4.1.6)."""
    issued = _time(claims, "iat", ErrorCode.TOKEN_ISSUED_IN_FUTURE)
    if issued is not None and now < issued - policy.leeway:
        found = f"iat {issued - now:.1f} s in this host's future"
        raise TokenError(ErrorCode.TOKEN_ISSUED_IN_FUTURE, expected=f"leeway {policy.leeway:g} s", found=found)


def check_age(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that is older than ``max_token_age``, or does not say how old it is."""
    if policy.max_token_age is None:
        return
    issued = _time(claims, "iat", ErrorCode.TOKEN_TOO_OLD)
    if issued is None or now >= issued + policy.max_token_age + policy.leeway:
        found = "no iat" if issued is None else f"{now - issued:.1f} s"
        raise TokenError(ErrorCode.TOKEN_TOO_OLD, expected=f"an age of at most {policy.max_token_age:g} s", found=found)


def check_required_claims(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token without a claim that must be present, or with null in it."""
    del now
    for requirement in policy.requirements:
        if requirement.accepts_any and not meets_requirement(find_claim(claims, requirement.path), requirement):
            expected = f"a claim {format_path(requirement.path)}"
            raise TokenError(ErrorCode.CLAIM_MISSING, expected=expected, found="none", hint=requirement.hint)


def check_not_bound(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a bound token as a plain bearer: its proof was not checked (RFC 7800 §3, RFC 9449 §7.1, RFC 8705 §3)."""
    del policy, now
    if "cnf" in claims:
        raise TokenError(ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, expected="a token without cnf")


def check_requirements(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that does not meet each requirement; a missing claim meets none."""
    del now
    for requirement in policy.requirements:
        if not requirement.accepts_any:
            _require_value(requirement, claims, ErrorCode.REQUIREMENT_NOT_MET)


def check_identity(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that names nobody, or somebody the servers would take for themselves (RFC 7519 §4.1.2)."""
    del now
    claim, value = find_identity(claims, policy)
    if (fault := identity_fault(claim, value)) is not None:
        raise TokenError(ErrorCode.IDENTITY_INVALID, expected=f"a string in {format_path(claim.path)}", found=fault)


def check_tenant(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a tenant that cannot be told apart from others: read as "none", two of them would become one."""
    del now
    if policy.tenant is not None and find_tenant(claims, policy.tenant) is MISSING:
        path = format_path(policy.tenant.path)
        raise TokenError(
            ErrorCode.TENANT_INVALID,
            expected=f"a string, a whole number or a boolean in {path}",
            found=format_value(find_claim(claims, policy.tenant.path)),
        )


def find_tenant(claims: Mapping[str, object], rule: TenantClaim) -> object:
    """Return the tenant, None when the token has none, or ``MISSING`` when what it has cannot be used.

    A tenant is a string, a whole number or a boolean, a list of one of these, or with ``object_keys`` an object of one
    key. An empty string is no tenant, and so are several memberships.
    """
    value = find_claim(claims, rule.path)
    if rule.object_keys and is_object(value):
        value = list(value)
    names = [] if value in (None, MISSING, "") else _members(value)
    texts = [_tenant_text(name) for name in names]
    if len(texts) != 1:
        return MISSING if None in texts else None
    (name,) = texts
    usable = name is not None and name.strip() and len(name) <= MAX_IDENTITY and not has_control(name)
    return name if usable else MISSING


def _tenant_text(value: object) -> str | None:
    # Rounding can make two numbers with a fraction or an exponent equal. Two tenants must never become one.
    return None if isinstance(value, float) else scalar_text(value)


def find_identity(claims: Mapping[str, object], policy: TokenPolicy) -> tuple[IdentityClaim, object]:
    """Return the first identity claim that is present, and its value: present but wrong never falls to the next."""
    for claim in policy.identities:
        if (value := find_claim(claims, claim.path)) is not MISSING:
            return claim, value
    return policy.identities[0], MISSING


def identity_fault(claim: IdentityClaim, value: object) -> str | None:
    """Return why this cannot be an identity, or None."""
    if value is MISSING:
        return "no such claim"
    if not isinstance(value, str) or not value.strip():
        return "an empty value" if isinstance(value, str) else f"a {type(value).__name__}"
    if has_control(value):
        return "control characters"
    identity = claim.prefix + value
    if len(identity) > MAX_IDENTITY:
        return f"more than {MAX_IDENTITY} characters"
    if claim.reserved_prefixes and identity.startswith(claim.reserved_prefixes):
        return "a value that begins with another identity_prefix"
    return f"the reserved name {value!r}" if identity in RESERVED_IDENTITIES else None


def _require_value(requirement: Requirement, claims: Mapping[str, object], code: ErrorCode) -> None:
    value = find_claim(claims, requirement.path)
    if not meets_requirement(value, requirement):
        path = format_path(requirement.path)
        expected = f"{path} in {_listed(requirement.values)}"
        raise TokenError(code, expected=expected, found=format_value(value), hint=requirement.hint)


def meets_requirement(value: object, requirement: Requirement) -> bool:
    """Tell whether a claim's value, or one of several, is one of those required. A missing claim meets nothing."""
    if requirement.accepts_any:
        return value is not MISSING and value is not None
    if isinstance(value, str) and is_scope(requirement.path):
        value = value.split(" ")
    texts = [text for member in _members(value) if (text := scalar_text(member)) is not None]
    return any(matches(pattern, text) for text in texts for pattern in requirement.values)


def _members(value: object) -> list[object]:
    return value if is_list(value) else [value]


def _all_strings(values: list[object]) -> TypeGuard[list[str]]:
    # JSON knows no subclasses of text. A generator would take longer than all the rest of the rule.
    return _ONLY_TEXT.issuperset(map(type, values))


def _time(claims: Mapping[str, object], name: str, code: ErrorCode) -> float | None:
    """Return a NumericDate (RFC 7519 §2), or None when the claim is absent; bool, text, null and infinities refuse."""
    value = claims.get(name, MISSING)
    if value is MISSING:
        return None
    # The comparison also refuses NaN and the infinities.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MAX_TIMESTAMP <= value <= MAX_TIMESTAMP:
        raise TokenError(code, expected=f"{name} as a number of seconds", found=type(value).__name__)
    return value


def format_value(value: object) -> str:
    """Return a claim's value for an operator's message: bounded, and on one line whatever it holds."""
    if value is MISSING or value is None:
        return "none"
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."  # noqa: PLR2004 - characters of a line


@lru_cache(maxsize=256)
def _listed(values: Iterable[str]) -> str:
    """Return what an operator configured, for a message; remembered, since a flood of refusals names it each time."""
    return ", ".join(sorted(repr(value) if value == "" else value for value in values)) or "none"


CHECKS: tuple[Check, ...] = (
    Check(ErrorCode.HEADER_REPEATED, Stage.EXTRACT, "RFC 9110 §5.3", extract.require_single_header),
    Check(ErrorCode.TOKEN_MISSING, Stage.EXTRACT, "RFC 6750 §3.1", extract.require_credential),
    Check(ErrorCode.TOKEN_TOO_LONG, Stage.EXTRACT, "RFC 8725 §2.4", extract.check_length),
    Check(ErrorCode.HEADER_MALFORMED, Stage.EXTRACT, "RFC 6750 §2.1", extract.parse_bearer),
    Check(ErrorCode.TOKEN_MALFORMED, Stage.PARSE, "RFC 7515 §7.1", jws.split_token),
    Check(ErrorCode.TOKEN_BASE64_INVALID, Stage.PARSE, "RFC 7515 §2", jws.decode_base64url),
    Check(ErrorCode.TOKEN_JSON_INVALID, Stage.PARSE, "RFC 7519 §4", jws.parse_object),
    Check(ErrorCode.ALG_NOT_ALLOWED, Stage.HEADER, "RFC 8725 §3.1", check_algorithm),
    Check(ErrorCode.CRIT_NOT_SUPPORTED, Stage.HEADER, "RFC 7515 §4.1.11", check_crit),
    Check(ErrorCode.KID_INVALID, Stage.HEADER, "RFC 7515 §4.1.4", check_kid),
    Check(ErrorCode.ISSUER_NOT_TRUSTED, Stage.CLAIMS, "RFC 8725 §3.8", select_issuer),
    Check(ErrorCode.TYP_NOT_ALLOWED, Stage.HEADER, "RFC 9068 §4", check_typ),
    Check(ErrorCode.KEY_NOT_FOUND, Stage.KEY, "RFC 7515 §4.1.4", find_keys),
    Check(ErrorCode.KEY_ALG_MISMATCH, Stage.KEY, "RFC 8725 §3.1", keys_for_algorithm),
    Check(ErrorCode.KEY_AMBIGUOUS, Stage.KEY, "RFC 7515 §6", require_single_key),
    Check(ErrorCode.TOKEN_USE_NOT_ALLOWED, Stage.CLAIMS, "RFC 8725 §3.12", check_token_use),
    Check(ErrorCode.AUDIENCE_MISMATCH, Stage.CLAIMS, "RFC 7519 §4.1.3", check_audience),
    Check(ErrorCode.AZP_NOT_ALLOWED, Stage.CLAIMS, "OpenID Connect Core §3.1.3.7", check_azp),
    Check(ErrorCode.CLIENT_NOT_ALLOWED, Stage.CLAIMS, "RFC 9068 §2.2", check_client),
    Check(ErrorCode.TOKEN_EXPIRED, Stage.CLAIMS, "RFC 7519 §4.1.4", check_expiry),
    Check(ErrorCode.TOKEN_NOT_YET_VALID, Stage.CLAIMS, "RFC 7519 §4.1.5", check_not_before),
    Check(ErrorCode.TOKEN_ISSUED_IN_FUTURE, Stage.CLAIMS, "RFC 7519 §4.1.6", check_issued_at),
    Check(ErrorCode.TOKEN_TOO_OLD, Stage.CLAIMS, "the issuer's max_token_age", check_age),
    Check(ErrorCode.CLAIM_MISSING, Stage.CLAIMS, "the issuer's require", check_required_claims),
    Check(ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, Stage.CLAIMS, "RFC 7800 §3", check_not_bound),
    Check(ErrorCode.REQUIREMENT_NOT_MET, Stage.CLAIMS, "the issuer's require", check_requirements),
    Check(ErrorCode.IDENTITY_INVALID, Stage.CLAIMS, "RFC 7519 §4.1.2", check_identity),
    Check(ErrorCode.TENANT_INVALID, Stage.CLAIMS, "the issuer's tenant", check_tenant),
    Check(ErrorCode.SIGNATURE_INVALID, Stage.SIGNATURE, "RFC 7515 §5.2", check_signature),
)

CLAIM_CHECKS: tuple[Check, ...] = tuple(
    check for check in CHECKS if check.stage is Stage.CLAIMS and check.code is not ErrorCode.ISSUER_NOT_TRUSTED
)
"""The rows that need nothing but the claims, the issuer's policy and the time."""
