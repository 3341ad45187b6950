"""Checks of ``[issuer.introspection]``: credentials, addresses, and which issuer has opaque tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Problem
from ..introspection.client_auth import ClientKeyError, read_client_key
from ..keys.fetch import forbidden_url_reason
from .raw_document import did_you_mean, read_strings, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table

MODES = ("opaque", "always")
SECRET, KEY_FILE = "client_secret", "client_assertion_key_file"
SECRET_HINT = 'write client_secret = "${INTROSPECTION_SECRET}", or client_assertion_key_file = "client.pem"'
EXCLUDED = {
    "tenants": "each tenant has its own endpoint, and an answer does not name the tenant",
    "bearer_file": "the key set of such a provider needs a token, and introspection needs a client",
}
"""Keys of an issuer that cannot be combined with introspection, and the reason."""


def lint_introspection(table: Table, where: str) -> Iterator[Problem]:
    """Yield the problems of an issuer's introspection."""
    introspection, place = read_table(table.get("introspection")), f"{where}.introspection"
    if not introspection:
        return
    mode = introspection.get("mode")
    if isinstance(mode, str) and mode not in MODES:
        hint = did_you_mean(mode, MODES) or "opaque: tokens that are not JWTs; always: JWTs too"
        yield Problem(f"{place}.mode", "should be 'opaque' or 'always'", hint)
    yield from (Problem(place, f"cannot be combined with {key}", why) for key, why in EXCLUDED.items() if key in table)
    if table.get("token_type") == "id":
        yield Problem(place, 'cannot be combined with token_type = "id"', "providers introspect access tokens")
    yield from _lint_credentials(introspection, place)
    yield from _lint_endpoint(table, introspection, place)


def _lint_credentials(introspection: Table, place: str) -> Iterator[Problem]:
    given = [name for name in (SECRET, KEY_FILE) if name in introspection]
    if not given:
        # An endpoint that answers everyone would let anyone test stolen tokens (RFC 7662 §4).
        yield Problem(f"{place}.{SECRET}", "is missing", SECRET_HINT)
    elif len(given) > 1:
        yield Problem(f"{place}.{KEY_FILE}", f"cannot be combined with {SECRET}", "keep one of the two")
    file = introspection.get(KEY_FILE)
    if isinstance(file, str) and file and "${" not in file:
        # At start, and not at the first token, when users already wait.
        try:
            read_client_key("", file)
        except ClientKeyError as error:
            hint = "write it with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out client.pem"
            yield Problem(f"{place}.{KEY_FILE}", f"file {file!r} {error}", hint)


def _lint_endpoint(table: Table, introspection: Table, place: str) -> Iterator[Problem]:
    hosts, endpoint = read_strings(table.get("insecure_http_hosts")), introspection.get("endpoint")
    if endpoint is None:
        issuer = table.get("issuer")
        # Tables with their own keys never fetch the issuer's metadata for another reason.
        own_keys = "jwks" in table or "jwks_uri" in table
        if own_keys and isinstance(issuer, str) and (why := forbidden_url_reason(issuer, hosts)) is not None:
            hint = "set endpoint to the address of the introspection endpoint"
            yield Problem(f"{place}.endpoint", f"is missing, and the issuer's metadata cannot be fetched: {why}", hint)
        return
    # A missing variable is reported as such.
    is_written = isinstance(endpoint, str) and "${" not in endpoint
    if is_written and (why := forbidden_url_reason(endpoint, hosts)) is not None:
        # The address can contain a password.
        yield Problem(f"{place}.endpoint", f"cannot be used: {why}")


def lint_opaque_issuers(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    """Yield each issuer after the first one with ``mode = "opaque"``."""
    opaque = [number for number, table in issuers if read_table(table.get("introspection")).get("mode") == "opaque"]
    for number in opaque[1:]:
        # Sending it to several providers would give the credential of one to the others.
        hint = f'an opaque token names no issuer; write mode = "always" here, or in issuer[{opaque[0]}]'
        yield Problem(f"issuer[{number}].introspection.mode", "another issuer already has 'opaque'", hint)
