"""``oidc-auth assign-owners URL``: stamp an owner on what an older deployment left without one, or it is nobody's.

It speaks to the server as it was before ``protect``: afterwards no update writes an owner any more. What has its owner
is not touched, so an interrupted run is simply started again.
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

from ..enforcement.graph_limits import built_in_assistant
from ..enforcement.metadata_keys import CREATED_BY, OWNER, SYSTEM, TENANT
from ..keys.fetch import forbidden_url_reason
from ..tokens.checks import find_tenant, identity_fault
from ..tokens.claim_path import MISSING
from ..tokens.policy import IdentityClaim, TenantClaim
from .inputs import json_option
from .output import console, print_json, print_marked, print_table
from .server_address import server_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KINDS: Mapping[str, tuple[str, str]] = {
    "threads": ("/threads", "thread_id"),
    "assistants": ("/assistants", "assistant_id"),
    "crons": ("/runs/crons", "cron_id"),
}
"""What has an owner: the path below which it lies, and the name of its id."""
COUNT_HEADINGS: Mapping[str, str] = {
    "stamped": "stamped",
    "owned": "owned already",
    "tenantless": "owned, no tenant",
    "unmapped": "not in --map",
    "unknown": "unknown whose",
    "forged": "of these forged",
}
"""What is counted, and its heading."""
HINTS: Mapping[str, str] = {
    "tenantless": f"What has an owner is left alone: --owner-from {OWNER} --tenant-from KEY adds the tenant to it.",
    "forged": f"A user has marked what is forged as the server's own ({CREATED_BY}: {SYSTEM}), and everybody may see "
    "such an assistant. The mark is taken away where the owner is known; delete the others.",
}
"""What to say about what was counted."""
ANY_IDENTITY = IdentityClaim(path=(OWNER,))
PAGE = 100
TIMEOUT = 30.0
"""Seconds for one request."""
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\x20-\x7e]*")
"""A header field: a name (RFC 9110 §5.6.2) and printable characters."""
MAX_LISTED = 20
"""Names that are listed where the map lacks them."""
PROTECTED_HINT = (
    "Run this against the server as it was before protect(), or send with --headers what it asks for, of somebody who "
    "sees everything"
)


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """How the owner of an object is read from its metadata.

    Attributes:
        owner_from: the key that holds the user's name.
        names: each name and the identity it stands for now; None: the name is the identity.
        tenant_from: the key that holds the tenant; None: no tenant is written.
    """

    owner_from: str
    names: Mapping[str, str] | None
    tenant_from: str | None

    def of(self, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what to write, or None when these metadata name nobody, or one that no token can be of."""
        owner = self.identity_in(metadata)
        if owner is None or identity_fault(ANY_IDENTITY, owner) is not None:
            return None
        if self.tenant_from is None:
            return {OWNER: owner}
        tenant = find_tenant(metadata, TenantClaim(path=(self.tenant_from,)))
        return None if tenant is MISSING else {OWNER: owner, TENANT: tenant}

    def has_owner(self, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an object has its owner: that is never overwritten, unless ``owner`` itself is what is read."""
        if OWNER not in metadata or self.owner_from != OWNER:
            return OWNER in metadata
        renamed = self.names is None or metadata[OWNER] in self.names.values()
        return renamed and not self.lacks_tenant(metadata)

    def lacks_tenant(self, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an object has no tenant yet, although one is asked for."""
        return self.tenant_from is not None and TENANT not in metadata

    def name_in(self, metadata: Mapping[str, Any]) -> str:
        """Return the user's name, or ""."""
        name: object = metadata.get(self.owner_from)
        return name if isinstance(name, str) else ""

    def identity_in(self, metadata: Mapping[str, Any]) -> str | None:
        """Return the identity that the user's name stands for, or None: there is no name, or the map lacks it."""
        name = self.name_in(metadata)
        if self.names is None or (self.owner_from == OWNER and name in self.names.values()):
            return name or None
        return self.names.get(name) if name else None


@dataclass(frozen=True, slots=True)
class Inventory:
    """What became of each kind's objects, and the names that the map does not know."""

    counts: dict[str, Counter[str]] = field(default_factory=dict[str, "Counter[str]"])
    unmapped: set[str] = field(default_factory=set[str])


@click.command()
@click.argument("url", callback=server_address)
@click.option("--owner-from", metavar="KEY", required=True, help="The metadata key with the user's name.")
@click.option("--map", "map_file", type=click.File("r", encoding="utf-8"), help='JSON: {"old name": "identity"}.')
@click.option("--tenant-from", metavar="KEY", help="The metadata key with the tenant, where the issuer names a claim.")
@click.option("--headers", "headers_file", type=click.File("r", encoding="utf-8"), help="Lines 'name: value' to send.")
@click.option("--write", is_flag=True, help="Write; without it, only count what would be written.")
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
    """Stamp owners on the threads, assistants and crons of a deployment that had none.

    Run it against the server as it was before protect(), with headers that see everything: first without --write.
    What has an owner is left alone, so it may be stopped and run again. Exit status 1 when the server fails.
    """
    if (why := forbidden_url_reason(url)) is not None:
        raise click.ClickException(f"nothing is sent to {url}: {why}")
    names = _names(map_file)
    if owner_from == OWNER and names and any(names.get(one, one) != one for one in names.values()):
        raise click.ClickException("--map: an identity is an old name too: a second run would take one for the other")
    owner_rule = OwnerRule(owner_from, names, tenant_from)
    try:
        # Plain http leads to this machine: a proxy of the environment would read the headers.
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
    """Return what went wrong: of an answer its status, since httpx's own words end in a link about statuses."""
    if not isinstance(error, httpx.HTTPStatusError):
        return str(error)
    answer = error.response
    said = f"{answer.request.method} {answer.request.url.path} is answered {answer.status_code}"
    return f"{said}. {PROTECTED_HINT}" if answer.status_code in (401, 403) else said


def _assign_all(client: httpx.Client, owner_rule: OwnerRule, *, write: bool) -> Inventory:
    found_all = Inventory()
    screen = console(stderr=True)
    # Where no terminal is, even a transient bar leaves an empty line.
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        for kind, (path, id_name) in KINDS.items():
            task = progress.add_task(kind, total=_send(client, "POST", f"{path}/count", {}))
            found_all.counts[kind] = count = Counter(dict.fromkeys(COUNT_HEADINGS, 0))
            for found in _all(client, path):
                plan = _plan(found, owner_rule)
                if write and plan.writes:
                    _write(client, f"{path}/{found[id_name]}", plan.writes)
                count.update({plan.outcome: 1, "forged": int(plan.forged)})
                if plan.outcome == "unmapped":
                    found_all.unmapped.add(owner_rule.name_in(found["metadata"]))
                progress.advance(task)
    return found_all


class Plan(NamedTuple):
    """What becomes of one object.

    Attributes:
        outcome: ``stamped``, ``owned`` already, ``tenantless``: owned, without the tenant that is asked for,
            ``unmapped``: its name is not in the map, or ``unknown``: it names nobody, or one that no token can be of.
        writes: the metadata to write; empty: it is left alone.
        forged: whether it bears the mark of the server's own assistants and is none of them.
    """

    outcome: str
    writes: Mapping[str, Any]
    forged: bool


def _plan(found: Mapping[str, Any], owner_rule: OwnerRule) -> Plan:
    metadata: Mapping[str, Any] = found["metadata"] or {}
    marked = metadata.get(CREATED_BY) == SYSTEM
    if marked and _built_in(found):
        return Plan("owned", {}, forged=False)
    mine = {} if owner_rule.has_owner(metadata) else owner_rule.of(metadata)
    if mine is None:
        unmapped = owner_rule.name_in(metadata) and owner_rule.identity_in(metadata) is None
        return Plan("unmapped" if unmapped else "unknown", {}, forged=marked)
    # Everybody may see what bears the mark. Metadata are merged: a key cannot be taken out, only emptied.
    if writes := {**mine, **({CREATED_BY: None} if marked else {})}:
        return Plan("stamped", writes, forged=marked)
    return Plan("tenantless" if owner_rule.lacks_tenant(metadata) else "owned", {}, forged=False)


def _built_in(found: Mapping[str, Any]) -> bool:
    """Tell whether an object is an assistant that the server made itself: one for each graph, with an id of its own."""
    graph: object = found.get("graph_id")
    return isinstance(graph, str) and found.get("assistant_id") == built_in_assistant(graph)


def _write(client: httpx.Client, path: str, metadata: Mapping[str, Any]) -> None:
    stored = _send(client, "PATCH", path, {"metadata": metadata})["metadata"]
    if any(stored.get(key) != text for key, text in metadata.items()):
        raise ValueError("it does not keep the owner: protect() is there already. Run this against the server without")


def _all(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    """Return every object below a path, the oldest first: what is made meanwhile comes last."""
    offset = 0
    while True:
        body = {"limit": PAGE, "offset": offset, "sort_by": "created_at", "sort_order": "asc"}
        page = cast("list[dict[str, Any]]", _send(client, "POST", f"{path}/search", body))
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE


def _send(client: httpx.Client, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - any JSON
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
        raise click.ClickException('--map: an object is expected: {"old name": "identity"}')
    return cast("dict[str, str]", names)


def _headers(stream: IO[str] | None) -> dict[str, str]:
    lines = [line.strip() for line in stream or () if line.strip()]
    if not all(HEADER.fullmatch(line) for line in lines):
        # Not the line itself, which an HTTP client would quote: it may be a secret.
        raise click.ClickException(
            "--headers: a line 'name: value' is expected, in ASCII and without control characters"
        )
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def _print(found: Inventory, *, write: bool) -> None:
    table = Table()
    for heading in ("", *COUNT_HEADINGS.values()):
        table.add_column("to be stamped" if heading == "stamped" and not write else heading)
    for kind, count in found.counts.items():
        table.add_row(kind, *(str(count[what]) for what in COUNT_HEADINGS))
    print_table(console(), "stamped" if write else "a dry run: nothing was written", table)
    if found.unmapped:
        beyond = len(found.unmapped) - MAX_LISTED
        more = f" and {beyond} more (--json names them all)" if beyond > 0 else ""
        print_marked("", f"not in --map: {', '.join(repr(name) for name in sorted(found.unmapped)[:MAX_LISTED])}{more}")
    total = sum(found.counts.values(), Counter[str]())
    if total["unmapped"] + total["unknown"]:
        console().print("What is unknown stays as it is, and will be seen with @all only.")
    for what in (what for what in HINTS if total[what]):
        console().print(HINTS[what])
    if not write and total["stamped"]:
        console().print("Write it with --write.")
