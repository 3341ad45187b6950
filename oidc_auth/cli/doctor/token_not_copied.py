"""`http.configurable_headers` and `http.logging_headers` copy request headers into run records and log lines.

A header with a token or a session cookie must not be among them: anyone who reads the thread, the traces or the log
could use it. The server copies a header if a pattern of `includes` matches it and no pattern of `excludes` does
(`include` and `exclude` are other names for the same lists). `*` matches any characters. Patterns are case-sensitive,
and header names are in lower case, so `X-*` matches nothing. Without `includes`, nothing is copied.

This check covers the `header` of each issuer, `authorization`, `proxy-authorization` and `cookie`. langgraph-api 0.10.3
and 0.16.7 never copy `authorization`. Exclude it anyway: another server may copy it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...config.raw import strings_in, table_in
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .surroundings import Surroundings

TARGETS = {"configurable_headers": "run records", "logging_headers": "log lines"}
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield each setting that copies a header with a token or a session."""
    secret = CREDENTIALS | {table.header for table in surroundings.valid().document.issuer}
    http = surroundings.http()
    for key, target in TARGETS.items():
        if names := [name for name in sorted(secret) if copies(table_in(http.get(key)), name)]:
            listed = ", ".join(f'"{name}"' for name in names)
            yield Finding(
                f"http.{key} copies {', '.join(names)} into {target}",
                f'list single headers in http.{key}.includes, or set "excludes": [{listed}]',
            )


def copies(rules: Mapping[str, Any], name: str) -> bool:
    """Tell whether the server copies a header with these rules, as langgraph_api.utils.headers does it."""
    included = rules.get("includes") or rules.get("include")
    excluded = rules.get("excludes") or rules.get("exclude")
    return _matches_any(included, name) and not _matches_any(excluded, name)


def _matches_any(patterns: object, name: str) -> bool:
    # The server reads a string as a list of its characters: "x-*" includes the pattern "*", which matches everything.
    texts = list(patterns) if isinstance(patterns, str) else strings_in(patterns)
    return any(re.fullmatch(".*".join(map(re.escape, text.split("*"))), name, re.DOTALL) for text in texts)


CHECK = Check(Severity.ERROR, "no header with a token is copied into run records or log lines", find)
