"""Checks that two people never get the same identity, within one issuer and across issuers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Problem
from .issuers import list_issuers
from .raw_document import read_conditions, read_path, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .raw_document import Condition, Table


def lint_identity(table: Table, where: str) -> Iterator[Problem]:
    """Yield the problems of the claims that name the caller."""
    required = read_conditions(table.get("require"))
    for number, source in read_tables(table.get("identity")):
        if read_path(source.get("claim")) == ("email",) and not requires_verified(required, "email"):
            hint = "add [issuer.require] email_verified = true, or use a claim that never changes, such as sub"
            yield Problem(f"{where}.identity[{number}]", "an unverified e-mail address can be anyone's", hint)
    prefixes = [source.get("prefix", "") for _, source in read_tables(table.get("identity"))]
    # A user who can choose one of the claims could have the identity of another user.
    if len(prefixes) != len({str(prefix) for prefix in prefixes}):
        hint = 'give each claim its own prefix, such as "client:"; one prefix may be empty'
        yield Problem(f"{where}.identity", "two claims can produce the same identity", hint)


def requires_verified(conditions: Iterable[Condition], claim: str) -> bool:
    """Tell whether conditions require that the provider verified an e-mail address or a phone number."""
    wanted = (f"{claim}_verified",)
    return any(each.path == wanted and each.values == ["true"] for each in conditions)


def lint_several_issuers(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    """Yield the problems of several issuers together."""
    yield from _lint_duplicates(issuers)
    if len(issuers) < 2:  # noqa: PLR2004 - one issuer needs no prefix
        return
    yield from _lint_prefixes(issuers)
    hint = 'write one for each issuer, such as "ci:"; one of them may be ""'
    empty = [number for number, table in issuers if table.get("identity_prefix") == ""]
    for number, table in issuers:
        where = f"issuer[{number}].identity_prefix"
        # sub is unique only within its issuer (OpenID Connect Core §2).
        if table.get("identity_prefix") is None:
            yield Problem(where, "is missing: two issuers can use the same sub", hint)
        elif number in empty[1:]:
            yield Problem(where, "another issuer already has ''", hint)


def _lint_duplicates(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    # A second table for the same issuer, also through an alias or a tenant, would have no effect.
    seen: set[str] = set()
    for number, table in issuers:
        for issuer in (exact.issuer for exact in list_issuers(table)):
            if issuer in seen:
                yield Problem(f"issuer[{number}].issuer", f"{issuer!r} is configured twice", "write each issuer once")
            seen.add(issuer)


def _lint_prefixes(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    # "a" + "bob" and "ab" + "ob" are the same identity.
    full = [(number, prefix) for number, table in issuers for prefix in _full_prefixes(table)]
    for number, prefix in full:
        others = {other for n, other in full if n != number}
        if prefix and any(other.startswith(prefix) for other in others):
            hint = 'no prefix may begin with another one; for example "ci:" and "sso:"'
            yield Problem(f"issuer[{number}].identity_prefix", f"another issuer's prefix begins with {prefix!r}", hint)


def _full_prefixes(table: Table) -> list[str]:
    own = table.get("identity_prefix")
    sources = [source.get("prefix", "") for _, source in read_tables(table.get("identity"))] or [""]
    return [f"{own}{source}" for source in sources] if isinstance(own, str) else []
