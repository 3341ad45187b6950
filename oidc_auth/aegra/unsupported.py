"""Settings that Aegra cannot enforce. Each is an error of the configuration, with its own reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Problem
from ..permissions.names import Reach, UnknownPermissionError, split_reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..config.schema import Document
    from ..config.schema_server import LangGraphTable

REACHES: Mapping[Reach, tuple[str, str]] = {
    Reach.TENANT: (
        "Aegra shows a user only own objects. No filter can add those of the tenant",
        "write it without @tenant",
    ),
    Reach.ALL: (
        "Aegra shows a user only own objects. An administrator cannot reach those of others",
        "write it without @all, and read objects of others in the database",
    ),
}
NAMES: Mapping[str, tuple[str, str]] = {
    "threads:share": (
        "Aegra shows a thread only to its owner. The users in shared_with would get 404",
        "remove it. langgraph-api can share threads",
    ),
    "threads:resume": (
        "Aegra lets only the owner of a thread resume a run. Another user could never approve it",
        "remove it. langgraph-api can ask for approvals",
    ),
}


def find_unsupported(document: Document) -> Iterator[Problem]:
    """Yield the settings of a valid configuration that Aegra cannot enforce."""
    for where, text in _rights(document):
        if (fault := _fault(text)) is not None:
            reason, hint = fault
            yield Problem(where, f"{text!r}: {reason}", hint)
    yield from _find_settings(document.langgraph)
    if document.web is not None and document.web.stream_expiry == "close":
        reason = "Aegra's streams do not pass through oidc_auth.web, so they run until their end"
        yield Problem("web.stream_expiry", reason, "remove it, and keep the lifetime of tokens short")


def _rights(document: Document) -> Iterator[tuple[str, str]]:
    """Yield each right in the configuration, with its key path."""
    for name, role in document.roles.items():
        yield from ((f"roles.{name}", text) for text in role.permissions)
    for number, issuer in enumerate(document.issuer):
        for position, permission_map in enumerate(issuer.permission_map):
            where = f"issuer[{number}].permission_map[{position}]"
            yield from ((f"{where}.accept", text) for text in permission_map.accept or ())
            for value, names in (permission_map.values or {}).items():
                yield from ((f"{where}.values.{value}", text) for text in names)


def _fault(text: str) -> tuple[str, str] | None:
    try:
        name, reach = split_reach(text)
    except UnknownPermissionError:
        # The name of a role.
        return None
    return NAMES.get(name) or REACHES.get(reach)


def _find_settings(langgraph: LangGraphTable) -> Iterator[Problem]:
    # Only a setting that the operator wrote: the default promises nothing.
    if "cron_max_age" in langgraph.model_fields_set:
        reason = "Aegra runs crons without asking, so a cron runs until it is deleted"
        yield Problem("langgraph.cron_max_age", reason, 'remove it, or write crons = "deny"')
    if langgraph.resume != "run":
        reason, hint = NAMES["threads:resume"]
        yield Problem("langgraph.resume", reason, hint)
