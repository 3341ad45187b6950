"""``oidc-auth explain``, ``can`` and ``store-label``: the effect of claims or of a token."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Column, Table

from ..config.build import build
from ..config.raw_document import did_you_mean
from ..errors import ErrorCode, TokenError
from ..observability import EventReporter
from ..permissions.caller import make_store_label
from ..permissions.explain import NO_TENANT
from ..permissions.names import NAMES, format_permission, narrowest_group, split_reach
from ..tokens.checks import CLAIM_CHECKS
from .inputs import claims_option, file_argument, json_option, open_auth, read_claims, read_token, token_option
from .output import console, print_json, print_matrix, print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..authentication import OIDCAuth
    from ..permissions.explain import Explanation
    from ..tokens.policy import TokenPolicy

COLOURS = {"passed": "green", "failed": "bold red", "not checked": "dim"}
LABEL_WIDTH = 10
CHECKED_IF_PRESENT: Mapping[ErrorCode, str] = {
    ErrorCode.AUDIENCE_MISMATCH: "aud",
    ErrorCode.TOKEN_EXPIRED: "exp",
    ErrorCode.TOKEN_NOT_YET_VALID: "nbf",
    ErrorCode.TOKEN_ISSUED_IN_FUTURE: "iat",
    ErrorCode.TOKEN_TOO_OLD: "iat",
}
"""Checks of a claim that people often leave out when they write claims by hand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An explanation of claims or of a token.

    Attributes:
        why: The explanation.
        not_checked: What was not checked. Empty for a token.
    """

    why: Explanation
    not_checked: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What was not checked, as a sentence, or ""."""
        if not self.not_checked:
            return ""
        return f"Unverified claims. Not checked: {', '.join(self.not_checked)}. To verify a token, use --token-file."


@click.command(short_help="Show what a token gives, and why.")
@file_argument
@claims_option
@token_option
@click.option("--verbose", is_flag=True, help="Also show the checks that did not run.")
@json_option
def explain(
    file: Path | None, claims_file: IO[str] | None, token_file: IO[str] | None, *, verbose: bool, as_json: bool
) -> None:
    """Show what claims or a token give, and why.

    It shows each check, each permission map, and values that almost match. Claims need no network, and their signature
    is not checked. A token from --token-file or OIDC_AUTH_TOKEN is verified with the issuer's keys. It is never
    printed. Exit code 1 if the server would refuse it.
    """
    answer = _explain_input(file, claims_file, token_file)
    if as_json:
        print_json(_to_json(answer) | ({"not_run": list(answer.why.not_run)} if verbose else {}))
    else:
        _print(answer, verbose=verbose)
    raise SystemExit(1 if answer.why.refusal else 0)


def _explain_input(file: Path | None, claims_file: IO[str] | None, token_file: IO[str] | None) -> Answer:
    """Explain claims, or verify and explain a token."""
    oidc = open_auth(file)
    # They can describe two users, and one would be ignored without a message.
    if claims_file is not None and token_file is not None:
        raise click.UsageError("Use --claims or --token-file, not both.")
    if claims_file is not None:
        return explain_claims(oidc, read_claims(claims_file), time.time())
    return Answer(asyncio.run(_explain_token(oidc, read_token(token_file))))


async def _explain_token(oidc: OIDCAuth, token: str) -> Explanation:
    async with oidc:
        return await oidc.explain_token(token)


def explain_claims(oidc: OIDCAuth, claims: Mapping[str, object], now: float) -> Answer:
    """Explain claims as the server would decide, except for their signature.

    ``OIDCAuth.explain`` does not check audience and time, so that tests can leave out these claims. A claim that is
    present is checked here, because the server would refuse the token.
    """
    why = oidc.explain(claims)
    # Built again, because OIDCAuth shows no policy. Building fetches nothing.
    mapping = build(oidc.loaded.document, fetcher=None, reporter=EventReporter()).mapping
    if why.issuer not in mapping:
        return Answer(why, ("signature",))
    refusals = _refusals(claims, mapping[why.issuer].policy, now)
    # The explanation already has the text with the hint.
    refusals |= {check.code: check.detail for check in why.checks if check.code in refusals and check.detail}
    present = {code: refusals.get(code, "") for code, claim in CHECKED_IF_PRESENT.items() if claim in claims}
    checks = tuple(
        replace(check, outcome="failed" if present[check.code] else "passed", detail=present[check.code])
        if check.code in present
        else check
        for check in why.checks
    )
    # In the order of the server, which reports the first failed check only.
    refusals_in_order = [f"{check.code}: {check.detail}" for check in checks if check.outcome == "failed"]
    refusals_in_order += [why.refusal, *(f"{code}: {detail}" for code, detail in present.items() if detail)]
    refusal = next(filter(None, refusals_in_order), "")
    # Two checks read iat, and the note names it once.
    missing = dict.fromkeys(CHECKED_IF_PRESENT[code] for code in refusals if code not in present)
    return Answer(replace(why, checks=checks, refusal=refusal), ("signature", *missing))


def _refusals(claims: Mapping[str, object], policy: TokenPolicy, now: float) -> dict[ErrorCode, str]:
    """Return the expected and the found value of each audience and time check that refuses."""
    refusals: dict[ErrorCode, str] = {}
    for check in CLAIM_CHECKS:
        # The rules of the verifier itself, so that the command and the server never disagree.
        if check.code in CHECKED_IF_PRESENT:
            try:
                check.rule(claims, policy, now)
            except TokenError as error:
                refusals[check.code] = f"expected {error.expected or '-'}; found {error.found or '-'}"
    return refusals


def _to_json(answer: Answer) -> dict[str, Any]:
    why = answer.why
    return {
        "issuer": why.issuer,
        "identity": why.identity,
        "tenant": None if why.tenancy is None else why.tenancy.tenant,
        "checks": [{"code": c.code, "name": c.name, "outcome": c.outcome, "detail": c.detail} for c in why.checks],
        "notes": list(why.notes),
        "unmapped": list(why.unmapped),
        # A script that ignores the refusal must not see permissions.
        "permissions": [] if why.refusal else sorted(format_permission(*right) for right in why.rights.items()),
        "graphs": None if why.graphs is None else sorted(why.graphs),
        "can_share": list(why.can_share),
        "can_approve": list(why.can_approve),
        "resume_graphs": None if why.resume_graphs is None else sorted(why.resume_graphs),
        "refusal": why.refusal,
        "not_checked": list(answer.not_checked),
    }


def _print(answer: Answer, *, verbose: bool) -> None:
    screen, why = console(), answer.why
    if why.checks:
        print_table(screen, "Checks", _checks(why, verbose=verbose))
    if verbose and why.not_run:
        print_text(screen, ", ".join(why.not_run), label=f"{'not run':<{LABEL_WIDTH}}")
    for label, lines in (("issuer", [why.issuer]), ("identity", [why.identity]), *_facts(why)):
        # The issuer and the identity of a refused token may be unknown.
        for line in filter(None, lines):
            print_text(screen, line, label=f"{label:<{LABEL_WIDTH}}")
    if why.refusal:
        print_text(screen, why.refusal, label=f"{'REFUSED':<{LABEL_WIDTH}}", style="bold red")
    if why.rights:
        # The claims of an old token still show what a new one gives.
        title = "Permissions without this refusal" if why.refusal else "Permissions"
        print_matrix(screen, title, {"reach": why.rights})
    if answer.note:
        print_text(screen, answer.note)


def _facts(why: Explanation) -> list[tuple[str, list[str]]]:
    tenant = [] if why.tenancy is None else [why.tenancy.tenant or NO_TENANT]
    graphs = [] if why.graphs is None else [", ".join(sorted(why.graphs)) or "none"]
    found = [("tenant", tenant), ("map", [*why.notes]), ("unmapped", [*why.unmapped]), ("graphs", graphs)]
    if why.refusal:
        return found
    # The two questions that the table of permissions does not answer: it does not show the mode of langgraph.resume.
    return [*found, *((label, [text]) for label, text in why.shared_access.items())]


def _checks(why: Explanation, *, verbose: bool) -> Table:
    table = Table(Column("check", no_wrap=True), Column("outcome", no_wrap=True), Column("detail", overflow="fold"))
    for check in why.checks:
        if check.outcome == "not checked" and not verbose:
            continue
        # The line REFUSED has the same text.
        detail = "" if check.detail and check.detail in why.refusal else check.detail
        table.add_row(check.name, f"[{COLOURS[check.outcome]}]{check.outcome}[/]", escape(detail))
    return table


@click.command(short_help="Tell whether a token gives a permission.")
@click.argument("names", nargs=-1, metavar="[FILE] PERMISSION")
@claims_option
@token_option
@json_option
def can(names: tuple[str, ...], claims_file: IO[str] | None, token_file: IO[str] | None, *, as_json: bool) -> None:
    """Tell whether claims or a token give a permission.

    Examples of permissions are threads:delete and threads:read@tenant. A token is verified. In claims, issuer, audience
    and times are checked if present. Exit code 0 means yes, 1 means no.
    """
    # click would take a single argument as FILE, because it fills arguments from the left.
    if not names or names[2:]:
        raise click.UsageError("Expected [FILE] PERMISSION. Example: oidc-auth can oidc-auth.toml threads:read")
    file, permission = Path(names[0]) if names[1:] else None, names[-1]
    _check_name(permission)
    answer = _explain_input(file, claims_file, token_file)
    # A refusal allows nothing, also if the claims would give the permission.
    allowed = answer.why.allows(permission)
    reason = "" if allowed else answer.why.refusal or _missing(answer.why, permission)
    if as_json:
        facts = {"permission": permission, "allowed": allowed, "reason": reason}
        print_json({**facts, "not_checked": list(answer.not_checked)})
    elif allowed:
        click.echo("yes")
    else:
        print_text(console(), reason, label="no: ")
    if answer.note and not as_json:
        # Scripts read the answer from standard output.
        print_text(console(stderr=True), answer.note)
    raise SystemExit(0 if allowed else 1)


def _check_name(permission: str) -> None:
    try:
        name, _ = split_reach(permission)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # A pattern asks several questions, and the exit code has one answer.
    if "*" in name:
        raise click.UsageError(f"{permission!r} is several permissions. Use one, such as threads:read.")
    if name not in NAMES:
        known = "The page docs/permissions.md lists all names, such as threads:read."
        raise click.UsageError(f"unknown permission {name!r}: {did_you_mean(name, NAMES) or known}")


def _missing(why: Explanation, permission: str) -> str:
    name, _ = split_reach(permission)
    if name in why.rights:
        return f"expected {permission}; found {format_permission(name, why.rights[name])}"
    # The narrowest one, so that the advice does not give more than is missing.
    group = narrowest_group(name)
    return f"missing permission {permission}" + (f" ({group} includes it)" if group else "")


@click.command(short_help="Print the store label of a user.")
@file_argument
@claims_option
@token_option
@json_option
def store_label(file: Path | None, claims_file: IO[str] | None, token_file: IO[str] | None, *, as_json: bool) -> None:
    """Print the store label of a user.

    The label is the first part of each store namespace of the user. A token is verified. Exit code 1 if the claims
    have no usable identity.
    """
    why = _explain_input(file, claims_file, token_file).why
    # Claims of an expired token have a label too: it depends on identity and tenant only.
    if not why.identity:
        raise click.ClickException(why.refusal)
    own = make_store_label(why.identity, why.tenancy)
    if as_json:
        print_json({"identity": why.identity, "label": own})
    else:
        click.echo(own)
