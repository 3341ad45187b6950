"""What each error code means: its status, the message for the client and the hint for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .denial_details import DENIAL_DETAILS
from .error_codes import ErrorCode, ErrorDetails

if TYPE_CHECKING:
    from collections.abc import Mapping


ERROR_DETAILS: Mapping[ErrorCode, ErrorDetails] = {
    ErrorCode.TOKEN_MISSING: ErrorDetails(
        401, "the request has no token", "Send the header 'Authorization: Bearer <access token>'."
    ),
    ErrorCode.HEADER_REPEATED: ErrorDetails(
        401,
        "the request has more than one credential",
        "Send one credential. Often a proxy adds a second one: remove it there.",
    ),
    ErrorCode.HEADER_MALFORMED: ErrorDetails(
        401,
        "the header with the token is malformed",
        "Send the header 'Authorization: Bearer <access token>', without quotes, once.",
    ),
    ErrorCode.TOKEN_TOO_LONG: ErrorDetails(
        401,
        "the token is too long",
        "Let the provider put fewer claims into the token, often groups, or raise limits.token_bytes.",
    ),
    ErrorCode.TOKEN_MALFORMED: ErrorDetails(
        401,
        "the token is not a signed JWT",
        "Request a JWT access token for this API from the provider. Opaque and encrypted tokens need the issuer's "
        "introspection.",
    ),
    ErrorCode.TOKEN_BASE64_INVALID: ErrorDetails(
        401, "the token is not valid base64url", "Send the token exactly as the provider issued it."
    ),
    ErrorCode.TOKEN_JSON_INVALID: ErrorDetails(
        401, "the token does not contain strict JSON", "Send the token exactly as the provider issued it."
    ),
    ErrorCode.ALG_NOT_ALLOWED: ErrorDetails(
        401,
        "the token's algorithm is not allowed",
        "Let the provider sign with an asymmetric algorithm, such as RS256 or ES256. Check the issuer's algorithms.",
    ),
    ErrorCode.CRIT_NOT_SUPPORTED: ErrorDetails(
        401,
        "the token needs an extension that is not supported",
        "Let the provider issue tokens without crit, b64 and zip in the header (RFC 7515 §4.1.11, RFC 7797).",
    ),
    ErrorCode.KID_INVALID: ErrorDetails(
        401, "the token's key id is malformed", "Send the token exactly as the provider issued it."
    ),
    ErrorCode.TYP_NOT_ALLOWED: ErrorDetails(
        401,
        "the token's typ is not allowed",
        "Send the access token, not the ID, logout or DPoP token. The issuer's accepted_typ lists the allowed types.",
    ),
    ErrorCode.ISSUER_NOT_TRUSTED: ErrorDetails(
        401,
        "the token's issuer is not trusted",
        "iss is compared exactly: a slash, http for https or another host name is another issuer. Set issuer as the "
        "token has it, and jwks_uri to another address of its keys. Add another name of the same provider, such as a "
        "custom domain, to aliases.",
    ),
    ErrorCode.KEY_NOT_FOUND: ErrorDetails(
        401,
        "the token's key is not one of the issuer's keys",
        "Check that the token is from the configured environment or realm. After a key rotation, try again: the keys "
        "are fetched again within limits.unknown_kid_window.",
    ),
    ErrorCode.KEY_ALG_MISMATCH: ErrorDetails(
        401,
        "the token's key does not fit its algorithm",
        "Let the provider sign with an algorithm that its published key allows (kty, crv, alg and use of the key).",
    ),
    ErrorCode.KEY_AMBIGUOUS: ErrorDetails(
        401,
        "the token does not name the key that signed it",
        "Several keys fit. Let the provider put a kid into the header.",
    ),
    ErrorCode.TOKEN_USE_NOT_ALLOWED: ErrorDetails(
        401, "this kind of token is not allowed", "Send the access token, not the ID, refresh, offline or logout token."
    ),
    ErrorCode.AUDIENCE_MISMATCH: ErrorDetails(
        401,
        "the token is for another audience",
        "Let the client request a token for this API's audience, or check the issuer's audience.",
    ),
    ErrorCode.AZP_NOT_ALLOWED: ErrorDetails(
        401,
        "the ID token was issued to another client",
        "Sign in with a client of the issuer's audience, or list the client of azp in allowed_clients.",
    ),
    ErrorCode.CLIENT_NOT_ALLOWED: ErrorDetails(
        401,
        "the token's client is not allowed",
        "If the client may call this API, add it to the issuer's allowed_clients, or to client_claim.values.",
    ),
    ErrorCode.TOKEN_EXPIRED: ErrorDetails(
        401, "the token has expired", "Request a new token. Check the clock of this host."
    ),
    ErrorCode.TOKEN_NOT_YET_VALID: ErrorDetails(
        401, "the token is not valid yet", "Check the clocks of both hosts, or raise leeway (seconds, at most 60)."
    ),
    ErrorCode.TOKEN_ISSUED_IN_FUTURE: ErrorDetails(
        401,
        "the token was issued in the future",
        "Check the clocks of both hosts, or raise leeway (seconds, at most 60).",
    ),
    ErrorCode.TOKEN_TOO_OLD: ErrorDetails(
        401, "the token is too old", "Request a new token, or raise max_token_age (seconds)."
    ),
    ErrorCode.CLAIM_MISSING: ErrorDetails(
        401,
        "the token has no value for a required claim",
        "Let the provider add the claim, or remove it from the issuer's require table.",
    ),
    ErrorCode.BOUND_TOKEN_NOT_SUPPORTED: ErrorDetails(
        401,
        "the token is bound to a key, which is not supported",
        "Let the client request a token without DPoP and mutual TLS (claim cnf).",
    ),
    ErrorCode.REQUIREMENT_NOT_MET: ErrorDetails(
        401,
        "the token does not meet a requirement of this server",
        "Check the issuer's require, and what its preset requires (docs/providers.md). With client_claim, a token "
        "needs a scope with the strip_prefix of the permission maps on scope.",
    ),
    ErrorCode.IDENTITY_INVALID: ErrorDetails(
        401,
        "the token has no usable identity claim",
        "Let the provider add the claim as a non-empty string, or set identity to another claim.",
    ),
    ErrorCode.TENANT_INVALID: ErrorDetails(
        401,
        "the token's tenant cannot be used",
        "Let the provider send the tenant claim as a string, a whole number or a boolean. With object_keys = true, it "
        "can also be an object of one key.",
    ),
    ErrorCode.SIGNATURE_INVALID: ErrorDetails(
        401,
        "the token's signature is not valid",
        "Send the token exactly as the provider issued it. Check that no other provider uses the same kid.",
    ),
    ErrorCode.TOKEN_INACTIVE: ErrorDetails(
        401,
        "the token is not active",
        "Request a new token. The provider says that this one is expired, revoked or unknown, or that "
        "introspection.client_id may not introspect it.",
    ),
    ErrorCode.SUBJECT_MISMATCH: ErrorDetails(
        401,
        "the provider's answer is about another subject",
        "Check that the provider returns sub for this client, with the same value as in the token.",
    ),
    ErrorCode.TOKEN_INVALID: ErrorDetails(
        401,
        "the token is not valid",
        "See the server's log: it has the precise code. Clients get that code only with a valid signature.",
    ),
    ErrorCode.TOKEN_LIFETIME_TOO_LONG: ErrorDetails(
        401,
        "the token is valid for longer than this server allows",
        "Shorten the lifetime of access tokens at the provider, or raise revocation.max_token_lifetime (seconds). A "
        "revocation is kept for that time.",
    ),
    ErrorCode.TOKEN_REVOKED: ErrorDetails(
        401,
        "the token, its session or its user was revoked",
        "Log in again. See the log of the provider for the reason.",
    ),
    ErrorCode.ORIGIN_NOT_ALLOWED: ErrorDetails(
        403,
        "pages of this origin may not use this server",
        "Add the page's origin to the issuer's allowed_origins, for example allowed_origins = "
        '["https://app.acme.com"]. For WebSockets, and for old browsers, add the server\'s own origin too.',
    ),
    **DENIAL_DETAILS,
    ErrorCode.NOTICE_MALFORMED: ErrorDetails(
        400,
        "the request contains no logout token or security event token",
        "Let the provider send a form with one logout_token (Back-Channel Logout §2.5), or a body of the type "
        "application/secevent+jwt (RFC 8935 §2.1). Anyone can send such a request.",
    ),
    ErrorCode.NOTICE_INVALID: ErrorDetails(
        400,
        "the token is not a valid logout token or security event token",
        "The signature is valid, so compare what the provider sends with Back-Channel Logout §2.4 or RFC 8417 §2.2. "
        "The revoke command revokes by hand.",
    ),
    ErrorCode.NOTICE_REPLAYED: ErrorDetails(
        400,
        "the logout token was received before",
        "Nothing to do: it counted the first time. If it repeats, look for what sends it again.",
    ),
    ErrorCode.REVOCATIONS_UNAVAILABLE: ErrorDetails(
        503,
        "the revocations are not available",
        "Check that this host can reach the store of [revocation]. During an outage, on_outage decides.",
    ),
    ErrorCode.KEYS_UNAVAILABLE: ErrorDetails(
        503,
        "the provider's keys are not available at the moment",
        "Check that this host can reach the issuer's metadata and keys. 'oidc-auth doctor' tests it.",
    ),
    ErrorCode.INTROSPECTION_UNAVAILABLE: ErrorDetails(
        503,
        "the provider cannot check the token at the moment",
        "Check that this host can reach the introspection endpoint. 'oidc-auth doctor' tests it.",
    ),
    ErrorCode.CONFIG_INVALID: ErrorDetails(500, "the configuration is not valid", "Correct the listed problems."),
    ErrorCode.SERVER_VERSION_NOT_SUPPORTED: ErrorDetails(
        500, "this version of langgraph-api is not supported", "Install a newer langgraph-api."
    ),
    ErrorCode.SERVER_NOT_COMPATIBLE: ErrorDetails(
        500,
        "this langgraph-api could confuse the users of one connection",
        "Update langgraph-oidc-auth, or install a tested langgraph-api (docs/operate/servers.md lists them).",
    ),
}
