"""What happened, for metrics and audit: frozen events of plain values, and one Protocol that hears them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from traceback import format_tb
from typing import Protocol

logger = logging.getLogger("oidc_auth")
"""The library's one logger: a line for each refusal and each trouble with a provider. Never a token, never claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A token was accepted. ``cached``: it had been verified before."""

    issuer: str
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request was not authenticated; ``code`` is a value of ``Code``."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An event such as ``threads:create`` was allowed or denied; ``code`` is empty when allowed."""

    event: str
    allowed: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFetched:
    """An attempt to fetch an issuer's key set ended."""

    issuer: str
    succeeded: bool


Event = Authenticated | Refused | Decided | KeysFetched


class Observer(Protocol):
    """Hears what happened. Called on the event loop: must not block; what it raises is logged and changes nothing."""

    def __call__(self, event: Event, /) -> None:
        """Take note of one event."""
        ...


def silent(event: Event, /) -> None:
    """Ignore the event: the default observer."""
    del event


def trace(error: BaseException) -> str:
    """Return where something failed, and with what type: what it says may hold claims, or a conversation."""
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"


def tell(observer: Observer, event: Event) -> None:
    """Give the observer one event; a broken observer neither admits nor refuses anybody."""
    try:
        observer(event)
    except Exception:
        logger.exception("the observer failed")
