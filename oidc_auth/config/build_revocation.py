"""Building of the revocation check and of the receiver of notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..observability import RevocationReceived
from ..revocation.check import RevocationCheck
from ..revocation.entries import MAX_CLOCK_DIFFERENCE
from ..revocation.live_set import LiveRevocations, Retention
from ..revocation.notices import NoticeReceiver, Sender
from ..revocation.store import MEMORY, MemoryStore, OutageRule
from .issuers import exact_issuers, same_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..observability import EventReporter
    from ..revocation import entries
    from ..revocation.store import RevocationStore
    from ..tokens.issuers import TrustedIssuer
    from .schema import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Everything about revocations.

    Attributes:
        store: The store.
        check: Refuses revoked tokens.
        notices: Receives the providers' notices.
    """

    store: RevocationStore
    check: RevocationCheck
    notices: NoticeReceiver


def build_revocation(
    document: Document, issuers: Sequence[TrustedIssuer], clock: Callable[[], float], reporter: EventReporter
) -> Revocation | None:
    """Return what ``[revocation]`` configures, or None without it."""
    table = document.revocation
    if table is None:
        return None
    leeway = max(issuer.leeway for issuer in document.issuer)
    # A token's iat may be later than its revocation by the leeway, and its exp earlier than its last use by the leeway.
    # The clock of the replica that published the revocation may be slow.
    margin = 2 * leeway + MAX_CLOCK_DIFFERENCE
    tokens = table.max_token_lifetime + margin
    # A token that is accepted until its revocation arrives can still renew a cron, which runs for cron_max_age then.
    retention = Retention(tokens=tokens, subjects=tokens + document.langgraph.cron_max_age)
    outage = OutageRule(grace=table.outage_grace, serves=table.on_outage == "serve")
    live = LiveRevocations(retention)
    if not reporter.is_silent:
        live.listeners.add(lambda revocation: reporter.report(_describe(revocation, clock(), store)))
    store = open_store(table.store, live, clock, outage)
    notices = NoticeReceiver(
        [*_senders(document, issuers)],
        store=store,
        clock=clock,
        max_depth=document.limits.json_depth,
    )
    return Revocation(store=store, check=RevocationCheck(store), notices=notices)


def _describe(revocation: entries.Revocation, now: float, store: RevocationStore) -> RevocationReceived:
    # The clocks of two processes can differ.
    delay, at_start = max(0.0, now - revocation.time), not store.state(now).is_loaded
    return RevocationReceived(issuer=revocation.issuer, kind=revocation.kind.value, delay=delay, at_start=at_start)


def open_store(address: str, live: LiveRevocations, clock: Callable[[], float], outage: OutageRule) -> RevocationStore:
    """Return the store of an address. It connects when it is used.

    Args:
        address: ``memory``, or the URL of a Redis server.
        live: The revocations of this process.
        clock: Returns the time, in seconds since the epoch.
        outage: What happens while the store is unreachable.
    """
    if address == MEMORY:
        return MemoryStore(live, clock)
    # Only a deployment with Redis has the package.
    from ..revocation.redis import RedisStore  # noqa: PLC0415

    return RedisStore(address, live, clock, outage)


def _senders(document: Document, issuers: Sequence[TrustedIssuer]) -> Iterator[Sender]:
    by_name = {issuer.policy.issuer: issuer for issuer in issuers}
    own = set[str]() if document.web is None else {document.web.public_url}
    for table in document.issuer:
        exact_names = exact_issuers(table.issuer, table.aliases, table.tenants)
        clients = frozenset(table.logout_clients)
        for exact in exact_names:
            yield Sender(
                issuer=by_name[exact.issuer],
                names=tuple(same_provider(exact, exact_names)),
                logout_clients=clients,
                receivers=frozenset({*clients, *own, *table.audience}),
            )
