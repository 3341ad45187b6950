"""Checks of ``allowed_origins``. Each value must be exactly what browsers send as ``Origin``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import Problem
from ..keys.fetch import forbidden_url_reason
from .raw_document import read_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table

ORIGIN = re.compile(r"(?P<scheme>https?)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
"""Scheme, host and port in lower case, and nothing else (RFC 6454 §6.2)."""
DEFAULT_PORTS = {"https": "443", "http": "80"}
LAST_PORT = 65_535


def lint_origins(table: Table, where: str) -> Iterator[Problem]:
    """Yield each value of ``allowed_origins`` that no browser sends."""
    for number, text in enumerate(read_strings(table.get("allowed_origins"))):
        # A variable that is missing is reported as such.
        if "${" not in text and (fault := _origin_fault(text)) is not None:
            yield Problem(f"{where}.allowed_origins[{number}]", *fault)


def _origin_fault(text: str) -> tuple[str, str] | None:
    """Return what is wrong with an origin and what to write instead, or None."""
    if not _is_origin(text):
        hint = _suggestion(text)
        return (
            "is not an origin",
            f"write {hint!r}" if hint else 'write scheme and host, such as "https://app.acme.com"',
        )
    if (secure := _secure(text)) != text:
        return "uses http, which is allowed for loopback only", f"write {secure!r}"
    return None


def _is_origin(text: str) -> bool:
    match = ORIGIN.fullmatch(text)
    if match is None or match["port"] is None:
        return match is not None
    # Browsers leave out the default port.
    return match["port"] != DEFAULT_PORTS[match["scheme"]] and int(match["port"]) <= LAST_PORT


def _secure(origin: str) -> str:
    """Return the https origin, because others on the network can change a page over http."""
    insecure = origin.startswith("http:") and forbidden_url_reason(origin) is not None
    return origin.replace("http:", "https:", 1) if insecure else origin


def _suggestion(text: str) -> str:
    """Return the origin of a URL that was written by mistake, or ""."""
    # urlsplit checks the port only when it is read.
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return ""
    # urlsplit removes the brackets of an IPv6 address, and Origin has them (RFC 6454 §6.2).
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    own_port = "" if port is None or str(port) == DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    origin = f"{parts.scheme}://{host}{own_port}"
    # No suggestion from a URL with user information, because that can be a password.
    return _secure(origin) if host and "@" not in parts.netloc and _is_origin(origin) else ""
