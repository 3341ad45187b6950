"""The type of a row in the table of routes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sees(StrEnum):
    """The result of a request."""

    OWNER = "what the owner sees"
    NOTHING = "200, no results"
    THEIRS = "200, own objects"
    BAD_REQUEST = "400"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    FAILED = "500"
    UNFINISHED = "201, an empty thread"
    STREAM_ERROR = "200, an error in the stream"
    EMPTY_STREAM = "200, an empty stream"
    ENVELOPE = "200, an error in the envelope"
    RPC_ERROR = "200, a JSON-RPC error"
    SOCKET_ERROR = "an error, then the socket closes"


class Role(StrEnum):
    """The list of a shared thread that names a user."""

    READER = "reader"
    EDITOR = "editor"
    APPROVER = "approver"


LISTED = (Role.READER, Role.EDITOR, Role.APPROVER)


class Filter(StrEnum):
    """The objects that an allowed request can access."""

    OWN = "own objects, or more with a reach"
    BUILT_IN = "own or built-in objects, or more with a reach"
    ALWAYS_OWN = "only own objects"
    NAMESPACE = "own namespace, or any with `@all`"
    CREATES = "a new object of the caller"
    NONE = "no objects of users"


@dataclass(frozen=True, kw_only=True)
class Change:
    """Results of a route that changed with a version of the server.

    Attributes:
        since: the first version of langgraph-api with these results.
        other_user: as in ``Row``. None: unchanged.
        without: as in ``Row``. None: unchanged.
    """

    since: str
    other_user: Sees | None = None
    without: Sees | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of request to one route.

    Attributes:
        route: the method and the path, as the server has it.
        events: all events that the server dispatches, in any order and number.
        needs: the permissions, all of which are needed. In ``a or b``, one of them is needed.
        worker: events of the worker at the end of the run, on servers where it still has the caller.
        filter: the objects that the request can access.
        other_user: the result for a user with every permission who does not own the object.
        without: the result for the owner without a needed permission. It can differ per permission.
        wider: the result for users with ``@tenant`` or ``@all``, if the filter does not determine it.
        shared: the users of a shared thread who receive what the owner receives.
        listed: the result for the other users of a shared thread. None: as for another user.
        variant: the name of this kind of request.
        body: the JSON body. None: no body.
        query: the query, with ``?``.
        on: the thread of the row: idle, paused, or with a running, pending or finished run.
        runs: whether the request of the owner starts a real run. Tests then send it only if it must be denied.
        graph: the graph of the run or of the assistant.
        built_in: whether the assistant belongs to the server. Then only the thread belongs to alice.
        makes: an object of alice that is needed, although neither route nor body has it.
        protocol: how the request is sent.
        headers: additional header fields.
        changes: the results on newer servers, in the order of versions.
    """

    route: str
    events: tuple[str, ...]
    needs: tuple[str, ...]
    worker: tuple[str, ...] = ()
    filter: Filter = Filter.OWN
    other_user: Sees = Sees.NOT_FOUND
    without: Sees | Mapping[str, Sees] = Sees.FORBIDDEN
    wider: Sees | None = None
    shared: tuple[Role, ...] = ()
    listed: Sees | None = None
    variant: str = ""
    body: Any = None
    query: str = ""
    on: str = "idle"
    runs: bool = False
    makes: str = ""
    graph: str = "agent"
    built_in: bool = False
    protocol: str = "http"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    changes: tuple[Change, ...] = ()

    @property
    def name(self) -> str:
        """The route and the variant."""
        return f"{self.route} ({self.variant})" if self.variant else self.route

    def at(self, version: str) -> Row:
        """Return the row for a version of langgraph-api."""
        row = self
        for change in self.changes:
            if Version(version) >= Version(change.since):
                row = replace(
                    row, other_user=change.other_user or row.other_user, without=change.without or row.without
                )
        return row

    def sees(self, role: Role) -> Sees:
        """Return the result for a user on a list of the thread, who has every permission for own objects."""
        return Sees.OWNER if role in self.shared else self.listed or self.other_user

    def lacking(self, need: str) -> Sees:
        """Return the result for the owner without one needed permission."""
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
