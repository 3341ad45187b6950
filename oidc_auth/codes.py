"""The codes: every refusal by its stable name, with the status, the sentence a client may hear, and the first cure.

A table and nothing else; the errors that carry a code are in ``errors``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Code(StrEnum):
    """The one list of refusals. A code never changes its meaning; tests and dashboards may rely on it."""

    TOKEN_MISSING = "token_missing"
    HEADER_REPEATED = "header_repeated"
    HEADER_MALFORMED = "header_malformed"
    TOKEN_TOO_LONG = "token_too_long"
    SEGMENTS_WRONG = "segments_wrong"
    BASE64URL_INVALID = "base64url_invalid"
    JSON_INVALID = "json_invalid"
    ALGORITHM_REFUSED = "algorithm_refused"
    CRITICAL_HEADER_REFUSED = "critical_header_refused"
    KEY_ID_INVALID = "key_id_invalid"
    TYPE_REFUSED = "type_refused"
    ISSUER_UNKNOWN = "issuer_unknown"
    KEY_UNKNOWN = "key_unknown"
    KEY_UNFIT = "key_unfit"
    KEY_AMBIGUOUS = "key_ambiguous"
    TOKEN_KIND_REFUSED = "token_kind_refused"
    AUDIENCE_MISMATCH = "audience_mismatch"
    AZP_NOT_ALLOWED = "azp_not_allowed"
    CLIENT_REFUSED = "client_refused"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_IN_FUTURE = "issued_in_future"
    TOO_OLD = "too_old"
    CLAIM_MISSING = "claim_missing"
    PARTY_REFUSED = "party_refused"
    TOKEN_BOUND = "token_bound"
    REQUIREMENT_UNMET = "requirement_unmet"
    IDENTITY_INVALID = "identity_invalid"
    TENANT_INVALID = "tenant_invalid"
    SIGNATURE_INVALID = "signature_invalid"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"

    NO_PERMISSION_MAPS = "no_permission_maps"
    PERMISSION_MISSING = "permission_missing"
    RESERVED_METADATA = "reserved_metadata"
    COPY_REFUSED = "copy_refused"
    GRAPH_REFUSED = "graph_refused"
    WEBHOOK_REFUSED = "webhook_refused"
    DELAY_NOT_ALLOWED = "delay_not_allowed"
    CRONS_DISABLED = "crons_disabled"
    CRON_EXPIRED = "cron_expired"
    SCHEDULER_REFUSED = "scheduler_refused"
    STUDIO_REFUSED = "studio_refused"
    USER_UNKNOWN = "user_unknown"
    EVENT_UNKNOWN = "event_unknown"
    HANDLER_REFUSED = "handler_refused"
    HANDLER_FAILED = "handler_failed"

    KEYS_UNAVAILABLE = "keys_unavailable"

    CONFIG_INVALID = "config_invalid"
    SERVER_VERSION_NOT_SUPPORTED = "server_version_not_supported"
    SERVER_NOT_COMPATIBLE = "server_not_compatible"


class Meaning(NamedTuple):
    """What one code means: the status, the sentence a client may hear, and the operator's first cure."""

    status: int
    says: str
    cure: str


MEANINGS: Mapping[Code, Meaning] = {
    Code.TOKEN_MISSING: Meaning(401, "no token was sent", "Send 'Authorization: Bearer <access token>'."),
    Code.HEADER_REPEATED: Meaning(
        401, "more than one credential was sent", "Send one Authorization field; look for a proxy that adds its own."
    ),
    Code.HEADER_MALFORMED: Meaning(
        401, "the Authorization header is malformed", "The form is 'Authorization: Bearer <access token>', once."
    ),
    Code.TOKEN_TOO_LONG: Meaning(
        401, "the token is too long", "Put fewer claims into it (groups?), or raise limits.token_bytes."
    ),
    Code.SEGMENTS_WRONG: Meaning(
        401,
        "the token is not a signed JWT",
        "Three dot-separated parts are expected. Opaque or encrypted? Ask the provider for a JWT access token for this "
        "API.",
    ),
    Code.BASE64URL_INVALID: Meaning(401, "the token is not base64url", "Send the token as the provider issued it."),
    Code.JSON_INVALID: Meaning(401, "the token holds no strict JSON", "Send the token as the provider issued it."),
    Code.ALGORITHM_REFUSED: Meaning(
        401,
        "the token's algorithm is not allowed",
        "Let the provider sign with an asymmetric key, such as RS256 or ES256.",
    ),
    Code.CRITICAL_HEADER_REFUSED: Meaning(
        401,
        "the token needs an extension that is not supported",
        "crit and b64 (RFC 7515 §4.1.11, RFC 7797) are refused.",
    ),
    Code.KEY_ID_INVALID: Meaning(
        401, "the token's key id is malformed", "kid must be a string of at most 256 characters."
    ),
    Code.TYPE_REFUSED: Meaning(
        401,
        "the token's typ is not that of an access token",
        "Send the access token, not the ID, logout or DPoP token.",
    ),
    Code.ISSUER_UNKNOWN: Meaning(
        401,
        "the token's issuer is not configured",
        "iss is compared exactly: a slash, http for https or another host name make it another issuer. Configure the "
        "issuer as the provider spells it, and jwks_url for another address of its keys. Add another name of the same "
        "provider, such as a custom domain, to aliases.",
    ),
    Code.KEY_UNKNOWN: Meaning(
        401,
        "the token's key is not among the issuer's keys",
        "Another environment or realm, or a rotation in progress; the key set is asked again at the first chance.",
    ),
    Code.KEY_UNFIT: Meaning(
        401, "the token's key does not fit its algorithm", "alg in the header must fit the key's kty, crv, alg and use."
    ),
    Code.KEY_AMBIGUOUS: Meaning(
        401,
        "the token does not say which key signed it",
        "Several keys fit: let the provider put a kid into the header.",
    ),
    Code.TOKEN_KIND_REFUSED: Meaning(
        401, "this is not an access token", "Send the access token, not the ID, refresh, offline or logout token."
    ),
    Code.AUDIENCE_MISMATCH: Meaning(
        401,
        "the token is for another audience",
        "Let the client request a token for this API's audience.",
    ),
    Code.AZP_NOT_ALLOWED: Meaning(
        401,
        "the ID token was issued to another client",
        "Sign in with a client of the issuer's audience, or list the client of azp in authorized_parties.",
    ),
    Code.CLIENT_REFUSED: Meaning(
        401,
        "the token's client is not allowed",
        "List the client in client_claim.values, if it is meant to call this API.",
    ),
    Code.EXPIRED: Meaning(401, "the token has expired", "Get a fresh token; check this host's clock."),
    Code.NOT_YET_VALID: Meaning(
        401, "the token is not valid yet", "Check both clocks, or raise leeway (seconds, at most 60)."
    ),
    Code.ISSUED_IN_FUTURE: Meaning(
        401, "the token was issued in the future", "Check both clocks, or raise leeway (seconds, at most 60)."
    ),
    Code.TOO_OLD: Meaning(401, "the token is too old", "Get a fresh token, or raise max_age (seconds)."),
    Code.CLAIM_MISSING: Meaning(
        401, "the token lacks a required claim", "Let the provider add it, or drop it from required_claims."
    ),
    Code.PARTY_REFUSED: Meaning(
        401, "the token was issued to a client that is not allowed", "List the client in authorized_parties."
    ),
    Code.TOKEN_BOUND: Meaning(
        401,
        "the token is bound to a key that this server does not check",
        "A token with cnf (DPoP, mutual TLS) is no bearer token: let the client ask for an unbound one.",
    ),
    Code.REQUIREMENT_UNMET: Meaning(
        401,
        "the token does not meet this server's requirements",
        "See the issuer's require table, and what its preset requires (docs/providers.md). Beside client_claim, a "
        "token needs a scope with the strip_prefix of the grants on scope.",
    ),
    Code.IDENTITY_INVALID: Meaning(
        401,
        "the token names nobody",
        "The identity claim must be a non-empty string. Let the provider add it, or name another claim in identity.",
    ),
    Code.TENANT_INVALID: Meaning(
        401,
        "the token's tenant cannot be used",
        "The tenant claim must be a string (keys = true: an object of one key); of another type it would be none.",
    ),
    Code.SIGNATURE_INVALID: Meaning(
        401,
        "the token's signature is wrong",
        "The token was changed on its way, or another key with the same kid signed it.",
    ),
    Code.ORIGIN_NOT_ALLOWED: Meaning(
        403,
        "pages of this origin may not use this server",
        "Add the page's origin to the issuer's allowed_origins, for example allowed_origins = "
        '["https://app.acme.com"]. For WebSockets, and for old browsers, add the server\'s own origin too.',
    ),
    Code.NO_PERMISSION_MAPS: Meaning(
        403,
        "authenticated, but no permission maps from this token",
        "Give the user a role, scope or permission that the issuer's grants name.",
    ),
    Code.PERMISSION_MISSING: Meaning(
        403, "missing permission", "Grant it by a role, scope or permission of the token."
    ),
    Code.RESERVED_METADATA: Meaning(
        403,
        "reserved metadata cannot be set by a client",
        "owner, tenant, authorized_until, oidc_auth_temporary and created_by=system belong to the server.",
    ),
    Code.COPY_REFUSED: Meaning(
        403,
        "copying needs read access to one's own threads only",
        "A copy belongs to the owner of its source: whoever reads more than their own may not plant copies.",
    ),
    Code.GRAPH_REFUSED: Meaning(
        403,
        "this graph is not among those the caller may run",
        "Add the graph, or the assistant's id, to the role's graphs.",
    ),
    Code.WEBHOOK_REFUSED: Meaning(
        403, "this webhook is not allowed", "See langgraph.webhooks: https (default), any or deny."
    ),
    Code.DELAY_NOT_ALLOWED: Meaning(
        403,
        "after_seconds is not allowed",
        "Start the run sooner, or raise langgraph.max_delay (seconds; 0 forbids delayed runs).",
    ),
    Code.CRONS_DISABLED: Meaning(
        403, "crons are disabled on this server", "See langgraph.crons: allow (default) or deny."
    ),
    Code.CRON_EXPIRED: Meaning(
        403,
        "the cron's authorization has ended",
        "Its owner renews it by an update of its input or metadata; langgraph.cron_max_age says how long it lasts.",
    ),
    Code.SCHEDULER_REFUSED: Meaning(
        403,
        "the scheduler may only run what its owner scheduled",
        "A run that a cron started holds no permissions of its own.",
    ),
    Code.STUDIO_REFUSED: Meaning(
        403,
        "Studio has no access to this server",
        "Set disable_studio_auth in langgraph.json, or langgraph.studio = 'own'.",
    ),
    Code.USER_UNKNOWN: Meaning(
        403, "this request was not authenticated by oidc_auth", "Use protect() for both halves, on a LangGraph server."
    ),
    Code.EVENT_UNKNOWN: Meaning(
        403, "this action is not known and so not allowed", "A newer server? Update oidc_auth."
    ),
    Code.HANDLER_REFUSED: Meaning(403, "refused by this server's own rule", "The function given in also= said no."),
    Code.HANDLER_FAILED: Meaning(
        403, "the authorization rule failed, so the answer is no", "See the traceback in the server's log."
    ),
    Code.KEYS_UNAVAILABLE: Meaning(
        503,
        "the identity provider's keys are not available just now",
        "Check that this host reaches the issuer's discovery document and key set.",
    ),
    Code.CONFIG_INVALID: Meaning(500, "the configuration is not valid", "See the list of problems."),
    Code.SERVER_VERSION_NOT_SUPPORTED: Meaning(
        500, "this version of langgraph-api is not supported", "Install a newer langgraph-api."
    ),
    Code.SERVER_NOT_COMPATIBLE: Meaning(
        500,
        "this langgraph-api could mix the users of one connection",
        "Update langgraph-oidc-auth, or install a tested langgraph-api (docs/enforcement.md lists them).",
    ),
}
