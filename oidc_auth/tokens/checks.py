"""CHECKS: every rule a token must pass, one a row, in the order in which the road meets them.

A rule is a pure function that returns on success and raises ``TokenError`` with its row's code. There is no switch to
turn a row off. The verifier, ``explain``, the metrics' labels and the table in the documentation read this one list.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeGuard, TypeVar

from ..errors import Code, TokenError
from ..json_values import is_list, is_object
from ..keys.jwk import check_signature
from ..keys.keyset import fitting_keys, known_keys, the_only_key
from ..providers.lookup import TOKEN_KINDS
from . import bearer, jws
from .claim_path import MISSING, find, spell
from .policy import MAX_IDENTITY, RESERVED_IDENTITIES, has_control, is_scope, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .policy import IdentityClaim, Requirement, TenantClaim, TokenPolicy

T = TypeVar("T")

MAX_KEY_ID = 256
LATEST = 253_402_300_799
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

    PRESENT = "present"
    PARSE = "parse"
    HEADER = "header"
    KEY = "key"
    CLAIMS = "claims"
    SIGNATURE = "signature"


class Check(NamedTuple):
    """One row: the code of its refusal, its stage, where the rule comes from, and the rule."""

    code: Code
    stage: Stage
    source: str
    rule: Callable[..., object]


def check_algorithm(header: Mapping[str, object], allowed: frozenset[str]) -> str:
    """Return ``alg`` when it is allowed (RFC 8725 §3.1); ``none`` and HS* never are."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise TokenError(Code.ALGORITHM_REFUSED, expected=_listed(allowed), found=shown(algorithm))
    return algorithm


def check_critical(header: Mapping[str, object]) -> None:
    """Refuse extensions that must be understood, and unencoded payloads (RFC 7515 §4.1.11, RFC 7797 §7, RFC 7516)."""
    if not _EXTENSIONS.isdisjoint(header):
        raise TokenError(Code.CRITICAL_HEADER_REFUSED, found=", ".join(sorted(_EXTENSIONS.intersection(header))))


def check_key_id(header: Mapping[str, object]) -> str | None:
    """Return ``kid``, or None when there is none (RFC 7515 §4.1.4)."""
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_ID):
        raise TokenError(Code.KEY_ID_INVALID)
    return kid


def check_type(header: Mapping[str, object], policy: TokenPolicy) -> None:
    """Refuse a header ``typ`` that no access token has (RFC 9068 §4, RFC 8725 §3.11), such as ``logout+jwt``."""
    named = header.get("typ", "")
    kind = named.lower().removeprefix("application/") if isinstance(named, str) else None
    if policy.token_type == "id":
        allowed = ID_TYPES
    else:
        allowed = frozenset({"at+jwt"}) if policy.strict_rfc9068 else ACCESS_TYPES
    if kind not in allowed:
        raise TokenError(Code.TYPE_REFUSED, expected=_listed(allowed), found=shown(named))


def select_issuer(claims: Mapping[str, object], issuers: Mapping[str, T]) -> T:
    """Return what is configured for ``iss``, compared exactly (RFC 8725 §3.8, OpenID Connect Core §3.1.3.7)."""
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        raise TokenError(Code.ISSUER_UNKNOWN, expected=_listed(frozenset(issuers)), found=shown(issuer))
    return issuers[issuer]


def check_kind(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse by name what is no access token: ID, refresh, offline, logout (RFC 8725 §3.12)."""
    del now
    kinds = _marked_kinds(claims)
    is_id = ID in kinds or CODE_HASH in claims
    is_other = LOGOUT_EVENT in claims or not kinds <= _ID_ONLY
    # An ID token needs no mark. A token with another mark, such as typ "Bearer", is not one.
    wanted = is_id or _is_unmarked(claims) if policy.token_type == "id" else not is_id
    if is_other or not wanted:
        marks = {name: claims.get(name) for name in TOKEN_KINDS}
        found = ", ".join(f"{name}={shown(mark)}" for name, mark in marks.items() if mark is not None)
        found = next((name for name in (LOGOUT_EVENT, CODE_HASH) if name in claims), found)
        raise TokenError(Code.TOKEN_KIND_REFUSED, expected=f"an {policy.token_type} token", found=found)


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
        raise TokenError(Code.AUDIENCE_MISMATCH, expected=_listed(policy.audiences), found=shown(audience))


def check_azp(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse an ID token that another client received (OpenID Connect Core §3.1.3.7).

    The client in ``azp`` must be one of ``audiences`` or ``authorized_parties``. Only a token with one audience may
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
    allowed = policy.audiences | policy.authorized_parties
    if not isinstance(party, str) or party not in allowed:
        raise TokenError(Code.AZP_NOT_ALLOWED, expected=f"azp in {_listed(allowed)}", found=shown(party))


def check_client(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token of a client that is not listed, where the provider sends no ``aud``."""
    del now
    if policy.client is not None:
        _demand(policy.client, claims, Code.CLIENT_REFUSED)


def check_expiry(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token without ``exp``, or past it (RFC 7519 §4.1.4)."""
    expires = _time(claims, "exp", Code.EXPIRED)
    if expires is None:
        raise TokenError(Code.EXPIRED, expected="a claim exp", found="none")
    if now >= expires + policy.leeway:
        raise TokenError(Code.EXPIRED, expected=f"leeway {policy.leeway:g} s", found=f"{now - expires:.1f} s past exp")


def check_not_before(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token before its ``nbf`` (RFC 7519 §4.1.5)."""
    starts = _time(claims, "nbf", Code.NOT_YET_VALID)
    if starts is not None and now < starts - policy.leeway:
        raise TokenError(
            Code.NOT_YET_VALID, expected=f"leeway {policy.leeway:g} s", found=f"{starts - now:.1f} s to nbf"
        )


def check_issued_at(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that was issued in this host's future (RFC 7519 §4.1.6)."""
    issued = _time(claims, "iat", Code.ISSUED_IN_FUTURE)
    if issued is not None and now < issued - policy.leeway:
        found = f"iat {issued - now:.1f} s in this host's future"
        raise TokenError(Code.ISSUED_IN_FUTURE, expected=f"leeway {policy.leeway:g} s", found=found)


def check_age(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that is older than ``max_age``, or does not say how old it is."""
    if policy.max_age is None:
        return
    issued = _time(claims, "iat", Code.TOO_OLD)
    if issued is None or now >= issued + policy.max_age + policy.leeway:
        found = "no iat" if issued is None else f"{now - issued:.1f} s"
        raise TokenError(Code.TOO_OLD, expected=f"an age of at most {policy.max_age:g} s", found=found)


def check_required(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that lacks a claim the operator requires."""
    del now
    for path in policy.required_claims:
        if find(claims, path) in (MISSING, None):
            raise TokenError(Code.CLAIM_MISSING, expected=f"a claim {spell(path)}", found="none")


def check_party(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token of a client that is not listed: ``azp``, or ``client_id`` (RFC 9068 §2.2)."""
    del now
    if not policy.authorized_parties:
        return
    party = claims.get("azp", claims.get("client_id"))
    if not isinstance(party, str) or party not in policy.authorized_parties:
        raise TokenError(Code.PARTY_REFUSED, expected=_listed(policy.authorized_parties), found=shown(party))


def check_unbound(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a bound token as a plain bearer: its proof was not checked (RFC 7800 §3, RFC 9449 §7.1, RFC 8705 §3)."""
    del policy, now
    if "cnf" in claims:
        raise TokenError(Code.TOKEN_BOUND, expected="a token without cnf")


def check_requirements(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that does not meet each requirement; a missing claim meets none."""
    del now
    for requirement in policy.requirements:
        _demand(requirement, claims, Code.REQUIREMENT_UNMET)


def check_identity(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a token that names nobody, or somebody the servers would take for themselves (RFC 7519 §4.1.2)."""
    del now
    claim, value = named_identity(claims, policy)
    if (fault := identity_fault(claim, value)) is not None:
        raise TokenError(Code.IDENTITY_INVALID, expected=f"a string in {spell(claim.path)}", found=fault)


def check_tenant(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> None:
    """Refuse a tenant that cannot be told apart from others: read as "none", two of them would become one."""
    del now
    if policy.tenant is not None and named_tenant(claims, policy.tenant) is MISSING:
        path = spell(policy.tenant.path)
        raise TokenError(
            Code.TENANT_INVALID, expected=f"a string in {path}", found=shown(find(claims, policy.tenant.path))
        )


def named_tenant(claims: Mapping[str, object], rule: TenantClaim) -> object:
    """Return the tenant, None when the token has none, or ``MISSING`` when what it has cannot be used.

    A string, a list of one, or with ``keys`` an object of one key. An empty string is none, and so are two memberships
    without a choice.
    """
    value = find(claims, rule.path)
    if rule.keys and is_object(value):
        value = list(value)
    names = [] if value in (None, MISSING, "") else _members(value)
    if len(names) != 1:
        return None if _all_strings(names) else MISSING
    (name,) = names
    usable = isinstance(name, str) and name.strip() and len(name) <= MAX_IDENTITY and not has_control(name)
    return name if usable else MISSING


def named_identity(claims: Mapping[str, object], policy: TokenPolicy) -> tuple[IdentityClaim, object]:
    """Return the first identity claim that is present, and its value: present but wrong never falls to the next."""
    for claim in policy.identities:
        if (value := find(claims, claim.path)) is not MISSING:
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
    if claim.taken and identity.startswith(claim.taken):
        return "a value that begins with another identity_prefix"
    return f"the reserved name {value!r}" if identity in RESERVED_IDENTITIES else None


def _demand(requirement: Requirement, claims: Mapping[str, object], code: Code) -> None:
    value = find(claims, requirement.path)
    if not meets(value, requirement):
        path = spell(requirement.path)
        expected = f"{path} in {_listed(requirement.values)}"
        raise TokenError(code, expected=expected, found=shown(value), cure=requirement.cure)


def meets(value: object, requirement: Requirement) -> bool:
    """Tell whether a claim's value, or one of several, is one of those required; a missing claim meets nothing."""
    if isinstance(value, str) and is_scope(requirement.path):
        value = value.split(" ")
    # email_verified = true: a boolean is compared as JSON spells it.
    texts = [str(text).lower() if isinstance(text, bool) else text for text in _members(value)]
    return any(isinstance(text, str) and matches(pattern, text) for text in texts for pattern in requirement.values)


def _members(value: object) -> list[object]:
    return value if is_list(value) else [value]


def _all_strings(values: list[object]) -> TypeGuard[list[str]]:
    # JSON knows no subclasses of text. A generator would take longer than all the rest of the rule.
    return _ONLY_TEXT.issuperset(map(type, values))


def _time(claims: Mapping[str, object], name: str, code: Code) -> float | None:
    """Return a NumericDate (RFC 7519 §2), or None when the claim is absent; bool, text, null and infinities refuse."""
    value = claims.get(name, MISSING)
    if value is MISSING:
        return None
    # The comparison also refuses NaN and the infinities.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LATEST <= value <= LATEST:
        raise TokenError(code, expected=f"{name} as a number of seconds", found=type(value).__name__)
    return value


def shown(value: object) -> str:
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
    Check(Code.HEADER_REPEATED, Stage.PRESENT, "RFC 9110 §5.3", bearer.the_only_field),
    Check(Code.TOKEN_MISSING, Stage.PRESENT, "RFC 6750 §3.1", bearer.a_credential),
    Check(Code.TOKEN_TOO_LONG, Stage.PRESENT, "RFC 8725 §2.4", bearer.check_length),
    Check(Code.HEADER_MALFORMED, Stage.PRESENT, "RFC 6750 §2.1", bearer.bearer_token),
    Check(Code.SEGMENTS_WRONG, Stage.PARSE, "RFC 7515 §7.1", jws.split_token),
    Check(Code.BASE64URL_INVALID, Stage.PARSE, "RFC 7515 §2", jws.decode_base64url),
    Check(Code.JSON_INVALID, Stage.PARSE, "RFC 7519 §4", jws.parse_object),
    Check(Code.ALGORITHM_REFUSED, Stage.HEADER, "RFC 8725 §3.1", check_algorithm),
    Check(Code.CRITICAL_HEADER_REFUSED, Stage.HEADER, "RFC 7515 §4.1.11", check_critical),
    Check(Code.KEY_ID_INVALID, Stage.HEADER, "RFC 7515 §4.1.4", check_key_id),
    Check(Code.ISSUER_UNKNOWN, Stage.CLAIMS, "RFC 8725 §3.8", select_issuer),
    Check(Code.TYPE_REFUSED, Stage.HEADER, "RFC 9068 §4", check_type),
    Check(Code.KEY_UNKNOWN, Stage.KEY, "RFC 7515 §4.1.4", known_keys),
    Check(Code.KEY_UNFIT, Stage.KEY, "RFC 8725 §3.1", fitting_keys),
    Check(Code.KEY_AMBIGUOUS, Stage.KEY, "RFC 7515 §6", the_only_key),
    Check(Code.TOKEN_KIND_REFUSED, Stage.CLAIMS, "RFC 8725 §3.12", check_kind),
    Check(Code.AUDIENCE_MISMATCH, Stage.CLAIMS, "RFC 7519 §4.1.3", check_audience),
    Check(Code.AZP_NOT_ALLOWED, Stage.CLAIMS, "OpenID Connect Core §3.1.3.7", check_azp),
    Check(Code.CLIENT_REFUSED, Stage.CLAIMS, "RFC 9068 §2.2", check_client),
    Check(Code.EXPIRED, Stage.CLAIMS, "RFC 7519 §4.1.4", check_expiry),
    Check(Code.NOT_YET_VALID, Stage.CLAIMS, "RFC 7519 §4.1.5", check_not_before),
    Check(Code.ISSUED_IN_FUTURE, Stage.CLAIMS, "RFC 7519 §4.1.6", check_issued_at),
    Check(Code.TOO_OLD, Stage.CLAIMS, "the issuer's max_age", check_age),
    Check(Code.CLAIM_MISSING, Stage.CLAIMS, "the issuer's required_claims", check_required),
    Check(Code.PARTY_REFUSED, Stage.CLAIMS, "the issuer's authorized_parties", check_party),
    Check(Code.TOKEN_BOUND, Stage.CLAIMS, "RFC 7800 §3", check_unbound),
    Check(Code.REQUIREMENT_UNMET, Stage.CLAIMS, "the issuer's require", check_requirements),
    Check(Code.IDENTITY_INVALID, Stage.CLAIMS, "RFC 7519 §4.1.2", check_identity),
    Check(Code.TENANT_INVALID, Stage.CLAIMS, "the issuer's tenant", check_tenant),
    Check(Code.SIGNATURE_INVALID, Stage.SIGNATURE, "RFC 7515 §5.2", check_signature),
)

CLAIM_CHECKS: tuple[Check, ...] = tuple(
    check for check in CHECKS if check.stage is Stage.CLAIMS and check.code is not Code.ISSUER_UNKNOWN
)
"""The rows that need nothing but the claims, the issuer's policy and the time."""
