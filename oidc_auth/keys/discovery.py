"""Issuer metadata, and that the document is this issuer's (OpenID Connect Discovery 1.0 §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fetch import FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping

WELL_KNOWN = "/.well-known/openid-configuration"


def metadata_url(issuer: str) -> str:
    """Return where the issuer's metadata lies: a trailing slash is removed first (Discovery §4.1)."""
    return issuer.removesuffix("/") + WELL_KNOWN


def key_set_url(issuer: str, document: Mapping[str, object]) -> str:
    """Return the metadata's ``jwks_uri``, once the document is known to be this issuer's.

    Raises:
        FetchError: the document names another issuer (Discovery §4.3: they MUST be identical), or no ``jwks_uri``.
    """
    named = document.get("issuer")
    if named != issuer:
        difference = " (they differ only by a trailing '/')" if _same_but_slash(named, issuer) else ""
        raise FetchError(
            f"the document at {metadata_url(issuer)} is of issuer {named!r}, configured is {issuer!r}{difference}: "
            "configure the issuer exactly as the document spells it, or give jwks_uri"
        )
    url = document.get("jwks_uri")
    if not isinstance(url, str):
        raise FetchError(f"the document at {metadata_url(issuer)} names no jwks_uri")
    return url


def _same_but_slash(named: object, issuer: str) -> bool:
    return isinstance(named, str) and named.rstrip("/") == issuer.rstrip("/")
