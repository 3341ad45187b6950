"""`allow_langsmith_api_keys` lets in whoever holds any API key of the LangSmith workspace.

Every request without an Authorization header goes to LangSmith's own check instead of the hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that LangSmith's API keys are let in."""
    if environment.auth().get("allow_langsmith_api_keys"):
        yield Finding("auth.allow_langsmith_api_keys is set", "take it out; give machines tokens of your provider")


CHECK = Check(Severity.ERROR, "LangSmith API keys do not take the place of a token", find)
