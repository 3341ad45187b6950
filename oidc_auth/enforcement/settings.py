"""The operator's settings for the server: the ``[langgraph]`` table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementSettings:
    """The operator's settings for the server.

    Attributes:
        studio: what LangGraph Studio may do. The server lets it in without a token.
        crons: whether crons may be created and run.
        cron_max_age: seconds that a cron may run without renewal by its owner.
        max_delay: the longest ``after_seconds`` of a run. A delayed run keeps the permissions it was created with.
        webhooks: which webhook addresses a run may name. Relative addresses are never allowed.
    """

    studio: Literal["deny", "own", "all"] = "deny"
    crons: Literal["allow", "deny"] = "allow"
    cron_max_age: float = 90 * 86_400
    max_delay: float = 3_600
    webhooks: Literal["https", "any", "deny"] = "https"
