"""Checks of a token that the provider introspects (RFC 7662)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import ErrorCode, TokenError
from ..quoting import quote
from .claim_path import MISSING, find_claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .policy import Requirement, TokenPolicy

ACCESS_TOKEN_MARKS: Mapping[str, frozenset[str]] = {
    "token_type": frozenset({"bearer"}),
    "token_use": frozenset({"access", "access_token"}),
}
"""Members of an answer that tell access tokens apart from other tokens, and their values in lower case.

``token_type`` is the type of RFC 6749 §5.1. A refresh token has none. Some providers send ``token_use``.
"""

DECIDED_LATER = frozenset(
    {
        ErrorCode.AUDIENCE_MISMATCH,
        ErrorCode.AZP_NOT_ALLOWED,
        ErrorCode.CLIENT_NOT_ALLOWED,
        ErrorCode.CLAIM_MISSING,
        ErrorCode.REQUIREMENT_NOT_MET,
        ErrorCode.IDENTITY_INVALID,
        ErrorCode.TENANT_INVALID,
    }
)
"""Checks of claims that the provider's answer can add. They run once on the JWT and once on all claims together."""


def check_active(answer: Mapping[str, object]) -> None:
    """Refuse a token that the provider does not call active (RFC 7662 §2.2)."""
    # Only the boolean counts, and not the text "true" or 1. A missing member means no.
    if answer.get("active") is not True:
        raise TokenError(ErrorCode.TOKEN_INACTIVE, expected="active = true", found=quote(answer.get("active")))


def check_answer_use(answer: Mapping[str, object], claims: Mapping[str, object]) -> None:
    """Refuse an answer about a refresh token or a bound token (RFC 7662 §2.1).

    Some providers introspect refresh tokens too, which live much longer than access tokens.

    Args:
        answer: The provider's answer.
        claims: The answer, and for a JWT also its own claims.
    """
    # A bound token (DPoP) needs a proof that is not checked (RFC 9449 §7.1).
    for name, allowed in ACCESS_TOKEN_MARKS.items():
        mark = answer.get(name)
        if mark is not None and (not isinstance(mark, str) or mark.lower() not in allowed):
            raise TokenError(
                ErrorCode.TOKEN_USE_NOT_ALLOWED, expected="a bearer access token", found=f"{name}={quote(mark)}"
            )
    # Without these two members, nothing shows that it is an access token for an API.
    if "token_type" not in answer and "aud" not in claims:
        raise TokenError(
            ErrorCode.TOKEN_USE_NOT_ALLOWED, expected="token_type or aud in the answer", found="neither of them"
        )


def check_subject(answer: Mapping[str, object], claims: Mapping[str, object]) -> None:
    """Refuse an answer about another subject than that of the JWT.

    A lightweight access token can lack ``sub``. Then the answer adds it.
    """
    # Not None as the default: a missing sub and "sub": null are different.
    if "sub" in claims and answer.get("sub", MISSING) != claims["sub"]:
        found = "no sub" if "sub" not in answer else quote(answer["sub"])
        raise TokenError(ErrorCode.SUBJECT_MISMATCH, expected="the sub of the JWT", found=found)


def limit_to_present(claims: Mapping[str, object], policy: TokenPolicy) -> TokenPolicy:
    """Return the rules for the claims that a JWT has. The provider's answer can add the others.

    A lightweight access token has neither ``aud`` nor roles.
    """
    # A claim that is present was signed, so a wrong value is final. It must not reach the provider.
    has_client = "azp" in claims or "client_id" in claims
    return replace(
        policy,
        audiences=policy.audiences if "aud" in claims else None,
        client=policy.client if policy.client is not None and _has(claims, policy.client) else None,
        allowed_clients=policy.allowed_clients if has_client else frozenset(),
        requirements=tuple(each for each in policy.requirements if _has(claims, each)),
    )


def _has(claims: Mapping[str, object], requirement: Requirement) -> bool:
    return find_claim(claims, requirement.path) is not MISSING
