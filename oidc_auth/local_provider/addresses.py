"""Which addresses count as local. The provider accepts no others."""

from __future__ import annotations

import re

LOOPBACK = "127.0.0.1"
"""The only address that the provider listens on."""

_ORIGIN = r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"
LOOPBACK_ORIGIN = re.compile(_ORIGIN, re.ASCII)
"""An ``Origin`` header of a page on this computer."""
# A pattern for the whole address, and not a parser. Browsers and parsers disagree about characters such as a
# backslash, and a code could then go to another host. A fragment is not allowed (RFC 6749 §3.1.2).
_LOOPBACK_URI = re.compile(rf"{_ORIGIN}(?:[/?][!-\"$-\[\]-~]*)?", re.ASCII)
_LOOPBACK_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.ASCII)


def is_loopback_uri(uri: str) -> bool:
    """Tell whether an address is on this computer."""
    return _LOOPBACK_URI.fullmatch(uri) is not None


def is_loopback_host(host: str) -> bool:
    """Tell whether a ``Host`` header names this computer."""
    return _LOOPBACK_HOST.fullmatch(host) is not None


def origin_of(uri: str) -> str:
    """Return the origin of a loopback address."""
    found = LOOPBACK_ORIGIN.match(uri)
    return found.group() if found else ""


def matches_registered(uri: str, registered: tuple[str, ...] | None) -> bool:
    """Tell whether a redirect URI is allowed.

    Args:
        uri: The redirect URI of a request.
        registered: The redirect URIs of the client. None allows each address on this computer.
    """
    if not is_loopback_uri(uri):
        return False
    # The port of a loopback address is free, because native applications and development servers choose it at start
    # (RFC 8252 §7.3). All other parts are compared exactly.
    return registered is None or _without_port(uri) in map(_without_port, registered)


def _without_port(uri: str) -> str:
    origin = origin_of(uri)
    return re.sub(r":\d+$", "", origin) + uri.removeprefix(origin)
