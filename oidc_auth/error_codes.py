"""The error codes, and the form of what is known about each."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class ErrorCode(StrEnum):
    """All error codes. A code never changes its meaning, so that tests and dashboards can rely on it."""

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
    BOUND_TOKEN_NOT_SUPPORTED = "bound_token_not_supported"
    REQUIREMENT_NOT_MET = "requirement_not_met"
    IDENTITY_INVALID = "identity_invalid"
    TENANT_INVALID = "tenant_invalid"
    SIGNATURE_INVALID = "signature_invalid"
    TOKEN_INACTIVE = "token_inactive"
    SUBJECT_MISMATCH = "subject_mismatch"
    TOKEN_INVALID = "token_invalid"
    TOKEN_LIFETIME_TOO_LONG = "token_lifetime_too_long"
    TOKEN_REVOKED = "token_revoked"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"

    NO_PERMISSIONS = "no_permissions"
    PERMISSION_MISSING = "permission_missing"
    RESERVED_METADATA = "reserved_metadata"
    RESERVED_CONFIG = "reserved_config"
    SHARING_LIST_INVALID = "sharing_list_invalid"
    RESUME_NOT_ALLOWED = "resume_not_allowed"
    COPY_NOT_ALLOWED = "copy_not_allowed"
    GRAPH_NOT_ALLOWED = "graph_not_allowed"
    WEBHOOK_NOT_ALLOWED = "webhook_not_allowed"
    DELAY_NOT_ALLOWED = "delay_not_allowed"
    CRONS_DISABLED = "crons_disabled"
    CRON_EXPIRED = "cron_expired"
    CRON_REVOKED = "cron_revoked"
    SCHEDULER_NOT_ALLOWED = "scheduler_not_allowed"
    STUDIO_NOT_ALLOWED = "studio_not_allowed"
    USER_UNKNOWN = "user_unknown"
    EVENT_UNKNOWN = "event_unknown"
    CUSTOM_RULE_DENIED = "custom_rule_denied"
    CUSTOM_RULE_FAILED = "custom_rule_failed"

    NOTICE_MALFORMED = "notice_malformed"
    NOTICE_INVALID = "notice_invalid"
    NOTICE_REPLAYED = "notice_replayed"

    KEYS_UNAVAILABLE = "keys_unavailable"
    INTROSPECTION_UNAVAILABLE = "introspection_unavailable"
    REVOCATIONS_UNAVAILABLE = "revocations_unavailable"

    CONFIG_INVALID = "config_invalid"
    SERVER_VERSION_NOT_SUPPORTED = "server_version_not_supported"
    SERVER_NOT_COMPATIBLE = "server_not_compatible"


class ErrorDetails(NamedTuple):
    """What one code means: the HTTP status, the message for the client, and the hint for the operator."""

    status: int
    client_message: str
    hint: str


CLIENT_CODES: Mapping[ErrorCode, ErrorCode] = {ErrorCode.SIGNATURE_INVALID: ErrorCode.TOKEN_INVALID}
"""Codes that only the log shows, and the codes that clients get instead."""
