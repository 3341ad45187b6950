"""Checks of the ``[revocation]`` table."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import Problem
from ..revocation.store import MEMORY
from .raw_document import did_you_mean, read_table, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table

SCHEMES = ("redis://", "rediss://", "unix://")
"""The URLs of redis-py."""
INSTALL = "pip install 'langgraph-oidc-auth[redis]'"


def lint_revocation(document: Table) -> Iterator[Problem]:
    """Yield the problems of the table, and of the settings that need it."""
    table = read_table(document.get("revocation"))
    store = table.get("store")
    if isinstance(store, str) and "${" not in store and store != MEMORY:
        yield from _lint_url(store)
    for number, issuer in read_tables(document.get("issuer")):
        if issuer.get("logout_clients") and "revocation" not in document:
            hint = 'add [revocation] with store = "${REDIS_URL}" or "memory"'
            yield Problem(f"issuer[{number}].logout_clients", "has no effect without [revocation]", hint)


def _lint_url(store: str) -> Iterator[Problem]:
    # The text is not shown. It may hold a password.
    if not store.startswith(SCHEMES):
        hint = did_you_mean(store, [MEMORY]) or 'write "memory", or "redis://host:6379"'
        yield Problem("revocation.store", "is neither memory nor the URL of a Redis server", hint)
    elif find_spec("redis") is None:
        yield Problem("revocation.store", "needs the package redis", INSTALL)
    elif not _is_address(store):
        yield Problem("revocation.store", "is not a valid URL of a Redis server", 'example: "redis://host:6379/0"')


def _is_address(store: str) -> bool:
    from ..revocation.redis import check_address  # noqa: PLC0415 - an optional package

    try:
        check_address(store)
    except ValueError:
        return False
    return True
