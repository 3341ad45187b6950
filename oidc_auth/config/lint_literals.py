"""Warnings about the permissions that no pattern includes: ``threads:share`` and ``threads:resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..permissions.names import RESUME, SHARE
from .raw_document import read_strings, read_table, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table


def find_named_permissions(document: Table) -> frozenset[str]:
    """Return each name that a role or a permission map gives, as it is written, without its reach."""
    return frozenset(name.partition("@")[0] for name in _given_names(document))


def find_approval_warnings(document: Table) -> Iterator[str]:
    """Yield where ``langgraph.resume`` and the permissions do not fit together."""
    resume, named = read_table(document.get("langgraph")).get("resume", "run"), find_named_permissions(document)
    if resume == "run":
        if RESUME in named:
            yield (
                f'langgraph.resume is "run": {RESUME} only lets callers read, and threads:create_run resumes runs. Set '
                'langgraph.resume = "permission" or "other"'
            )
    elif RESUME not in named:
        yield f"langgraph.resume: no caller can resume a paused run: no role or permission map names {RESUME}"
    if resume == "other":
        if SHARE not in named:
            yield f"langgraph.resume: no caller can name an approver: no role or permission map names {SHARE}"
        # Filters have no "not", so a reach cannot exclude the owner.
        if reaches := sorted({name for name in _given_names(document) if name.startswith(f"{RESUME}@")}):
            yield (
                f'{", ".join(reaches)}: with langgraph.resume = "other", only approvers of a thread resume its runs. '
                'For an approver role, set langgraph.resume = "permission"'
            )


def _given_names(document: Table) -> Iterator[str]:
    for role in read_table(document.get("roles")).values():
        yield from read_strings(read_table(role).get("permissions"))
    for _, issuer in read_tables(document.get("issuer")):
        for _, permission_map in read_tables(issuer.get("permission_map")):
            yield from read_strings(permission_map.get("accept"))
            for names in read_table(permission_map.get("values")).values():
                yield from read_strings(names)
