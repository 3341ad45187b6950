"""A browser shows a script only the fields that CORS exposes.

Without `WWW-Authenticate` a front end cannot tell an expired token from a missing right, nor which scope would help.

`http.cors` replaces the server's own rule altogether: keep what it exposes by itself (`x-pagination-total`,
`x-pagination-next`, `content-location`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config.raw_document import read_strings, read_table
from ..langgraph_json import CHALLENGE
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that a browser cannot read why it was refused."""
    exposed = read_strings(read_table(environment.http().get("cors")).get("expose_headers"))
    if CHALLENGE.lower() not in {name.lower() for name in exposed}:
        yield Finding(f"http.cors.expose_headers lacks {CHALLENGE}", "oidc-auth init writes a rule that has it")


CHECK = Check(Severity.INFO, "a browser may read why it was refused", find)
