"""Checks of the ``[observability]`` table."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import Problem
from ..observability.audit_target import STDOUT
from .raw_document import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table

SHORTEST_KEY = 32
"""Characters. A short key can be guessed, and then all identities can."""
KEY_HINT = "make one with 'openssl rand -hex 32', and write \"${AUDIT_KEY}\""
HASHED = "hashed"
INSTALL = "pip install 'langgraph-oidc-auth[otel]'"


def has_opentelemetry() -> bool:
    """Tell whether the API of OpenTelemetry is installed."""
    # Other packages can have modules in the namespace opentelemetry.
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.metrics") is not None


def lint_observability(table: Table) -> Iterator[Problem]:
    """Yield the problems of the table."""
    for name in ("metrics", "traces"):
        if table.get(name) is True and not has_opentelemetry():
            yield Problem(f"observability.{name}", "needs the package opentelemetry-api", INSTALL)
    audit, key = table.get("audit"), table.get("audit_key")
    is_hashed = table.get("audit_identity") == HASHED
    if isinstance(audit, str) and (meant := did_you_mean(audit.lower(), [STDOUT])) and audit != STDOUT:
        # A misspelt word would become a file in the working directory.
        yield Problem("observability.audit", "looks like the name of the standard output", meant)
    if "audit" not in table:
        for name in ("audit_identity", "audit_key"):
            if name in table:
                hint = f'add audit = "{STDOUT}" or the path of a file'
                yield Problem(f"observability.{name}", "has no effect without audit", hint)
        return
    if is_hashed and key is None:
        yield Problem("observability.audit_key", 'is missing, and audit_identity = "hashed" needs it', KEY_HINT)
    if key is not None and not is_hashed:
        hint = 'add audit_identity = "hashed", or leave it out'
        yield Problem("observability.audit_key", 'has no effect without audit_identity = "hashed"', hint)
    # A missing variable is reported as such.
    if isinstance(key, str) and "${" not in key and len(key) < SHORTEST_KEY:
        yield Problem("observability.audit_key", f"has fewer than {SHORTEST_KEY} characters", KEY_HINT)
