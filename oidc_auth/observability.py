"""What happened, for metrics and audit: frozen events of plain values, and one Protocol that hears them."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from traceback import format_tb
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .errors import OIDCAuthError

logger = logging.getLogger("oidc_auth")
"""The library's one logger: a line for each refusal and each trouble with a provider. Never a token, never claims."""
LOGGED_FIELDS = ("code", "issuer", "user", "expected", "found", "hint")
"""What of a refusal a line's record carries beside its text, as ``oidc_code`` and so on; what is empty is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSucceeded:
    """A token was accepted. ``cached``: it had been verified before."""

    issuer: str
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationFailed:
    """A request was not authenticated; ``code`` is a value of ``ErrorCode``."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDecided:
    """An event such as ``threads:create`` was allowed or denied; ``code`` is empty when allowed."""

    event: str
    allowed: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFetched:
    """An attempt to fetch an issuer's key set ended."""

    issuer: str
    succeeded: bool


Event = AuthenticationSucceeded | AuthenticationFailed | AuthorizationDecided | KeysFetched


class Observer(Protocol):
    """Hears what happened. Called on the event loop: must not block; what it raises is logged and changes nothing."""

    def __call__(self, event: Event, /) -> None:
        """Take note of one event."""
        ...


def ignore_event(event: Event, /) -> None:
    """Ignore the event: the default observer."""
    del event


def format_trace(error: BaseException) -> str:
    """Return where something failed, and with what type: what it says may hold claims, or a conversation."""
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"


def pseudonym(identity: str) -> str:
    """Return a name for the log that is the same for the same identity and tells nobody else who it is."""
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:12]


def log_refusal(refusal: OIDCAuthError, event: str = "") -> None:
    """Write the one line of a refusal; with ``event`` it is a denial of that event.

    A formatter finds the same as attributes of the record: those of ``LOGGED_FIELDS``, and ``oidc_event``.
    """
    if not logger.isEnabledFor(logging.WARNING):
        return
    facts = {f"oidc_{name}": str(getattr(refusal, name)) for name in LOGGED_FIELDS if getattr(refusal, name)}
    facts |= {"oidc_event": event} if event else {}
    whose = ", ".join(f"{name} {getattr(refusal, name)}" for name in ("issuer", "user") if getattr(refusal, name))
    said = f"denied {event}" if event else "refused"
    # The text and not the error: a handler may keep the record, and an error's traceback holds the token.
    logger.warning("%s: %s%s", said, str(refusal), f" ({whose})" if whose else "", extra=facts)


def notify_observer(observer: Observer, event: Event) -> None:
    """Give the observer one event; a broken observer neither admits nor refuses anybody."""
    try:
        observer(event)
    except Exception:
        logger.exception("the observer failed")
