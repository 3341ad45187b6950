"""Why a token was refused, for the operator: the usual mistakes by name. Explains, never decides.

What a client hears does not change here: only ``found`` and ``cure``, which go to the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import Code, TokenError
from ..observe import pseudonym
from .checks import OTHER_TYPES, PENDING, named_identity, shown
from .jws import decode_base64url, parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..errors import OIDCAuthError
    from .jws import Segments
    from .policy import TokenPolicy

JWE_PARTS = 5
"""A compact JWE has five parts (RFC 7516 §7.1)."""
MAX_HEADER_DEPTH = 4
JTI_MARKS = 6
"""Characters before the colon of a jti of Keycloak 26."""
LONGEST_EXPLAINED = 4_096
"""Bytes before the signature that are read for the log's sake only: Keycloak's are two thousand, a flood's more."""
ENCRYPTED_CURE = (
    "Auth0: the client did not send audience=<your API id>, or the API has JSON Web Encryption turned on; authentik: "
    "clear the provider's encryption key."
)
ENTRA_VERSION_CURE = (
    "An Entra token of the other version: set api.requestedAccessTokenVersion to 2 in the API's manifest, or configure "
    "the issuer that the token names."
)
OTHER_HOST_CURE = (
    "The same path on another host: set issuer to the address that clients use, and jwks_url to the one this server "
    "reaches."
)
BASIC_CURE = (
    "Keycloak: give {the_client} the default scope 'basic', which carries sub since version 25: Clients > {client} "
    "> Client scopes > Add client scope > basic > Add > Default."
)
MAPPER_CURE = (
    "Keycloak: add a mapper of type Audience to {the_client}: Clients > {client} > Client scopes > the one that "
    "ends in -dedicated > Configure a new mapper (or Add mapper > By configuration) > Audience > Included Client "
    "Audience > {audience}."
)
LIGHTWEIGHT_CURE = (
    "Keycloak: {the_client} has lightweight access tokens, without aud and roles: Clients > {client} > Advanced > "
    "Advanced settings > Always use lightweight access token > Off."
)
SECRET_CURE = (
    "Keycloak: {the_client} has its access tokens signed with a secret of the realm: Clients > {client} > Advanced "
    "> Fine grain OpenID Connect configuration > Access token signature algorithm > RS256."
)
OTHER_KIND_CURE = "Keycloak: this is the {kind} token, for Keycloak alone: send the access token."
PENDING_CURE = "Clerk: this session has tasks left, such as choosing an organization: let the user finish signing in."
ENTRA_AUDIENCE_CURE = (
    "Entra: in tokens of version 2.0 aud is the API's Application (client) ID, a GUID in lower case: write that as "
    "audience. Is it another application's? Let the client ask for a scope of this API, api://<client ID>/<scope>."
)
ENTRA_IDENTITY_CURE = (
    "Entra: access tokens name everybody in oid and sub: let the client send an access token of this API, and leave "
    "identity to the preset."
)
ENTRA_HOSTS = ("https://login.microsoftonline.com/", "https://sts.windows.net/")
GRAPH_AUDIENCES = ("00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com")


def diagnose(
    error: TokenError, header: Mapping[str, object], claims: Mapping[str, object], issuers: Iterable[str]
) -> TokenError:
    """Return the same refusal with the cure that fits these claims, where one is known."""
    cure = ""
    if error.code is Code.ISSUER_UNKNOWN:
        cure = _issuer_cure(claims.get("iss"), issuers)
    elif error.code is Code.AUDIENCE_MISMATCH:
        cure = _graph_cure(header, claims) or _audience_cure(error, claims)
    elif error.code is Code.SIGNATURE_INVALID:
        cure = _graph_cure(header, claims)
    elif error.code is Code.IDENTITY_INVALID and _is_entra(str(claims.get("iss"))):
        cure = ENTRA_IDENTITY_CURE
    elif error.code is Code.IDENTITY_INVALID and "azp" in claims and "sub" not in claims:
        cure = BASIC_CURE.format(**_client(claims))
    elif error.code is Code.TOKEN_KIND_REFUSED and claims.get("sts") == PENDING:
        cure = PENDING_CURE
    return _with_cure(error, cure)


def diagnose_algorithm(
    error: TokenError, header: Mapping[str, object], segments: Segments, max_depth: int
) -> TokenError:
    """Return the refusal of an algorithm with the cure that fits, where the provider signed with a secret of its own.

    Only then is the payload looked at, and nothing in it decides.
    """
    if not str(header.get("alg")).startswith("HS") or segments.second > LONGEST_EXPLAINED:
        return error
    claims = _readable(segments.payload, max_depth)
    kind = claims.get("typ")
    if kind in OTHER_TYPES:
        return _with_cure(error, OTHER_KIND_CURE.format(kind=shown(kind)))
    return _with_cure(error, SECRET_CURE.format(**_client(claims)) if kind == "Bearer" else "")


def diagnose_text(error: TokenError, token: str) -> TokenError:
    """Return the refusal of a text that is no signed JWT with the cure that fits: encrypted and opaque tokens."""
    # A million dots must not become a million strings.
    parts = token.split(".", JWE_PARTS)
    if len(parts) == JWE_PARTS and error.code is Code.SEGMENTS_WRONG:
        header = _readable(parts[0], MAX_HEADER_DEPTH)
        known = ", ".join(f"{name}={shown(header[name])}" for name in ("enc", "iss") if name in header)
        kind = f"JWE, {known}" if known else "JWE"
        return _with_cure(error, f"An encrypted token ({kind}), which only its provider can read. {ENCRYPTED_CURE}")
    return error


def _readable(segment: str, max_depth: int) -> Mapping[str, object]:
    try:
        return parse_object(decode_base64url(segment), max_depth)
    except TokenError:
        return {}


def attribute(refusal: OIDCAuthError, claims: Mapping[str, object], policy: TokenPolicy | None) -> OIDCAuthError:
    """Return the same refusal with whose token it was, for the log: the issuer, and the user by a pseudonym.

    Nothing of it is verified; ``policy`` is that of the issuer, or None when it is not configured.
    """
    if policy is None:
        refusal.issuer = shown(claims["iss"]) if "iss" in claims else ""
        return refusal
    refusal.issuer = policy.issuer
    claim, value = named_identity(claims, policy)
    refusal.user = pseudonym(claim.prefix + value) if isinstance(value, str) and value else ""
    return refusal


def _with_cure(error: TokenError, cure: str) -> TokenError:
    return TokenError(error.code, expected=error.expected, found=error.found, cure=cure) if cure else error


def _issuer_cure(found: object, issuers: Iterable[str]) -> str:
    """Return what to write when a configured issuer is nearly the one the token names."""
    if not isinstance(found, str):
        return ""
    cures = (cure for issuer in issuers for near, cure in _near_issuers(issuer, found) if near)
    return next(cures, "")


def _near_issuers(issuer: str, found: str) -> Iterable[tuple[bool, str]]:
    slash = f"They differ only by a trailing '/': write {shown(found)}, as the token and discovery have it."
    yield issuer.rstrip("/") == found.rstrip("/"), slash
    yield issuer.casefold() == found.casefold(), f"They differ only in upper and lower case: write {shown(found)}."
    yield _is_other_version(issuer, found), ENTRA_VERSION_CURE
    other_tenant = (
        "Entra: another tenant. The issuer holds the tenant's GUID, never its domain, common or organizations."
    )
    yield _is_entra(issuer) and _is_entra(found), other_tenant
    org_server = "A token of Okta's org authorization server, which only Okta can check: use the custom server."
    yield issuer.startswith(f"{found.rstrip('/')}/oauth2/"), org_server
    yield _path(issuer) == _path(found) and bool(_path(issuer).strip("/")), OTHER_HOST_CURE


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _is_entra(issuer: str) -> bool:
    return issuer.startswith(ENTRA_HOSTS)


def _is_other_version(issuer: str, found: str) -> bool:
    tenants = [url.split("/")[3] if _is_entra(url) else None for url in (issuer, found)]
    return tenants[0] is not None and tenants[0] == tenants[1]


def _graph_cure(header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    if claims.get("aud") in GRAPH_AUDIENCES or "nonce" in header:
        return "A Microsoft Graph token, which only Graph can verify: request scope api://<your API>/.default."
    return ""


def _audience_cure(error: TokenError, claims: Mapping[str, object]) -> str:
    audience = claims.get("aud")
    if audience is None and claims.get("token_use") == "access":
        return "Cognito access tokens carry client_id instead of aud: use client_claim and a scope prefix."
    if "nonce" in claims or "at_hash" in claims:
        return "This looks like an ID token: send the access token."
    if _is_entra(str(claims.get("iss"))):
        return ENTRA_AUDIENCE_CURE
    if _is_lightweight(claims):
        return LIGHTWEIGHT_CURE.format(**_client(claims))
    if audience is None or audience == "account" or "realm_access" in claims:
        return MAPPER_CURE.format(**_client(claims), audience=error.expected)
    return ""


def _client(claims: Mapping[str, object]) -> dict[str, str]:
    """Return how the token's client is called, in a sentence and in a path through the console."""
    client = claims.get("azp", claims.get("client_id"))
    name = shown(client) if isinstance(client, str) else ""
    return {"the_client": f"client {name}" if name else "the client", "client": name or "<the client>"}


def _is_lightweight(claims: Mapping[str, object]) -> bool:
    # Keycloak 26 marks session, kind and grant of a token before the colon of its jti: trltcc:d03d2df7-...
    marks, colon, _ = str(claims.get("jti")).partition(":")
    return bool(colon) and len(marks) == JTI_MARKS and marks[2:4] == "lt"
