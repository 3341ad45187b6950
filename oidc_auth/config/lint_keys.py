"""Checks of the settings for an issuer's keys: addresses, hosts, files and algorithms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem
from ..keys.discovery import WELL_KNOWN
from ..keys.fetch import forbidden_url_reason
from ..keys.jwk import ASYMMETRIC, UnusableKeyError
from ..keys.key_set import read_key_set
from .raw_document import did_you_mean, read_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table

FILES = ("ca_file", "client_certificate", "client_key", "bearer_file")
HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:]*:[0-9a-f:.]*")
"""A host as ``urlsplit`` returns it: a name or an IPv4 address, or an IPv6 address without brackets."""


def lint_keys(table: Table, where: str, issuer_key: str) -> Iterator[Problem]:
    """Yield the problems of an issuer's keys.

    Args:
        table: The ``[[issuer]]`` table, with its preset expanded.
        where: Its key path.
        issuer_key: The key that holds the issuer in the operator's file, such as ``url``.
    """
    if "jwks" in table:
        yield from _lint_static_keys(table, where)
    yield from _lint_hosts(table, where)
    yield from _lint_addresses(table, where, issuer_key)
    yield from _lint_files(table, where)
    for name in read_strings(table.get("algorithms")):
        # RFC 8725 §3.2. With a shared secret, each server that verifies tokens could also sign them.
        if name not in ASYMMETRIC:
            symmetric = name == "none" or name.startswith("HS")
            hint = "use asymmetric algorithms: anyone who can check HS256 can also sign with it"
            hint = hint if symmetric else did_you_mean(name, ASYMMETRIC) or hint
            yield Problem(f"{where}.algorithms", f"{name!r} is not accepted", hint)


def _lint_static_keys(table: Table, where: str) -> Iterator[Problem]:
    names = ("jwks_uri",) if "introspection" in table else ("jwks_uri", "insecure_http_hosts")
    for name in names:
        if table.get(name):
            yield Problem(f"{where}.{name}", "cannot be combined with jwks", "keep one of the two")
    try:
        read_key_set(table["jwks"])
    except UnusableKeyError as error:
        yield Problem(f"{where}.jwks", str(error), 'paste the provider\'s whole key set, {"keys": [...]}')


def _lint_hosts(table: Table, where: str) -> Iterator[Problem]:
    for number, host in enumerate(read_strings(table.get("insecure_http_hosts"))):
        # A missing variable is reported as such.
        if "${" not in host and not HOST.fullmatch(host):
            hint = 'write the exact host name in lower case, such as "sso"'
            yield Problem(f"{where}.insecure_http_hosts[{number}]", f"{host!r} is not a host name", hint)


def _lint_addresses(table: Table, where: str, issuer_key: str) -> Iterator[Problem]:
    addresses = [(issuer_key, table.get("issuer")), ("jwks_uri", table.get("jwks_uri"))]
    addresses += [(f"aliases[{number}]", text) for number, text in enumerate(read_strings(table.get("aliases")))]
    hosts = read_strings(table.get("insecure_http_hosts"))
    for name, url in addresses:
        if not isinstance(url, str):
            continue
        if WELL_KNOWN in url:
            yield Problem(f"{where}.{name}", "is the address of the discovery document", f"leave out {WELL_KNOWN}")
            continue
        fetched = name == "jwks_uri" or not ("jwks" in table or "jwks_uri" in table)
        # A missing variable is reported as such.
        if url and "${" not in url and fetched and (why := forbidden_url_reason(url, hosts)) is not None:
            # The address can contain a password.
            yield Problem(f"{where}.{name}", f"cannot be fetched: {why}")


def _lint_files(table: Table, where: str) -> Iterator[Problem]:
    for name in FILES:
        path = table.get(name)
        # With introspection, the provider is asked although its keys are in the file.
        if path is not None and "jwks" in table and (name == "bearer_file" or "introspection" not in table):
            yield Problem(f"{where}.{name}", "cannot be combined with jwks", "keep one of the two")
        elif name == "client_key" and path is not None and "client_certificate" not in table:
            yield Problem(f"{where}.{name}", "needs client_certificate", "write the file of the certificate too")
        # At start, and not at the first fetch, when users already wait.
        elif isinstance(path, str) and not Path(path).is_file():
            yield Problem(f"{where}.{name}", f"file {path!r} does not exist", f"the working directory is {Path.cwd()}")
