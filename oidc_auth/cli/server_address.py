"""The address of a server that a command speaks to. It stands in messages, so it must hold nothing secret."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

EXPECTED_URL = (
    "https://host:port (http:// for this machine) is expected, without a user name, password, query or fragment"
)


def server_address(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """Return the address that a user gave; one that may hold a secret is refused, and not quoted.

    Raises:
        click.BadParameter: it is no address, or not a plain one.
    """
    if url is not None and not _is_plain(url):
        raise click.BadParameter(EXPECTED_URL)
    return url


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    secret = "@" in parts.netloc or parts.query or parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not secret
