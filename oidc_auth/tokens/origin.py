"""Refuse cross-site requests that use a token which a proxy adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, TokenError
from ..quoting import list_examples, quote
from .extract import claim_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .extract import Text

OWN_PAGE = (["same-origin"], ["none"])
"""``Sec-Fetch-Site`` of a page of this server's own origin, and of an address that the user typed."""


def check_origin(pairs: Sequence[tuple[Text, Text]], issuer: str, allowed: frozenset[str] | None) -> None:
    """Refuse a request that a page of a foreign origin sent.

    A proxy adds the user's token to each request that has the user's cookie, from any page: cross-site request
    forgery. The browser sets ``Origin`` (RFC 6454 §7) and ``Sec-Fetch-Site`` (Fetch Metadata), and no script can.

    Args:
        pairs: the request's header fields.
        issuer: the issuer of the token, for the log.
        allowed: origins of pages that may use its tokens. None means any, because the client itself adds the token.

    Raises:
        TokenError: ``origin_not_allowed``, with status 403.
    """
    if allowed is None:
        return
    origins, sites = claim_values(pairs, "origin"), claim_values(pairs, "sec-fetch-site")
    if not origins and not sites:
        # Not a browser: those send Origin with every cross-site POST (Fetch Standard) and WebSocket (RFC 6455 §4.1).
        return
    # Which of two values counts is unclear (RFC 9110 §5.3): refuse both.
    if len(origins) <= 1 and len(sites) <= 1 and (sites in OWN_PAGE or not allowed.isdisjoint(origins)):
        return
    listed = list_examples(allowed) if allowed else "allowed_origins"
    refusal = TokenError(
        ErrorCode.ORIGIN_NOT_ALLOWED,
        expected=f"Sec-Fetch-Site same-origin or none, or Origin in {listed}",
        found=f"Origin {_shown(origins)}, Sec-Fetch-Site {_shown(sites)}",
    )
    refusal.issuer = issuer
    raise refusal


def _shown(values: list[str]) -> str:
    return quote(values[0] if values else None) if len(values) <= 1 else f"{len(values)} times"
