"""What each error code of a denied request means. ``error_details`` has the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .error_codes import ErrorCode, ErrorDetails

if TYPE_CHECKING:
    from collections.abc import Mapping

DENIAL_DETAILS: Mapping[ErrorCode, ErrorDetails] = {
    ErrorCode.NO_PERMISSIONS: ErrorDetails(
        403,
        "the token grants no permissions on this server",
        "Give the user a role, scope or permission that is in the issuer's permission maps.",
    ),
    ErrorCode.PERMISSION_MISSING: ErrorDetails(
        403,
        "missing permission",
        "Give the user a role, scope or permission that includes it. 'oidc-auth can' tests the result.",
    ),
    ErrorCode.RESERVED_METADATA: ErrorDetails(
        403,
        "clients cannot set reserved metadata",
        "Remove owner, tenant, authorized_until, authorized_for, authorized_at, oidc_auth_temporary and created_by = "
        "'system' from the metadata.",
    ),
    ErrorCode.RESERVED_CONFIG: ErrorDetails(
        403,
        "clients cannot set reserved keys of the configuration",
        "Remove the keys that begin with langgraph_auth_, user_id and user_display_name, and those that RunnableConfig "
        "does not have.",
    ),
    ErrorCode.SHARING_LIST_INVALID: ErrorDetails(
        403,
        "this list of people is not allowed",
        "shared_with, shared_editors and shared_approvers are lists of at most 100 identities, without your own. With "
        'langgraph.resume = "other", only the owner sets shared_editors and shared_approvers, both in one request and '
        "without a common identity.",
    ),
    ErrorCode.RESUME_NOT_ALLOWED: ErrorDetails(
        403,
        "this request may not move a paused run",
        "Crons and assistants never may, whatever langgraph.resume is besides run. With langgraph.resume = 'other', an "
        "approver sends only {'command': {'resume': {interrupt_id: value}}} with the thread's own assistant.",
    ),
    ErrorCode.RESERVED_CONFIG: ErrorDetails(
        403,
        "clients cannot set reserved keys of the configuration",
        "Remove the keys that begin with langgraph_auth_, user_id and user_display_name, and those that RunnableConfig "
        "does not have.",
    ),
    ErrorCode.COPY_NOT_ALLOWED: ErrorDetails(
        403,
        "only callers who read no threads of others may copy a thread",
        "Copy it as a user without threads:read@tenant and threads:read@all. A copy belongs to the owner of its "
        "source, so others could add threads for that owner.",
    ),
    ErrorCode.GRAPH_NOT_ALLOWED: ErrorDetails(
        403, "the caller may not run this graph", "Add the graph, or the assistant's id, to the role's graphs."
    ),
    ErrorCode.WEBHOOK_NOT_ALLOWED: ErrorDetails(
        403, "this webhook is not allowed", "Send an https webhook, or set langgraph.webhooks (https, any or deny)."
    ),
    ErrorCode.DELAY_NOT_ALLOWED: ErrorDetails(
        403,
        "after_seconds is not allowed",
        "Start the run sooner, or raise langgraph.max_delay (seconds; 0 forbids delayed runs).",
    ),
    ErrorCode.CRONS_DISABLED: ErrorDetails(
        403, "crons are disabled on this server", "Set langgraph.crons = 'allow' to enable them."
    ),
    ErrorCode.CRON_EXPIRED: ErrorDetails(
        403,
        "the cron's authorization has expired",
        "Let the owner update the cron's input or metadata, which renews it, or raise langgraph.cron_max_age.",
    ),
    ErrorCode.CRON_REVOKED: ErrorDetails(
        403,
        "the user of this cron was revoked",
        "If the user may work again, let the user update the cron's input or metadata, which authorizes it again.",
    ),
    ErrorCode.SCHEDULER_NOT_ALLOWED: ErrorDetails(
        403,
        "the scheduler may only start runs of crons",
        "Call the API with the user's own token. A run that a cron started has no permissions.",
    ),
    ErrorCode.STUDIO_NOT_ALLOWED: ErrorDetails(
        403,
        "Studio may not use this server",
        "Set disable_studio_auth in langgraph.json, or langgraph.studio = 'own'.",
    ),
    ErrorCode.USER_UNKNOWN: ErrorDetails(
        403,
        "oidc_auth did not authenticate this request",
        "Use protect() for the authentication and the handlers, on a LangGraph server.",
    ),
    ErrorCode.EVENT_UNKNOWN: ErrorDetails(
        403,
        "this action is unknown and therefore not allowed",
        "Update langgraph-oidc-auth. The server may be newer than it.",
    ),
    ErrorCode.CUSTOM_RULE_DENIED: ErrorDetails(
        403, "a rule of this server denied the request", "See the function in also= that denied it."
    ),
    ErrorCode.CUSTOM_RULE_FAILED: ErrorDetails(
        403, "the authorization rule failed, so the request is denied", "See the traceback in the server's log."
    ),
}
