"""Checks of the ``[web]`` table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import Problem
from ..keys.fetch import forbidden_url_reason
from ..tokens.extract import AUTHORIZATION_HEADER
from ..tokens.policy import is_scope
from ..tokens.resource import mcp_address
from .issuers import list_issuers
from .raw_document import did_you_mean, read_path, read_strings, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .raw_document import Table

SEGMENT = "[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
"""A segment of a path that no client spells in another way. It is never ``..``."""
PUBLIC_URL = re.compile(rf"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{{0,4}}))?(?:/{SEGMENT})*/?")
PREFIX = re.compile(rf"(?:/{SEGMENT})+")
DEFAULT_PORTS = {"https": "443", "http": "80"}
EXAMPLE = 'write the address that clients use, such as "https://agents.acme.com"'

SERVER_PATHS = frozenset(
    {
        *("a2a", "assistants", "deploy", "docs", "info", "internal", "mcp", "metrics", "ok", "openapi.json", "runs"),
        *("store", "threads", "ui"),
    }
)
"""The first segments of the server's own paths."""


def lint_web(table: Table, issuers: Sequence[Table]) -> Iterator[Problem]:
    """Yield the problems of the table."""
    url, prefix, challenged = table.get("public_url"), table.get("prefix"), table.get("challenge_issuer")
    # A missing variable is reported as such.
    if isinstance(url, str) and "${" not in url and (fault := _url_fault(url)) is not None:
        yield Problem("web.public_url", *fault)
    if isinstance(prefix, str) and "${" not in prefix and (fault := _prefix_fault(prefix)) is not None:
        yield Problem("web.prefix", *fault)
    names = [exact.issuer for each in issuers for exact in list_issuers(each)]
    if isinstance(challenged, str) and "${" not in challenged and challenged not in names:
        hint = did_you_mean(challenged, names) or "write it as in [[issuer]]"
        yield Problem("web.challenge_issuer", "is not a configured issuer", hint)
    # A client would be sent to one provider with the scopes of another, which it refuses.
    if challenged in [exact.issuer for each in issuers if _has_no_scopes(each) for exact in list_issuers(each)]:
        message = "is an issuer at which clients cannot request scopes"
        yield Problem("web.challenge_issuer", message, "name an issuer of access tokens in the header Authorization")


def _has_no_scopes(issuer: Table) -> bool:
    """Tell whether an issuer's tokens come from a proxy, or are ID tokens."""
    return issuer.get("header", AUTHORIZATION_HEADER) != AUTHORIZATION_HEADER or issuer.get("token_type") == "id"


def _url_fault(url: str) -> tuple[str, str] | None:
    """Return what is wrong with the address and what to write instead, or None.

    Clients compare it exactly (RFC 9728 §3.3), so only the form that they all use is accepted.
    """
    match = PUBLIC_URL.fullmatch(url)
    if match is None:
        # The text is not shown. It may hold a password.
        return "is not an address without query, user name and unusual characters, in lower case", EXAMPLE
    if match["port"] is not None and match["port"] == DEFAULT_PORTS[urlsplit(url).scheme]:
        return f"has the default port :{match['port']}, which clients leave out", "leave it out"
    # RFC 9728 §1.2: a resource has an https address. Loopback is for development.
    return None if (reason := forbidden_url_reason(url)) is None else (reason, EXAMPLE)


def _prefix_fault(prefix: str) -> tuple[str, str] | None:
    if PREFIX.fullmatch(prefix) is None:
        return "is not a path", 'write a path such as "/auth", without a slash at the end'
    first = prefix.split("/")[1]
    if first in SERVER_PATHS:
        return f"begins with /{first}, a path of the server", 'write another path, such as "/auth"'
    return None


def find_web_warnings(table: Table, issuers: Sequence[Table]) -> Iterator[str]:
    """Yield what is valid, and probably a mistake."""
    url = table.get("public_url")
    if isinstance(url, str) and url.rstrip("/").endswith("/mcp"):
        yield "web.public_url: ends in /mcp, so that MCP clients are sent to /mcp/mcp: leave /mcp out"
    mcp = mcp_address(url.rstrip("/")) if isinstance(url, str) else ""
    if mcp and any(mcp in read_strings(issuer.get("audience")) for issuer in issuers):
        yield f"web: the audience {mcp} is also accepted outside of /mcp: leave it out, because [web] adds it for /mcp"
    if table and table.get("mcp", True) and (name := _only_patterns(issuers)):
        yield (
            f"web: {name} has only patterns in accept, so challenges name none of its scopes and MCP clients cannot "
            'know what to request: list the scopes, such as accept = ["threads:read", "threads:write"]'
        )


def _only_patterns(issuers: Sequence[Table]) -> str:
    """Return the first issuer that reads scopes, if it names none of them, or ""."""
    for issuer in issuers:
        maps = [each for _, each in read_tables(issuer.get("permission_map")) if is_scope(read_path(each.get("claim")))]
        if maps:
            named = [name for each in maps for name in (*read_strings(each.get("accept")), *(each.get("values") or ()))]
            return "" if any("*" not in name for name in named) else str(issuer.get("issuer"))
    return ""
