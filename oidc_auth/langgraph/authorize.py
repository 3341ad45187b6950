"""Read a server's user and value into a ``Caller`` and an ``AccessRequest``, and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from langgraph_sdk.auth.types import StudioUser

from ..errors import ErrorCode
from ..permissions.caller import ABSENT, Caller
from ..permissions.decision import AccessRequest, Decision, decide, deny
from ..permissions.names import Reach, expand
from ..permissions.permission_maps import Right, merge_rights
from ..quoting import quote
from .crons import authorize_scheduler, edits_payload, get_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..permissions.settings import EnforcementSettings

Value = dict[str, Any]

_STUDIO_REACH = {"own": Reach.OWN, "all": Reach.ALL}


def authorize(
    user: object, event: str, value: Value, settings: EnforcementSettings, now: float
) -> tuple[Decision, Caller | None]:
    """Return the decision, and the caller it was made for (None: the scheduler, or nobody we know)."""
    request = read_access_request(event, value)
    if type(user).__module__.partition(".")[0] == "aegra_api":
        client_message = "this server is Aegra, which needs an entry point of its own: not supported yet"
        return deny(event, ErrorCode.USER_UNKNOWN, client_message), None
    identity: object = getattr(user, "identity", None)
    if not isinstance(identity, str) or not identity:
        return deny(event, ErrorCode.USER_UNKNOWN), None
    if isinstance(user, StudioUser):
        return _authorize_studio(identity, request, settings)
    if getattr(user, "permissions", ABSENT) is ABSENT:
        return authorize_scheduler(identity, request, value, now, settings), None
    caller = Caller.from_user(user)
    return decide(caller, request), caller


def _authorize_studio(
    identity: str, request: AccessRequest, settings: EnforcementSettings
) -> tuple[Decision, Caller | None]:
    reach = _STUDIO_REACH.get(settings.studio)
    if reach is None:
        return deny(request.event, ErrorCode.STUDIO_NOT_ALLOWED), None
    caller = Caller(identity=identity, rights=merge_rights(Right(name, reach) for name in expand("*")))
    return decide(caller, request), caller


def read_access_request(event: str, value: Value) -> AccessRequest:
    """Return what of a request a decision depends on."""
    return AccessRequest(
        event=event,
        controls_run=event == "threads:update" and value.get("action") is not None,
        bulk=event == "threads:update" and value.get("thread_id") is None,
        deletes_run=event == "threads:delete" and value.get("run_id") is not None,
        copies_thread=is_copy(event, value),
        creates_cron=event == "threads:read" and "metadata" in value,
        edits_payload=event == "crons:update" and edits_payload(value),
        assistant=_assistant(event, value),
        metadata_graphs=tuple(_metadata_graphs(event, value)),
        changes_state=event == "threads:update" and _shows_a_thread_only(value),
    )


def _shows_a_thread_only(value: Value) -> bool:
    """Tell a change of a thread's state: the server shows neither the change nor the graph that carries it out."""
    return value.get("thread_id") is not None and "metadata" not in value and value.get("action") is None


def is_copy(event: str, value: Value) -> bool:
    """Tell whether a thread is being copied: the server shows no metadata then, and takes over the original's."""
    return event == "threads:create" and "metadata" not in value


def _assistant(event: str, value: Value) -> str | None:
    """Return the graph or assistant that would run: of a run, a cron, or an assistant that is given another graph."""
    if event == "threads:create_run":
        return str(value.get("assistant_id"))
    if event == "crons:create":
        return str(get_payload(value).get("assistant_id"))
    if event in ("assistants:create", "assistants:update"):
        # An older version is named by its number: what it would run is not shown, so nobody with a limit may take it.
        named = value.get("graph_id") or ("" if "version" in value else None)
    else:
        named = get_payload(value).get("assistant_id") if event == "crons:update" else None
    return None if named is None else str(named)


_WRITES_METADATA = frozenset(
    {f"{resource}:{action}" for resource in ("threads", "assistants", "crons") for action in ("create", "update")}
    | {"threads:create_run"}
)


def _metadata_graphs(event: str, value: Value) -> Iterator[str]:
    """Yield the graphs and assistants that a client's metadata name.

    ``metadata.graph_id`` of a thread says which graph a change of its state runs, ``assistant_id`` which assistant
    resumes it. A run's metadata, also in its config, become those of a new thread (langgraph_runtime_inmem 0.36.7).
    """
    if event not in _WRITES_METADATA:
        return
    for holder in (value, value.get("kwargs"), value.get("payload")):
        for metadata in (_member(holder, "metadata"), _member(_member(holder, "config"), "metadata")):
            for key in ("graph_id", "assistant_id"):
                if isinstance(metadata, dict) and key in metadata:
                    yield _graph_name(event, key, cast("Value", metadata)[key])


def _graph_name(event: str, key: str, name: object) -> str:
    # The server sets assistant_id itself, together with graph_id. Set alone, it would hide a graph_id that is stored.
    return name if isinstance(name, str) and (event, key) != ("threads:update", "assistant_id") else ""


def _member(holder: object, key: str) -> object:
    return cast("Value", holder).get(key) if isinstance(holder, dict) else None


def check_settings(event: str, value: Value, settings: EnforcementSettings) -> Decision | None:
    """Return the refusal by the operator's own settings: crons at all, a webhook's address, or a run's delay."""
    if event in ("crons:create", "crons:update") and settings.crons == "deny":
        return deny(event, ErrorCode.CRONS_DISABLED)
    if event not in ("threads:create_run", "crons:create", "crons:update"):
        return None
    runs: object = value.get("kwargs" if event == "threads:create_run" else "payload")
    webhook = cast("Value", runs).get("webhook") if isinstance(runs, dict) else None
    if webhook is not None and not _is_webhook_allowed(webhook, settings):
        return deny(event, ErrorCode.WEBHOOK_NOT_ALLOWED)
    for delay in (value.get("after_seconds"), get_payload(value).get("after_seconds")):
        if not _permitted_delay(delay, settings.max_delay):
            return _deny_delay(event, delay, settings.max_delay)
    return None


def _permitted_delay(delay: object, most: float) -> bool:
    """Tell whether a run may wait so long; NaN compares with nothing, and a boolean is no number of seconds."""
    if delay is None:
        return True
    return isinstance(delay, (int, float)) and not isinstance(delay, bool) and 0 <= delay <= most


def _deny_delay(event: str, delay: object, most: float) -> Decision:
    expected = f"a number of seconds from 0 to {most:g}"
    return deny(
        event,
        ErrorCode.DELAY_NOT_ALLOWED,
        f"after_seconds must be {expected}",
        expected=expected,
        found=quote(delay),
    )


def _is_webhook_allowed(webhook: object, settings: EnforcementSettings) -> bool:
    schemes = {"https": ("https",), "any": ("https", "http"), "deny": ()}[settings.webhooks]
    try:
        parts = urlsplit(str(webhook))
    except ValueError:
        return False
    # A relative address would reach the server itself, without authentication.
    return parts.scheme in schemes and bool(parts.hostname)
