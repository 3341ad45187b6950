"""``oidc-auth assign-owners``: set owners of the objects of an older deployment.

It runs before ``protect`` is in place, because a protected server lets no update change an owner. It does not change
objects that have an owner, so an interrupted run can be repeated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import click
import httpx
from rich.progress import Progress
from rich.table import Table

from ..enforcement.limits import built_in_assistant
from ..enforcement.reserved_keys import CREATED_BY, OWNER, SYSTEM, TENANT
from ..keys.fetch import forbidden_url_reason
from ..tokens.checks import find_tenant, identity_fault
from ..tokens.claim_path import MISSING
from ..tokens.policy import IdentityClaim, TenantClaim
from .inputs import json_option, parse_server_url
from .output import console, print_json, print_table, print_text
from .stored_lists import plan_lists

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KINDS: Mapping[str, tuple[str, str]] = {
    "threads": ("/threads", "thread_id"),
    "assistants": ("/assistants", "assistant_id"),
    "crons": ("/runs/crons", "cron_id"),
}
"""The path of each kind of object, and the name of its ID."""
COUNT_HEADINGS: Mapping[str, str] = {
    "assigned": "assigned",
    "owned": "had an owner",
    "tenantless": "no tenant",
    "unmapped": "not in --map",
    "unknown": "no owner",
    "forged": "forged",
    "lists": "lists changed",
}
"""The counts and their headings."""
HINTS: Mapping[str, str] = {
    "tenantless": "Objects with an owner but no tenant are not changed. To add their tenant: "
    f"--owner-from {OWNER} --tenant-from KEY",
    "forged": f"Forged objects have {CREATED_BY}: {SYSTEM}, although the server did not create them. All users can see "
    "such assistants. The mark is removed if the owner is known. Delete the others.",
    "lists": "Lists of shared threads change in two cases. Renamed users get their new identity. Lists that clients "
    "wrote before protect() are emptied if the thread gets its owner.",
}
"""The explanation of some counts."""
ANY_IDENTITY = IdentityClaim(path=(OWNER,))
# Small pages, because a thread in a search answer has its whole state.
PAGE = 100
TIMEOUT = 30.0
"""Seconds for one request."""
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\x20-\x7e]*")
"""A header: a name (RFC 9110 §5.6.2) and printable characters."""
MAX_LISTED = 20
"""Names in the message about missing names."""
PROTECTED_HINT = (
    "Use the server without protect(), or send the credential of a user with access to all objects: --headers FILE"
)


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """How to find the owner of an object in its metadata.

    Attributes:
        owner_from: The key with the user's name.
        names: The identity of each name. None means that the name is the identity.
        tenant_from: The key with the tenant. None means that no tenant is written.
    """

    owner_from: str
    names: Mapping[str, str] | None
    tenant_from: str | None

    def find_owner(self, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the metadata to write, or None without an identity that a token can have."""
        owner = self.identity_in(metadata)
        # An owner that no token can have would lock the object away.
        if owner is None or identity_fault(ANY_IDENTITY, owner) is not None:
            return None
        if self.tenant_from is None:
            return {OWNER: owner}
        tenant = find_tenant(metadata, TenantClaim(path=(self.tenant_from,)))
        # An unusable tenant is not "no tenant": users without a tenant would share the object.
        return None if tenant is MISSING else {OWNER: owner, TENANT: tenant}

    def has_owner(self, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an object keeps its owner. Only a rule that reads ``owner`` changes an owner."""
        if OWNER not in metadata or self.owner_from != OWNER:
            return OWNER in metadata
        # An earlier run wrote such an owner, so that repeating the command changes nothing.
        renamed = self.names is None or metadata[OWNER] in self.names.values()
        return renamed and not self.lacks_tenant(metadata)

    def find_renamed(self) -> dict[str, str]:
        """Return the new identity of each renamed user. Lists of shared threads name users by their identity."""
        # Only a rule that reads ``owner`` renames identities. Other names are those of an application.
        names = self.names if self.names is not None and self.owner_from == OWNER else {}
        return {name: new for name, new in names.items() if identity_fault(ANY_IDENTITY, new) is None}

    def lacks_tenant(self, metadata: Mapping[str, Any]) -> bool:
        """Tell whether the tenant is wanted and missing."""
        return self.tenant_from is not None and TENANT not in metadata

    def name_in(self, metadata: Mapping[str, Any]) -> str:
        """Return the user's name, or ""."""
        name: object = metadata.get(self.owner_from)
        return name if isinstance(name, str) else ""

    def identity_in(self, metadata: Mapping[str, Any]) -> str | None:
        """Return the identity of the user's name, or None if the name is missing or not in the map."""
        name = self.name_in(metadata)
        if self.names is None or (self.owner_from == OWNER and name in self.names.values()):
            return name or None
        return self.names.get(name) if name else None


@dataclass(frozen=True, slots=True)
class Inventory:
    """The counts of each kind, and the names that are not in the map."""

    counts: dict[str, Counter[str]] = field(default_factory=dict[str, "Counter[str]"])
    unmapped: set[str] = field(default_factory=set[str])


@click.command(short_help="Set owners of the objects of an older deployment.")
@click.argument("url", callback=parse_server_url)
@click.option("--owner-from", metavar="KEY", required=True, help="The metadata key with the user's name.")
@click.option(
    "--map",
    "map_file",
    metavar="FILE",
    type=click.File("r", encoding="utf-8"),
    help='A JSON file: {"old name": "identity"}.',
)
@click.option("--tenant-from", metavar="KEY", help="The metadata key with the tenant.")
@click.option(
    "--headers",
    "headers_file",
    metavar="FILE",
    # A file, because other users of the machine can read arguments, and the shell keeps them.
    type=click.File("r", encoding="utf-8"),
    help="A file with headers to send, in lines 'name: value'.",
)
# Dry by default. A wrong --owner-from gives objects to other users, and a second run does not change owners.
@click.option("--write", is_flag=True, help="Write the owners. Without it, only count.")
@json_option
def assign_owners(
    url: str,
    owner_from: str,
    map_file: IO[str] | None,
    tenant_from: str | None,
    headers_file: IO[str] | None,
    *,
    write: bool,
    as_json: bool,
) -> None:
    """Set owners of the threads, assistants and crons of an older deployment.

    Run it against the server without protect(), with the credential of a user with access to all objects. First run it
    without --write. It does not change objects that have an owner, so you can repeat it. Exit code 1 if the server
    fails.
    """
    # The headers hold the credential of an administrator (RFC 6750 §5.3: always use TLS).
    if (why := forbidden_url_reason(url)) is not None:
        raise click.ClickException(f"Nothing was sent to {url}: {why}")
    names = _names(map_file)
    if owner_from == OWNER and names and any(names.get(one, one) != one for one in names.values()):
        raise click.ClickException(
            "--map: a name is an old name and also an identity. A second run would change it again."
        )
    owner_rule = OwnerRule(owner_from, names, tenant_from)
    try:
        # Plain http is for loopback addresses. A proxy of the environment would read the headers.
        proxied = httpx.URL(url).scheme == "https"
        headers = _headers(headers_file)
        with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, trust_env=proxied) as client:
            found = _assign_all(client, owner_rule, write=write)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise click.ClickException(f"{url}: {_error_text(error)}") from None
    if as_json:
        counts = {kind: dict(count) for kind, count in found.counts.items()}
        print_json({"written": write, **counts, "unmapped": sorted(found.unmapped)})
    else:
        _print(found, write=write)


def _error_text(error: Exception) -> str:
    """Return the message of an error. The message of httpx ends with a link about status codes."""
    if not isinstance(error, httpx.HTTPStatusError):
        return str(error)
    answer = error.response
    message = f"{answer.request.method} {answer.request.url.path}: the server answers {answer.status_code}"
    return f"{message}. {PROTECTED_HINT}" if answer.status_code in (401, 403) else message


def _assign_all(client: httpx.Client, owner_rule: OwnerRule, *, write: bool) -> Inventory:
    found_all = Inventory()
    screen = console(stderr=True)
    # Without a terminal, even a transient bar leaves an empty line.
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        for kind, (path, id_name) in KINDS.items():
            task = progress.add_task(kind, total=_send(client, "POST", f"{path}/count", {}))
            # All headings, because a script that reads the JSON expects the same keys for each server.
            found_all.counts[kind] = count = Counter(dict.fromkeys(COUNT_HEADINGS, 0))
            for found in _all(client, path):
                plan = _plan(found, owner_rule)
                if kind == "threads":
                    plan = _add_lists(plan, found["metadata"] or {}, owner_rule)
                if write and plan.writes:
                    _write(client, f"{path}/{found[id_name]}", plan.writes)
                count.update({plan.outcome: 1, "forged": int(plan.forged), "lists": int(plan.lists)})
                if plan.outcome == "unmapped":
                    found_all.unmapped.add(owner_rule.name_in(found["metadata"]))
                progress.advance(task)
    return found_all


class Plan(NamedTuple):
    """The change of one object.

    Attributes:
        outcome: ``assigned``, ``owned`` (it had an owner), ``tenantless`` (it has an owner but no tenant), ``unmapped``
            (its name is not in the map) or ``unknown`` (no identity that a token can have).
        writes: The metadata to write. Empty if it is not changed.
        forged: Whether it has the mark of built-in assistants, but is not one.
        lists: Whether its lists of users change.
    """

    outcome: str
    writes: Mapping[str, Any]
    forged: bool
    lists: bool = False


def _plan(found: Mapping[str, Any], owner_rule: OwnerRule) -> Plan:
    metadata: Mapping[str, Any] = found["metadata"] or {}
    marked = metadata.get(CREATED_BY) == SYSTEM
    # The server creates them at start, for all users. They need no owner.
    if marked and _built_in(found):
        return Plan("owned", {}, forged=False)
    mine = {} if owner_rule.has_owner(metadata) else owner_rule.find_owner(metadata)
    if mine is None:
        # Counted apart, because a longer --map gives these an owner.
        unmapped = owner_rule.name_in(metadata) and owner_rule.identity_in(metadata) is None
        return Plan("unmapped" if unmapped else "unknown", {}, forged=marked)
    # All users can see marked objects. The server merges metadata, so a key cannot be removed, only emptied.
    if writes := {**mine, **({CREATED_BY: None} if marked else {})}:
        return Plan("assigned", writes, forged=marked)
    return Plan("tenantless" if owner_rule.lacks_tenant(metadata) else "owned", {}, forged=False)


def _add_lists(plan: Plan, metadata: Mapping[str, Any], owner_rule: OwnerRule) -> Plan:
    """Return the plan with the lists of a thread. A thread without an owner stays as it is."""
    owner: object = plan.writes.get(OWNER, metadata.get(OWNER))
    if owner is None:
        return plan
    lists = plan_lists(metadata, owner_rule.find_renamed(), owner)
    return plan._replace(writes={**plan.writes, **lists}, lists=bool(lists))


def _built_in(found: Mapping[str, Any]) -> bool:
    """Tell whether an object is the built-in assistant of a graph, by its ID."""
    # The mark alone proves nothing, because clients could write it before protect() was used.
    graph: object = found.get("graph_id")
    return isinstance(graph, str) and found.get("assistant_id") == built_in_assistant(graph)


def _write(client: httpx.Client, path: str, metadata: Mapping[str, Any]) -> None:
    # Compared, because with protect() the server answers 200 and does not store the keys.
    stored = _send(client, "PATCH", path, {"metadata": metadata})["metadata"]
    if any(stored.get(key) != text for key, text in metadata.items()):
        raise ValueError("The server did not store the owner, because protect() is active. Use the server without it.")


def _all(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    """Yield all objects, oldest first, so that new objects do not move the pages."""
    offset = 0
    while True:
        body = {"limit": PAGE, "offset": offset, "sort_by": "created_at", "sort_order": "asc"}
        page = cast("list[dict[str, Any]]", _send(client, "POST", f"{path}/search", body))
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE


def _send(client: httpx.Client, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - any JSON
    # An error ends the command. What is written stays, and the next run continues there.
    return client.request(method, path, json=body).raise_for_status().json()


def _names(stream: IO[str] | None) -> dict[str, str] | None:
    if stream is None:
        return None
    try:
        names: object = json.load(stream)
    except ValueError as error:
        raise click.ClickException(f"--map: not JSON: {error}") from None
    if not isinstance(names, dict) or not all(
        isinstance(name, str) for name in cast("dict[str, object]", names).values()
    ):
        raise click.ClickException('--map: expected a JSON object: {"old name": "identity"}')
    return cast("dict[str, str]", names)


def _headers(stream: IO[str] | None) -> dict[str, str]:
    lines = [line.strip() for line in stream or () if line.strip()]
    if not all(HEADER.fullmatch(line) for line in lines):
        # The line can be a secret, so the message does not quote it.
        raise click.ClickException("--headers: expected lines 'name: value' in ASCII, without control characters.")
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def _print(found: Inventory, *, write: bool) -> None:
    screen, table = console(), Table()
    for heading in ("", *COUNT_HEADINGS.values()):
        table.add_column("to assign" if heading == "assigned" and not write else heading)
    for kind, count in found.counts.items():
        table.add_row(kind, *(str(count[name]) for name in COUNT_HEADINGS))
    print_table(screen, "Assigned owners" if write else "Dry run: nothing was written", table)
    for line in _remarks(found, write=write):
        print_text(screen, line)


def _remarks(found: Inventory, *, write: bool) -> Iterator[str]:
    if found.unmapped:
        more = len(found.unmapped) - MAX_LISTED
        listed = ", ".join(repr(name) for name in sorted(found.unmapped)[:MAX_LISTED])
        yield f"Not in --map: {listed}{f' and {more} more (--json lists all)' if more > 0 else ''}"
    total = sum(found.counts.values(), Counter[str]())
    if total["unmapped"] + total["unknown"]:
        yield "Objects without an owner are not changed. Only users with @all permissions will see them."
    yield from (hint for name, hint in HINTS.items() if total[name])
    if not write and total["assigned"] + total["lists"]:
        yield "To write the owners, add --write."
