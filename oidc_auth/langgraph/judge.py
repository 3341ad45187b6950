"""Who is asking, and what for: a server's user object and value, read into a ``Caller`` and an ``Ask``, and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from langgraph_sdk.auth.types import StudioUser

from ..errors import Code
from ..permissions.caller import ABSENT, Caller
from ..permissions.decide import Ask, Decision, decide, deny
from ..permissions.mapping import Right, united
from ..permissions.names import Reach, expand
from .crons import decide_for_scheduler, edits_payload, payload_of

if TYPE_CHECKING:
    from ..permissions.settings import EnforcementSettings

Value = dict[str, Any]

_STUDIO_REACH = {"own": Reach.OWN, "all": Reach.ALL}


def judge(
    user: object, event: str, value: Value, settings: EnforcementSettings, now: float
) -> tuple[Decision, Caller | None]:
    """Return the decision, and the caller it was made for (None: the scheduler, or nobody we know)."""
    ask = read_ask(event, value)
    if type(user).__module__.partition(".")[0] == "aegra_api":
        says = "this server is Aegra, which needs an entry point of its own: not supported yet"
        return deny(event, Code.USER_UNKNOWN, says), None
    identity: object = getattr(user, "identity", None)
    if not isinstance(identity, str) or not identity:
        return deny(event, Code.USER_UNKNOWN), None
    if isinstance(user, StudioUser):
        return _for_studio(identity, ask, settings)
    if getattr(user, "permissions", ABSENT) is ABSENT:
        return decide_for_scheduler(identity, ask, value, now, settings), None
    caller = Caller.from_user(user)
    return decide(caller, ask), caller


def _for_studio(identity: str, ask: Ask, settings: EnforcementSettings) -> tuple[Decision, Caller | None]:
    reach = _STUDIO_REACH.get(settings.studio)
    if reach is None:
        return deny(ask.event, Code.STUDIO_REFUSED), None
    caller = Caller(identity=identity, rights=united(Right(name, reach) for name in expand("*")))
    return decide(caller, ask), caller


def read_ask(event: str, value: Value) -> Ask:
    """Return what of a request a decision depends on."""
    return Ask(
        event=event,
        steers_run=event == "threads:update" and value.get("action") is not None,
        of_many=event == "threads:update" and value.get("thread_id") is None,
        drops_run=event == "threads:delete" and value.get("run_id") is not None,
        copies=is_copy(event, value),
        for_cron=event == "threads:read" and "metadata" in value,
        edits_payload=event == "crons:update" and edits_payload(value),
        assistant=_assistant(event, value),
    )


def is_copy(event: str, value: Value) -> bool:
    """Tell whether a thread is being copied: the server shows no metadata then, and takes over the original's."""
    return event == "threads:create" and "metadata" not in value


def _assistant(event: str, value: Value) -> str | None:
    """Return the graph or assistant that would run: of a run, a cron, or an assistant that is given another graph."""
    if event == "threads:create_run":
        return str(value.get("assistant_id"))
    if event == "crons:create":
        return str(payload_of(value).get("assistant_id"))
    if event in ("assistants:create", "assistants:update"):
        # An older version is named by its number: what it would run is not shown, so nobody with a limit may take it.
        named = value.get("graph_id") or ("" if "version" in value else None)
    else:
        named = payload_of(value).get("assistant_id") if event == "crons:update" else None
    return None if named is None else str(named)


def refused_by_settings(event: str, value: Value, settings: EnforcementSettings) -> Code | None:
    """Return what the operator's own settings have against it: crons at all, or where a webhook points."""
    if event in ("crons:create", "crons:update") and settings.crons == "deny":
        return Code.CRONS_DISABLED
    if event not in ("threads:create_run", "crons:create", "crons:update"):
        return None
    runs: object = value.get("kwargs" if event == "threads:create_run" else "payload")
    webhook = cast("Value", runs).get("webhook") if isinstance(runs, dict) else None
    return None if webhook is None or _permitted_webhook(webhook, settings) else Code.WEBHOOK_REFUSED


def _permitted_webhook(webhook: object, settings: EnforcementSettings) -> bool:
    schemes = {"https": ("https",), "any": ("https", "http"), "deny": ()}[settings.webhooks]
    try:
        parts = urlsplit(str(webhook))
    except ValueError:
        return False
    # A relative address would reach the server itself, without authentication.
    return parts.scheme in schemes and bool(parts.hostname)
