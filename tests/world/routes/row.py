"""One row of the table of routes, and the words that rows are written in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sees(StrEnum):
    """What an answer comes to: its status, and what its body says."""

    OWNER = "what the owner sees"
    NOTHING = "200, and nothing"
    THEIRS = "200, among their own"
    BAD_REQUEST = "400"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    FAILED = "500, the server's own"
    UNFINISHED = "201, an empty thread of one's own"
    STREAM_ERROR = "200, an error in the stream"
    EMPTY_STREAM = "200, an empty stream"
    ENVELOPE = "200, an error in the envelope"
    RPC_ERROR = "200, a JSON-RPC error"
    SOCKET_ERROR = "an error, and the socket closes"


class Filter(StrEnum):
    """Which objects an allowed call may touch, and whether reach widens that."""

    OWN = "own, or as far as the reach"
    BUILT_IN = "own or built-in, or as far as the reach"
    ALWAYS_OWN = "own, whatever the reach"
    NAMESPACE = "one's own namespace; with `@all` any that is named"
    CREATES = "stamps the caller as owner"
    NONE = "none: nothing of anybody's"


@dataclass(frozen=True, kw_only=True)
class Change:
    """Answers of a route that changed with a version of the server; None: unchanged.

    Attributes:
        since: the first version of langgraph-api that answers so. Early pre-releases of a later version may not yet.
        stranger: as in ``Row``.
        without: as in ``Row``.
    """

    since: str
    stranger: Sees | None = None
    without: Sees | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to call one route.

    Attributes:
        route: the method and the path, as the server writes it.
        events: every event the server dispatches for it, in any order and number.
        needs: the permissions it needs, together; ``a or b``: either.
        worker: events that come from the worker when the run ends, on servers where it still knows the caller.
        filter: which objects it may touch.
        stranger: what somebody sees who holds every permission, and owns nothing of it.
        without: what the owner gets who holds every permission but a needed one; by that one, where it differs.
        wider: what ``@tenant`` of a colleague and ``@all`` of an administrator see, where the filter does not say it.
        variant: which of several ways to call the route this is.
        body: what is sent; None: no body.
        query: what follows the path.
        on: which thread of alice's the row is about: one at rest, one with a run in it, ahead of it, or behind it.
        runs: the owner's call drives a real run, so nobody else's is tried unless it is refused.
        graph: which graph the run, or the assistant of alice's, is of.
        built_in: the assistant is the server's own, so that only the thread is alice's.
        makes: what of alice's the row is about, where neither route nor body names it.
        speaks: how the request is sent and its answer read.
        changes: what newer servers answer, the oldest version first.
    """

    route: str
    events: tuple[str, ...]
    needs: tuple[str, ...]
    worker: tuple[str, ...] = ()
    filter: Filter = Filter.OWN
    stranger: Sees = Sees.NOT_FOUND
    without: Sees | Mapping[str, Sees] = Sees.FORBIDDEN
    wider: Sees | None = None
    variant: str = ""
    body: Any = None
    query: str = ""
    on: str = "idle"
    runs: bool = False
    makes: str = ""
    graph: str = "agent"
    built_in: bool = False
    speaks: str = "http"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    changes: tuple[Change, ...] = ()

    @property
    def name(self) -> str:
        """The row in one line."""
        return f"{self.route} ({self.variant})" if self.variant else self.route

    def at(self, version: str) -> Row:
        """Return the row as a version of langgraph-api answers it."""
        row = self
        for change in self.changes:
            if Version(version) >= Version(change.since):
                row = replace(row, stranger=change.stranger or row.stranger, without=change.without or row.without)
        return row

    def lacking(self, need: str) -> Sees:
        """Return what the owner gets who lacks one of the needs."""
        return self.without if isinstance(self.without, Sees) else self.without.get(need, Sees.FORBIDDEN)


READ, SEARCH, CREATE, UPDATE, DELETE, RUN = (
    f"threads:{action}" for action in ("read", "search", "create", "update", "delete", "create_run")
)
RUN_BODY = {"assistant_id": "agent", "input": {"text": "{mark}"}}
LATER = {**RUN_BODY, "after_seconds": 3600, "metadata": {"mark": "{mark}"}}
NEVER = {**RUN_BODY, "schedule": "0 0 1 1 *", "metadata": {"mark": "{mark}"}}
MARKED = {"metadata": {"mark": "{mark}"}}
JSON_RPC = {"accept": "application/json"}


def rpc(method: str, **params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


A_READ, A_SEARCH, A_CREATE, A_UPDATE, A_DELETE = (
    f"assistants:{action}" for action in ("read", "search", "create", "update", "delete")
)
C_READ, C_SEARCH, C_CREATE, C_UPDATE, C_DELETE = (
    f"crons:{action}" for action in ("read", "search", "create", "update", "delete")
)
