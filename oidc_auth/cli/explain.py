"""``oidc-auth explain``, ``can`` and ``store-label``: what claims or a token give, and why."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from ..config.raw_document import did_you_mean
from ..permissions.caller import make_store_label
from ..permissions.names import NAMES, format_permission, narrowest_group, split_reach
from .inputs import claims_option, file_argument, json_option, loaded, read_claims, read_token, token_option
from .output import console, print_json, print_matrix, print_table

if TYPE_CHECKING:
    from ..authentication import OIDCAuth
    from ..permissions.explain import Explanation

COLOURS = {"passed": "green", "failed": "bold red", "not checked": "dim"}
UNVERIFIED_NOTE = "(claims only: neither signature nor time says that they are anybody's)"


@click.command()
@file_argument
@claims_option
@token_option
@json_option
def explain(file: Path | None, claims_file: IO[str] | None, token_file: IO[str] | None, *, as_json: bool) -> None:
    """Explain what a token gives, and why: each check, each permission map, and values that came near.

    Claims alone need no network, and their signature is not checked. A token, from --token-file or the variable
    OIDC_AUTH_TOKEN, is verified with the issuer's keys; it is never printed. Exit status 1 when nothing is allowed.
    """
    why = _explain_input(file, claims_file, token_file)
    if as_json:
        print_json(_to_json(why))
    else:
        _print(why, claims_only=claims_file is not None)
    raise SystemExit(1 if why.refusal else 0)


def _explain_input(file: Path | None, claims_file: IO[str] | None, token_file: IO[str] | None) -> Explanation:
    """Return what claims give, or else what a token gives, which is verified first."""
    oidc = loaded(file)
    if claims_file is not None and token_file is not None:
        raise click.UsageError("give --claims or --token-file, not both")
    if claims_file is not None:
        return oidc.explain(read_claims(claims_file))
    return asyncio.run(_explain_token(oidc, read_token(token_file)))


async def _explain_token(oidc: OIDCAuth, token: str) -> Explanation:
    async with oidc:
        return await oidc.explain_token(token)


def _to_json(why: Explanation) -> dict[str, Any]:
    return {
        "issuer": why.issuer,
        "identity": why.identity,
        "tenant": None if why.tenancy is None else why.tenancy.tenant,
        "checks": [{"code": c.code, "outcome": c.outcome, "detail": c.detail} for c in why.checks],
        "notes": list(why.notes),
        "unmapped": list(why.unmapped),
        "permissions": sorted(format_permission(name, reach) for name, reach in why.rights.items()),
        "graphs": None if why.graphs is None else sorted(why.graphs),
        "refusal": why.refusal,
    }


def _print(why: Explanation, *, claims_only: bool) -> None:
    screen = console()
    if any(check.outcome in COLOURS for check in why.checks):
        print_table(screen, "What was checked", _checks(why))
    for heading, lines in (("issuer", [why.issuer]), ("identity", [why.identity]), *_facts(why)):
        # Of a refused token neither may be known.
        for line in filter(None, lines):
            screen.print(f"{heading:<10}{line}", markup=False, soft_wrap=True)
    if why.refusal:
        screen.print(f"[bold red]REFUSED[/]   {escape(why.refusal)}", soft_wrap=True)
    else:
        print_matrix(screen, "What is allowed", {"reach": why.rights})
    if claims_only:
        screen.print(UNVERIFIED_NOTE, markup=False, soft_wrap=True)


def _facts(why: Explanation) -> list[tuple[str, list[str]]]:
    tenant = [] if why.tenancy is None else [why.tenancy.tenant or "none: @tenant rights vanish"]
    graphs = [] if why.graphs is None else [", ".join(sorted(why.graphs)) or "none may be started"]
    beyond = ", ".join(check.code for check in why.checks if check.outcome == "not reached")
    not_reached = [f"not reached: {beyond}"] if beyond else []
    return [
        ("tenant", tenant),
        ("checks", not_reached),
        ("map", [*why.notes]),
        ("unmapped", [*why.unmapped]),
        ("graphs", graphs),
    ]


def _checks(why: Explanation) -> Table:
    table = Table("check", "outcome", "detail")
    for row in (check for check in why.checks if check.outcome in COLOURS):
        table.add_row(row.code, f"[{COLOURS[row.outcome]}]{row.outcome}[/]", escape(row.detail))
    return table


@click.command()
@click.argument("names", nargs=-1, metavar="[FILE] PERMISSION")
@claims_option
@token_option
@json_option
def can(names: tuple[str, ...], claims_file: IO[str] | None, token_file: IO[str] | None, *, as_json: bool) -> None:
    """Tell whether claims or a token give a permission, such as threads:delete or threads:read@tenant.

    A token is verified, as explain does it. Exit status 0 for yes, 1 for no.
    """
    if not names or names[2:]:
        raise click.UsageError("one permission is expected, and before it at most one file")
    file, permission = Path(names[0]) if names[1:] else None, names[-1]
    _check_name(permission)
    why = _explain_input(file, claims_file, token_file)
    allowed = why.allows(permission)
    reason = "" if allowed else why.refusal or _missing(why, permission)
    if as_json:
        print_json({"permission": permission, "allowed": allowed, "reason": reason})
    else:
        click.echo("yes" if allowed else f"no: {reason}")
    raise SystemExit(0 if allowed else 1)


def _check_name(permission: str) -> None:
    try:
        name, _ = split_reach(permission)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if "*" in name:
        raise click.UsageError(f"{permission!r} stands for several permissions: ask about one, such as threads:read")
    if name not in NAMES:
        known = "the names are in docs/permissions.md, such as threads:read"
        raise click.UsageError(f"unknown permission {name!r}: {did_you_mean(name, NAMES) or known}")


def _missing(why: Explanation, permission: str) -> str:
    name, _ = split_reach(permission)
    if name in why.rights:
        return f"{format_permission(name, why.rights[name])} reaches less far"
    group = narrowest_group(name)
    return f"missing permission {permission}" + (f" ({group} includes it)" if group else "")


@click.command()
@file_argument
@claims_option
@token_option
@json_option
def store_label(file: Path | None, claims_file: IO[str] | None, token_file: IO[str] | None, *, as_json: bool) -> None:
    """Print the store label of the user whom claims or a token name: the first part of each of their namespaces.

    A token is verified, as explain does it. Exit status 1 when nobody is named.
    """
    why = _explain_input(file, claims_file, token_file)
    if not why.identity:
        raise click.ClickException(why.refusal)
    own = make_store_label(why.identity, why.tenancy)
    if as_json:
        print_json({"identity": why.identity, "label": own})
    else:
        click.echo(own)
