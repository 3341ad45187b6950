"""``oidc-auth revoke`` and ``oidc-auth revocations``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from time import time as wall_clock
from typing import TYPE_CHECKING, TypeVar

import click
from rich.markup import escape
from rich.table import Column, Table

from ..config.build_revocation import open_store
from ..config.issuers import exact_issuers, same_provider
from ..config.lint_revocation import INSTALL
from ..config.raw_document import did_you_mean
from ..errors import ConfigError, UpstreamError
from ..quoting import list_examples, quote
from ..revocation.entries import MAX_NAME, Kind, MalformedEntryError, Revocation
from ..revocation.live_set import LiveRevocations, Retention
from ..revocation.store import MEMORY, OutageRule
from .inputs import file_argument, json_option, load
from .output import console, print_json, print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from ..config.schema import Document
    from ..revocation.store import RevocationStore

KEPT_ALWAYS = Retention(tokens=3650 * 86_400.0, subjects=3650 * 86_400.0)
"""This command does not know how long the servers keep entries, so it removes none."""
LOAD_SECONDS = 60
Result = TypeVar("Result")
KINDS = {"subject": Kind.SUBJECT, "session": Kind.SESSION, "token_id": Kind.TOKEN}

redis_option = click.option(
    "--redis", "address", metavar="URL", envvar="OIDC_AUTH_REDIS", help="The store, if no configuration names it."
)


@click.command(short_help="Revoke a user, a session or a token on all servers.")
@file_argument
@click.option("--issuer", required=True, help="The issuer of the user, as the tokens name it (iss).")
@click.option("--subject", help="The user (sub): all tokens that were issued until now.")
@click.option("--session", help="One session of a user (sid).")
@click.option("--token-id", help="One token (jti).")
@redis_option
@json_option
def revoke(file: Path | None, issuer: str, address: str | None, *, as_json: bool, **targets: str | None) -> None:
    """Revoke a user, a session or a token on all servers.

    Give one of --subject, --session and --token-id. The servers refuse its tokens within a second and end its streams.
    With a configuration, this includes tokens that name an alias of the issuer.
    The command needs the store of the servers: the configuration of the server, or --redis. Exit code 0 if the store
    has the revocation, else 1.
    """
    given = [(KINDS[name], value) for name, value in targets.items() if value]
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --subject, --session and --token-id.")
    kind, value = given[0]
    store, names = _open(file, address, issuer)

    async def publish() -> float:
        # The clock of this machine may be slow. Then the newest tokens would survive.
        now = max(wall_clock(), await store.read_clock())
        await store.publish([Revocation(issuer=name, kind=kind, value=value, time=now) for name in names])
        return now

    time = _run(publish)
    if as_json:
        print_json({"issuer": issuer, "kind": kind.value, "value": value, "time": time})
    else:
        told = f"the {kind.value} {_printable(value)} of {_printable(issuer)}"
        print_text(console(), told, label="revoked ", style="green")


@click.command(short_help="List the live revocations.")
@file_argument
@click.option("--issuer", help="Only those of this issuer.")
@redis_option
@json_option
def revocations(file: Path | None, issuer: str | None, address: str | None, *, as_json: bool) -> None:
    """List the revocations in the store of the servers.

    Exit code 0, or 1 if the store cannot be read.
    """
    store, _ = _open(file, address, issuer)
    _run(partial(_load, store))
    found = [each for each in store.live.entries(wall_clock()) if issuer in (None, each.issuer)]
    if as_json:
        listed = [{"issuer": r.issuer, "kind": r.kind.value, "value": r.value, "time": r.time} for r in found]
        print_json({"revocations": listed})
        return
    table = Table(
        Column("issuer", overflow="fold"), "kind", Column("value", overflow="fold"), Column("time (UTC)", no_wrap=True)
    )
    for each in found:
        at = datetime.fromtimestamp(each.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            escape(_printable(each.issuer)), each.kind.value.replace("_", " "), escape(_printable(each.value)), at
        )
    print_table(console(), f"{len(found)} revocations", table)


async def _load(store: RevocationStore) -> None:
    await store.load(LOAD_SECONDS)
    known = store.state(wall_clock()).is_loaded
    await store.aclose()
    if not known:
        raise click.ClickException("The store did not answer. Check its address, and that it runs.")


def _open(file: Path | None, address: str | None, issuer: str | None) -> tuple[RevocationStore, list[str]]:
    """Return the store of ``--redis`` or of the configuration, and all names of the issuer."""
    names = [] if issuer is None else [issuer]
    document = _load_document(file, is_required=address is None or file is not None)
    if document is not None:
        if issuer is not None:
            names = _find_names(document, issuer)
        address = address or (None if document.revocation is None else document.revocation.store)
    elif issuer is not None:
        # A typo would revoke nothing.
        click.echo("The issuer is not checked. Give the valid configuration of the servers as FILE, too.", err=True)
    address = address or ""
    _check_store(address)
    return open_store(address, LiveRevocations(KEPT_ALWAYS), wall_clock, OutageRule(grace=0, serves=False)), names


def _load_document(file: Path | None, *, is_required: bool) -> Document | None:
    """Return the configuration. With ``--redis``, it only serves to check the issuer, so it may be missing."""
    try:
        return load(file).document
    except ConfigError as error:
        if is_required:
            raise click.ClickException(error.report()) from None
        return None


def _check_store(address: str) -> None:
    """Refuse a store that this command cannot reach. The messages never have the address, which can be secret."""
    if address in ("", MEMORY):
        raise click.ClickException(
            "The configuration has no store that this command can reach. Set store in [revocation] to the URL of the "
            "Redis server that all servers use, or use --redis URL."
        )
    if find_spec("redis") is None:
        raise click.ClickException(f"The store needs the package redis: {INSTALL}")
    from ..revocation.redis import check_address  # noqa: PLC0415 - an optional package

    try:
        check_address(address)
    except ValueError:
        raise click.ClickException("--redis: not the URL of a Redis server. Example: redis://host:6379") from None


def _find_names(document: Document, issuer: str) -> list[str]:
    """Return all names of the issuer's provider. Each of its users can have tokens with any of them."""
    tables = [exact_issuers(table.issuer, table.aliases, table.tenants) for table in document.issuer]
    for table in tables:
        for exact in table:
            if exact.issuer == issuer:
                return same_provider(exact, table)
    known = [exact.issuer for table in tables for exact in table]
    hint = did_you_mean(issuer, known) or f"expected {list_examples(tuple(known))}"
    raise click.ClickException(f"--issuer: {_printable(issuer)} is not in the configuration. {hint}")


def _printable(value: str) -> str:
    # A value from a token could hold the control characters of a terminal.
    return value if value.isprintable() else quote(value, 2 * MAX_NAME)


def _run(action: Callable[[], Coroutine[None, None, Result]]) -> Result:
    try:
        return asyncio.run(action())
    except UpstreamError as error:
        # The report never has the address, which can contain a password.
        raise click.ClickException(f"{error.found}. The store was not changed, or did not confirm it.") from None
    except MalformedEntryError:
        raise click.ClickException(
            f"The issuer or the value is not valid. Expected Unicode text of at most {MAX_NAME:,} characters."
        ) from None
