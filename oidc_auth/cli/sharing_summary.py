"""The part of ``oidc-auth check`` about sharing and approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Column, Table

from ..config.lint_literals import find_named_permissions
from ..permissions.names import SHARE, expand, split_reach
from ..permissions.permission_maps import Right, merge_rights
from ..permissions.shared_access import RESUME_RULES, SharedAccess, describe_sharing, describe_threads
from ..tokens.claim_path import format_path
from .output import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console

    from ..config.schema import Document
    from ..permissions.names import Reach

    Columns = Mapping[str, Mapping[str, Reach]]


def sharing_to_json(document: Document, roles: Columns, values: Columns) -> dict[str, Any]:
    """Return who can share and approve, as JSON."""
    access, holders = _shared_access(document), _holders(document, roles, values)
    return {
        "sharing": access.sharing,
        "resume": access.resume,
        "can_share": {name: list(access.shareable(given)) for name, given in holders.items()},
        "can_approve": {name: list(access.approvable(given)) for name, given in holders.items()},
    }


def describe_sharing_rules(document: Document) -> Iterator[tuple[str, str]]:
    """Yield a label and a text: whether threads can be shared, and who may resume a paused run."""
    access = _shared_access(document)
    yield "sharing ", "on" if access.sharing else f"off, because no role or permission map names {SHARE}"
    yield "resume  ", f'"{access.resume}": {RESUME_RULES[access.resume]}'


def print_sharing(screen: Console, document: Document, roles: Columns, values: Columns) -> None:
    """Print who can share and approve, unless callers approve the runs of their own threads only."""
    access = _shared_access(document)
    if not access.sharing and access.resume == "run":
        return
    columns = (Column("can share", overflow="fold"), Column("can approve", overflow="fold"))
    table = Table(Column("", no_wrap=True), *columns)
    for name, given in _holders(document, roles, values).items():
        approvals = describe_threads(access.approvable(given))
        table.add_row(escape(name), describe_sharing(given, access), approvals)
    print_table(screen, "Sharing and approvals", table)


def _shared_access(document: Document) -> SharedAccess:
    return SharedAccess(SHARE in find_named_permissions(document.model_dump()), document.langgraph.resume)


def _holders(document: Document, roles: Columns, values: Columns) -> Columns:
    """Return the permissions of each role and claim value, and of a claim with all accepted names."""
    return {**roles, **values, **dict(_accepted(document))}


def _accepted(document: Document) -> Iterator[tuple[str, Mapping[str, Reach]]]:
    for issuer in document.issuer:
        for permission_map in issuer.permission_map:
            if permission_map.accept:
                yield f"{format_path(tuple(permission_map.claim))}, all names", _rights(permission_map.accept)


def _rights(names: Iterable[str]) -> Mapping[str, Reach]:
    pairs = [split_reach(text) for text in names]
    return merge_rights(Right(name, reach) for pattern, reach in pairs for name in expand(pattern))
