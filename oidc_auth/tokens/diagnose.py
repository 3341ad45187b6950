"""Why a token was refused, for the operator: the usual mistakes by name. Explains, never decides.

What a client hears does not change here: only ``found`` and ``cure``, which go to the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import Code, TokenError
from .checks import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GRAPH_AUDIENCES = ("00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com")


def diagnose(
    error: TokenError, header: Mapping[str, object], claims: Mapping[str, object], issuers: Iterable[str]
) -> TokenError:
    """Return the same refusal with the cure that fits these claims, where one is known."""
    cure = ""
    if error.code is Code.ISSUER_UNKNOWN:
        cure = _issuer_cure(claims.get("iss"), issuers)
    elif error.code in (Code.AUDIENCE_MISMATCH, Code.SIGNATURE_INVALID):
        cure = _graph_cure(header, claims) or _audience_cure(error, claims)
    elif error.code is Code.IDENTITY_INVALID and "azp" in claims and "sub" not in claims:
        cure = "Keycloak: give the client the default scope 'basic', which carries sub since version 25."
    if not cure:
        return error
    return TokenError(error.code, expected=error.expected, found=error.found, cure=cure)


def _issuer_cure(found: object, issuers: Iterable[str]) -> str:
    if not isinstance(found, str):
        return ""
    for issuer in issuers:
        if issuer.rstrip("/") == found.rstrip("/"):
            return f"They differ only by a trailing '/': write {shown(found)}, as the token and discovery have it."
        if _is_other_version(issuer, found):
            return (
                "An Entra token of the other version: set api.requestedAccessTokenVersion to 2 in the API's manifest, "
                "or configure the issuer that the token names."
            )
        if _path(issuer) == _path(found) and _path(issuer).strip("/"):
            return (
                "The same path on another host: set issuer to the address that clients use, and jwks_url to the one "
                "this server reaches."
            )
    return ""


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _is_other_version(issuer: str, found: str) -> bool:
    hosts = ("https://login.microsoftonline.com/", "https://sts.windows.net/")
    return issuer.startswith(hosts) and found.startswith(hosts)


def _graph_cure(header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    if claims.get("aud") in GRAPH_AUDIENCES or "nonce" in header:
        return "A Microsoft Graph token, which only Graph can verify: request scope api://<your API>/.default."
    return ""


def _audience_cure(error: TokenError, claims: Mapping[str, object]) -> str:
    if error.code is not Code.AUDIENCE_MISMATCH:
        return ""
    audience, client = claims.get("aud"), claims.get("azp", claims.get("client_id"))
    if audience is None and claims.get("token_use") == "access":
        return "Cognito access tokens carry client_id instead of aud: use client_claim and a scope prefix."
    if "nonce" in claims or "at_hash" in claims:
        return "This looks like an ID token: send the access token."
    if audience is None or audience == "account" or "realm_access" in claims:
        return (
            f"Keycloak: add a mapper of type Audience to client {shown(client)} "
            "(Client scopes > <client>-dedicated > Add mapper > Audience)."
        )
    return ""
