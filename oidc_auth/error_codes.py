"""The codes: every refusal by its stable name, with the status, the sentence a client may hear, and the first hint.

A table and nothing else; the errors that carry a code are in ``errors``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class ErrorCode(StrEnum):
    """The one list of refusals. A code never changes its meaning; tests and dashboards may rely on it."""

    TOKEN_MISSING = "token_missing"
    HEADER_REPEATED = "header_repeated"
    HEADER_MALFORMED = "header_malformed"
    TOKEN_TOO_LONG = "token_too_long"
    TOKEN_MALFORMED = "token_malformed"
    TOKEN_BASE64_INVALID = "token_base64_invalid"
    TOKEN_JSON_INVALID = "token_json_invalid"
    ALG_NOT_ALLOWED = "alg_not_allowed"
    CRIT_NOT_SUPPORTED = "crit_not_supported"
    KID_INVALID = "kid_invalid"
    TYP_NOT_ALLOWED = "typ_not_allowed"
    ISSUER_NOT_TRUSTED = "issuer_not_trusted"
    KEY_NOT_FOUND = "key_not_found"
    KEY_ALG_MISMATCH = "key_alg_mismatch"
    KEY_AMBIGUOUS = "key_ambiguous"
    TOKEN_USE_NOT_ALLOWED = "token_use_not_allowed"
    AUDIENCE_MISMATCH = "audience_mismatch"
    AZP_NOT_ALLOWED = "azp_not_allowed"
    CLIENT_NOT_ALLOWED = "client_not_allowed"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"
    TOKEN_ISSUED_IN_FUTURE = "token_issued_in_future"
    TOKEN_TOO_OLD = "token_too_old"
    CLAIM_MISSING = "claim_missing"
    PARTY_NOT_ALLOWED = "party_not_allowed"
    BOUND_TOKEN_NOT_SUPPORTED = "bound_token_not_supported"
    REQUIREMENT_NOT_MET = "requirement_not_met"
    IDENTITY_INVALID = "identity_invalid"
    TENANT_INVALID = "tenant_invalid"
    SIGNATURE_INVALID = "signature_invalid"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"

    NO_PERMISSIONS = "no_permissions"
    PERMISSION_MISSING = "permission_missing"
    RESERVED_METADATA = "reserved_metadata"
    COPY_NOT_ALLOWED = "copy_not_allowed"
    GRAPH_NOT_ALLOWED = "graph_not_allowed"
    WEBHOOK_NOT_ALLOWED = "webhook_not_allowed"
    DELAY_NOT_ALLOWED = "delay_not_allowed"
    CRONS_DISABLED = "crons_disabled"
    CRON_EXPIRED = "cron_expired"
    SCHEDULER_NOT_ALLOWED = "scheduler_not_allowed"
    STUDIO_NOT_ALLOWED = "studio_not_allowed"
    USER_UNKNOWN = "user_unknown"
    EVENT_UNKNOWN = "event_unknown"
    CUSTOM_RULE_DENIED = "custom_rule_denied"
    CUSTOM_RULE_FAILED = "custom_rule_failed"

    KEYS_UNAVAILABLE = "keys_unavailable"

    CONFIG_INVALID = "config_invalid"
    SERVER_VERSION_NOT_SUPPORTED = "server_version_not_supported"
    SERVER_NOT_COMPATIBLE = "server_not_compatible"


class ErrorDetails(NamedTuple):
    """What one code means: the status, the sentence a client may hear, and the operator's first hint."""

    status: int
    client_message: str
    hint: str


ERROR_DETAILS: Mapping[ErrorCode, ErrorDetails] = {
    ErrorCode.TOKEN_MISSING: ErrorDetails(401, "no token was sent", "Send 'Authorization: Bearer <access token>'."),
    ErrorCode.HEADER_REPEATED: ErrorDetails(
        401, "more than one credential was sent", "Send one Authorization field; look for a proxy that adds its own."
    ),
    ErrorCode.HEADER_MALFORMED: ErrorDetails(
        401, "the Authorization header is malformed", "The form is 'Authorization: Bearer <access token>', once."
    ),
    ErrorCode.TOKEN_TOO_LONG: ErrorDetails(
        401, "the token is too long", "Put fewer claims into it (groups?), or raise limits.token_bytes."
    ),
    ErrorCode.TOKEN_MALFORMED: ErrorDetails(
        401,
        "the token is not a signed JWT",
        "Three dot-separated parts are expected. Opaque or encrypted? Ask the provider for a JWT access token for this "
        "API.",
    ),
    ErrorCode.TOKEN_BASE64_INVALID: ErrorDetails(
        401, "the token is not base64url", "Send the token as the provider issued it."
    ),
    ErrorCode.TOKEN_JSON_INVALID: ErrorDetails(
        401, "the token holds no strict JSON", "Send the token as the provider issued it."
    ),
    ErrorCode.ALG_NOT_ALLOWED: ErrorDetails(
        401,
        "the token's algorithm is not allowed",
        "Let the provider sign with an asymmetric key, such as RS256 or ES256.",
    ),
    ErrorCode.CRIT_NOT_SUPPORTED: ErrorDetails(
        401,
        "the token needs an extension that is not supported",
        "crit and b64 (RFC 7515 §4.1.11, RFC 7797) are refused.",
    ),
    ErrorCode.KID_INVALID: ErrorDetails(
        401, "the token's key id is malformed", "kid must be a string of at most 256 characters."
    ),
    ErrorCode.TYP_NOT_ALLOWED: ErrorDetails(
        401,
        "the token's typ is not that of an access token",
        "Send the access token, not the ID, logout or DPoP token.",
    ),
    ErrorCode.ISSUER_NOT_TRUSTED: ErrorDetails(
        401,
        "the token's issuer is not configured",
        "iss is compared exactly: a slash, http for https or another host name make it another issuer. Configure the "
        "issuer as the provider spells it, and jwks_uri for another address of its keys. Add another name of the same "
        "provider, such as a custom domain, to aliases.",
    ),
    ErrorCode.KEY_NOT_FOUND: ErrorDetails(
        401,
        "the token's key is not among the issuer's keys",
        "Another environment or realm, or a rotation in progress; the key set is asked again at the first chance.",
    ),
    ErrorCode.KEY_ALG_MISMATCH: ErrorDetails(
        401, "the token's key does not fit its algorithm", "alg in the header must fit the key's kty, crv, alg and use."
    ),
    ErrorCode.KEY_AMBIGUOUS: ErrorDetails(
        401,
        "the token does not say which key signed it",
        "Several keys fit: let the provider put a kid into the header.",
    ),
    ErrorCode.TOKEN_USE_NOT_ALLOWED: ErrorDetails(
        401, "this is not an access token", "Send the access token, not the ID, refresh, offline or logout token."
    ),
    ErrorCode.AUDIENCE_MISMATCH: ErrorDetails(
        401,
        "the token is for another audience",
        "Let the client request a token for this API's audience.",
    ),
    ErrorCode.AZP_NOT_ALLOWED: ErrorDetails(
        401,
        "the ID token was issued to another client",
        "Sign in with a client of the issuer's audience, or list the client of azp in authorized_parties.",
    ),
    ErrorCode.CLIENT_NOT_ALLOWED: ErrorDetails(
        401,
        "the token's client is not allowed",
        "List the client in client_claim.values, if it is meant to call this API.",
    ),
    ErrorCode.TOKEN_EXPIRED: ErrorDetails(401, "the token has expired", "Get a fresh token; check this host's clock."),
    ErrorCode.TOKEN_NOT_YET_VALID: ErrorDetails(
        401, "the token is not valid yet", "Check both clocks, or raise leeway (seconds, at most 60)."
    ),
    ErrorCode.TOKEN_ISSUED_IN_FUTURE: ErrorDetails(
        401, "the token was issued in the future", "Check both clocks, or raise leeway (seconds, at most 60)."
    ),
    ErrorCode.TOKEN_TOO_OLD: ErrorDetails(
        401, "the token is too old", "Get a fresh token, or raise max_token_age (seconds)."
    ),
    ErrorCode.CLAIM_MISSING: ErrorDetails(
        401, "the token lacks a required claim", "Let the provider add it, or drop it from required_claims."
    ),
    ErrorCode.PARTY_NOT_ALLOWED: ErrorDetails(
        401, "the token was issued to a client that is not allowed", "List the client in authorized_parties."
    ),
    ErrorCode.BOUND_TOKEN_NOT_SUPPORTED: ErrorDetails(
        401,
        "the token is bound to a key that this server does not check",
        "A token with cnf (DPoP, mutual TLS) is no bearer token: let the client ask for an unbound one.",
    ),
    ErrorCode.REQUIREMENT_NOT_MET: ErrorDetails(
        401,
        "the token does not meet this server's requirements",
        "See the issuer's require table, and what its preset requires (docs/providers.md). Beside client_claim, a "
        "token needs a scope with the strip_prefix of the permission maps on scope.",
    ),
    ErrorCode.IDENTITY_INVALID: ErrorDetails(
        401,
        "the token names nobody",
        "The identity claim must be a non-empty string. Let the provider add it, or name another claim in identity.",
    ),
    ErrorCode.TENANT_INVALID: ErrorDetails(
        401,
        "the token's tenant cannot be used",
        "The tenant claim must be a string, or with object_keys = true an object of one key.",
    ),
    ErrorCode.SIGNATURE_INVALID: ErrorDetails(
        401,
        "the token's signature is wrong",
        "The token was changed on its way, or another key with the same kid signed it.",
    ),
    ErrorCode.ORIGIN_NOT_ALLOWED: ErrorDetails(
        403,
        "pages of this origin may not use this server",
        "Add the page's origin to the issuer's allowed_origins, for example allowed_origins = "
        '["https://app.acme.com"]. For WebSockets, and for old browsers, add the server\'s own origin too.',
    ),
    ErrorCode.NO_PERMISSIONS: ErrorDetails(
        403,
        "authenticated, but no permission maps from this token",
        "Give the user a role, scope or permission that the issuer's permission maps name.",
    ),
    ErrorCode.PERMISSION_MISSING: ErrorDetails(
        403, "missing permission", "Grant it by a role, scope or permission of the token."
    ),
    ErrorCode.RESERVED_METADATA: ErrorDetails(
        403,
        "reserved metadata cannot be set by a client",
        "owner, tenant, authorized_until, oidc_auth_temporary and created_by=system belong to the server.",
    ),
    ErrorCode.COPY_NOT_ALLOWED: ErrorDetails(
        403,
        "copying needs read access to one's own threads only",
        "A copy belongs to the owner of its source: whoever reads more than their own may not plant copies.",
    ),
    ErrorCode.GRAPH_NOT_ALLOWED: ErrorDetails(
        403,
        "this graph is not among those the caller may run",
        "Add the graph, or the assistant's id, to the role's graphs.",
    ),
    ErrorCode.WEBHOOK_NOT_ALLOWED: ErrorDetails(
        403, "this webhook is not allowed", "See langgraph.webhooks: https (default), any or deny."
    ),
    ErrorCode.DELAY_NOT_ALLOWED: ErrorDetails(
        403,
        "after_seconds is not allowed",
        "Start the run sooner, or raise langgraph.max_delay (seconds; 0 forbids delayed runs).",
    ),
    ErrorCode.CRONS_DISABLED: ErrorDetails(
        403, "crons are disabled on this server", "See langgraph.crons: allow (default) or deny."
    ),
    ErrorCode.CRON_EXPIRED: ErrorDetails(
        403,
        "the cron's authorization has ended",
        "Its owner renews it by an update of its input or metadata; langgraph.cron_max_age says how long it lasts.",
    ),
    ErrorCode.SCHEDULER_NOT_ALLOWED: ErrorDetails(
        403,
        "the scheduler may only run what its owner scheduled",
        "A run that a cron started holds no permissions of its own.",
    ),
    ErrorCode.STUDIO_NOT_ALLOWED: ErrorDetails(
        403,
        "Studio has no access to this server",
        "Set disable_studio_auth in langgraph.json, or langgraph.studio = 'own'.",
    ),
    ErrorCode.USER_UNKNOWN: ErrorDetails(
        403, "this request was not authenticated by oidc_auth", "Use protect() for both halves, on a LangGraph server."
    ),
    ErrorCode.EVENT_UNKNOWN: ErrorDetails(
        403, "this action is not known and so not allowed", "A newer server? Update oidc_auth."
    ),
    ErrorCode.CUSTOM_RULE_DENIED: ErrorDetails(
        403, "refused by this server's own rule", "The function given in also= said no."
    ),
    ErrorCode.CUSTOM_RULE_FAILED: ErrorDetails(
        403, "the authorization rule failed, so the answer is no", "See the traceback in the server's log."
    ),
    ErrorCode.KEYS_UNAVAILABLE: ErrorDetails(
        503,
        "the identity provider's keys are not available just now",
        "Check that this host reaches the issuer's discovery document and key set.",
    ),
    ErrorCode.CONFIG_INVALID: ErrorDetails(500, "the configuration is not valid", "See the list of problems."),
    ErrorCode.SERVER_VERSION_NOT_SUPPORTED: ErrorDetails(
        500, "this version of langgraph-api is not supported", "Install a newer langgraph-api."
    ),
    ErrorCode.SERVER_NOT_COMPATIBLE: ErrorDetails(
        500,
        "this langgraph-api could mix the users of one connection",
        "Update langgraph-oidc-auth, or install a tested langgraph-api (docs/enforcement.md lists them).",
    ),
}
