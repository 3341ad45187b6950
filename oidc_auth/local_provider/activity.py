"""What the provider reports to its terminal or log: logins, logouts and failures. Never a token or a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that happened.

    Attributes:
        text: one line.
        failed: whether a developer should look at it.
    """

    text: str
    failed: bool = False


Report: TypeAlias = "Callable[[Activity], None]"


def log_activity(activity: Activity) -> None:
    """Write an activity to the log."""
    if activity.failed:
        logger.warning("local provider: %s", activity.text)
    else:
        logger.info("local provider: %s", activity.text)
