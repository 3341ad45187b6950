"""What each key of a configuration says, in one line: shown by editors, through the JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "Document": {
        "issuer": "The OpenID providers whose tokens are accepted; each has keys, audience and algorithms of its own.",
        "roles": "Names for several rights: a list, or { allow, graphs }.",
        "langgraph": "The server's own settings.",
        "limits": "Every bound, with its unit.",
    },
    "IssuerTable": {
        "name": "A word for messages.",
        "preset": "What the provider fixes.",
        "issuer": "Compared exactly with iss: as the provider's discovery document spells it.",
        "aliases": "Other exact spellings by which the same provider names itself.",
        "tenants": "The GUIDs of the trusted tenants. Each replaces {tenantid} in issuer and aliases.",
        "audience": "This API's name, or several; one of them must be in aud. Mandatory.",
        "insecure_skip_audience": "Accept tokens that were issued for any API. Warns.",
        "jwks_uri": "Where the keys lie, if not where discovery says.",
        "jwks": "The key set itself; nothing is fetched.",
        "ca_file": "PEM file with authorities to trust beside the usual ones.",
        "client_certificate": "PEM file to show to a provider that asks for it.",
        "client_key": "PEM file with the certificate's key.",
        "bearer_file": "File with a token for a key set behind authentication.",
        "algorithms": "Which alg are accepted; asymmetric ones only.",
        "leeway": "Seconds by which clocks may differ, at most 60.",
        "max_token_age": "The longest time since iat, in seconds.",
        "required_claims": "Claims that must be there.",
        "authorized_parties": "Which clients (azp, or client_id) may call.",
        "token_type": "access; or id, for providers that only have ID tokens.",
        "accepted_typ": (
            'The allowed values of the header typ. "" means a header without typ. Logout, DPoP and security event '
            "tokens are never accepted, and ID tokens not with at+jwt."
        ),
        "strict_rfc9068": 'Short for accepted_typ = ["at+jwt"] (RFC 9068 §4).',
        "header": "The request header with the token: another one than Authorization carries it bare.",
        "allowed_origins": "Web origins whose pages may use a token that a proxy adds; only the server's own if empty.",
        "identity": "The claim that names the caller; or a list of { claim, prefix }, the first present counts.",
        "identity_prefix": "Stands before every identity. Mandatory with two issuers.",
        "tenant": "The claim that names the tenant; { claim, object_keys = true } for an object of one key.",
        "display_name": "A claim with a name for people.",
        "claims": "Claims that handlers and graphs may see, under user.claims.",
        "client_claim": "For providers without aud: { claim, values }, beside require or a scope prefix to be there.",
        "require": "Claims and the values one of which each must hold; all of them must.",
        "permission_map": "What gives rights; permission maps only add.",
    },
    "PermissionMapTable": {
        "claim": "Where to look: a dotted path, quoted where a name holds a dot; a URL is one name.",
        "accept": "Permission names that are taken from the claim as they are; patterns cover own objects only.",
        "values": "Claim value to roles or permissions; a value may end in one *.",
        "object_keys": "The claim is an object whose keys are the values.",
        "split": "What separates values in one string; scope and scp are split on spaces.",
        "strip_prefix": "What a value must start with; taken off.",
        "when": "Conditions on other claims; all must hold.",
    },
    "RoleTable": {
        "permissions": "Permissions, groups, patterns or other roles; @tenant and @all widen the reach.",
        "graphs": "The graphs, or ids of assistants, it may start.",
    },
    "LangGraphTable": {
        "studio": "What LangGraph Studio may do, where the server lets it in.",
        "crons": "Whether anybody may schedule runs.",
        "cron_max_age": "Seconds a cron runs without its owner renewing it.",
        "max_delay": "The longest after_seconds of a run, in seconds; 0 forbids delayed runs.",
        "webhooks": "Where a run may report to; never a relative address.",
    },
    "LimitsTable": {
        "token_bytes": "The longest token, in bytes.",
        "json_depth": "The deepest nesting in a token.",
        "key_set_bytes": "The largest discovery document or key set, in bytes.",
        "fetch_timeout": "Seconds for fetching both.",
        "jwks_refresh_after": "Seconds: older keys are refreshed behind.",
        "jwks_max_age": "Seconds: older keys are refreshed first.",
        "jwks_max_stale": "Seconds: older keys are never used, not even in an outage.",
        "retry_after_failure": "Seconds between attempts while the provider is away.",
        "unknown_kid_fetches": "Fetches that unknown key ids may cause at once, and on average in one window.",
        "unknown_kid_window": "The length of that window, in seconds.",
        "token_cache_entries": "How many verified tokens are remembered.",
        "token_cache_seconds": "For so many seconds at most.",
    },
}
