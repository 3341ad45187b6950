"""``oidc-auth explain``, ``can`` and ``label``: what claims or a token give, and why."""

from __future__ import annotations

import asyncio
import json
from typing import IO, TYPE_CHECKING, Any

import click

from ..permissions.caller import label_of
from ..permissions.names import spelled
from .inputs import claims_option, file_argument, json_option, loaded, read_claims, read_token

if TYPE_CHECKING:
    from pathlib import Path

    from ..auth import OIDCAuth
    from ..permissions.explain import Explanation


@click.command()
@file_argument
@click.option(
    "--claims", "claims_file", type=click.File("r", encoding="utf-8"), help="A file with claims; - for stdin."
)
@click.option("--token-file", type=click.File("r", encoding="utf-8"), help="A file with a token; - for stdin.")
@json_option
def explain(file: Path, claims_file: IO[str] | None, token_file: IO[str] | None, *, as_json: bool) -> None:
    """Explain what a token gives, and why: each check, each grant, and values that came near.

    Claims alone need no network, and their signature is not checked. A token, from --token-file or the variable
    OIDC_AUTH_TOKEN, is verified with the issuer's keys; it is never printed. Exit status 1 when it is refused.
    """
    oidc = loaded(file)
    if claims_file is not None:
        why = oidc.explain(read_claims(claims_file))
    else:
        why = asyncio.run(_explain_token(oidc, read_token(token_file)))
    click.echo(json.dumps(_described(why)) if as_json else str(why))
    if claims_file is not None and not as_json:
        click.echo("(claims only: neither signature nor time says that they are anybody's)")
    raise SystemExit(1 if why.refusal else 0)


async def _explain_token(oidc: OIDCAuth, token: str) -> Explanation:
    async with oidc:
        return await oidc.explain_token(token)


def _described(why: Explanation) -> dict[str, Any]:
    return {
        "issuer": why.issuer,
        "identity": why.identity,
        "tenant": None if why.tenancy is None else why.tenancy.tenant,
        "checks": [{"code": c.code, "outcome": c.outcome, "detail": c.detail} for c in why.checks],
        "notes": list(why.notes),
        "permissions": sorted(spelled(name, reach) for name, reach in why.rights.items()),
        "graphs": None if why.graphs is None else sorted(why.graphs),
        "refusal": why.refusal,
    }


@click.command()
@file_argument
@claims_option
@click.argument("permission")
def can(file: Path, claims_file: IO[str], permission: str) -> None:
    """Tell whether claims give a permission, such as threads:delete or threads:read@tenant: exit status 0 or 1."""
    why = loaded(file).explain(read_claims(claims_file))
    try:
        allowed = why.allows(permission)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo("yes" if allowed else f"no: {why.refusal}" if why.refusal else "no")
    raise SystemExit(0 if allowed else 1)


@click.command()
@file_argument
@claims_option
def label(file: Path, claims_file: IO[str]) -> None:
    """Print the store label of the user whom claims name: the first part of each of their namespaces."""
    why = loaded(file).explain(read_claims(claims_file))
    if not why.identity:
        raise click.ClickException(why.refusal)
    click.echo(label_of(why.identity, why.tenancy))
