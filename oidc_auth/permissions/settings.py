"""What the operator set for the server itself: the ``[langgraph]`` table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementSettings:
    """The server's own settings.

    Attributes:
        studio: what LangGraph Studio may do when the server lets it in without a token.
        crons: whether crons may be created and run at all.
        cron_max_age: how long a cron may run without its owner renewing it, in seconds.
        max_delay: the longest ``after_seconds`` of a run, in seconds; a delayed run keeps the rights it was made with.
        webhooks: which webhook addresses a run may name; relative ones never: they would call the server itself.
    """

    studio: Literal["deny", "own", "all"] = "deny"
    crons: Literal["allow", "deny"] = "allow"
    cron_max_age: float = 90 * 86_400
    max_delay: float = 3_600
    webhooks: Literal["https", "any", "deny"] = "https"
