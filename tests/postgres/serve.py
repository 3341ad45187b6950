"""Run langhost with the two things that it lacks for a server with its own authentication.

langgraph-runtime-pg 0.11.1.post1 writes the arguments of a run with ``json.dumps``, which refuses the user of the
server. All runs of all users then fail. It also calls the handlers of crons without metadata, so no owner can be
written.
``app.py`` repairs a third one.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langgraph_runtime_pg import database, ops
from langhost.cli import cli

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

create_engine = database.create_async_engine
handle_cron_event = ops.Crons.handle_event
cron_metadata: ContextVar[dict[str, Any] | None] = ContextVar("cron_metadata", default=None)


class KeptMetadata(dict[str, Any]):
    """Metadata that count as true. The runtime replaces empty ones by a new object after the handler has run."""

    def __bool__(self) -> bool:
        return True


def create_engine_with_serializer(address: str, **options: Any) -> Any:
    """Create the database engine with the JSON serializer of the server, which accepts its user."""
    # It reads the environment when it is imported.
    from langgraph_api.serde import json_dumpb

    return create_engine(address, json_serializer=lambda value: json_dumpb(value).decode(), **options)


def show_metadata(method: Callable[..., Awaitable[Any]], *, is_new: bool) -> Any:
    """Return a method of Crons that shows its metadata to the handler."""

    async def call(connection: Any, *, metadata: Any = None, **arguments: Any) -> Any:
        if metadata is not None or is_new:
            metadata = KeptMetadata(metadata or {})
        token = cron_metadata.set(metadata)
        try:
            return await method(connection, metadata=metadata, **arguments)
        finally:
            cron_metadata.reset(token)

    return staticmethod(call)


async def handle_event_with_metadata(ctx: Any, action: str, value: Any) -> Any:
    """Call the handler of a cron with the metadata, as the server in memory does."""
    if action in ("create", "update") and cron_metadata.get() is not None:
        value["metadata"] = cron_metadata.get()
    return await handle_cron_event(ctx, action, value)


database.create_async_engine = create_engine_with_serializer
ops.Crons.put = show_metadata(ops.Crons.put, is_new=True)
ops.Crons.update = show_metadata(ops.Crons.update, is_new=False)
ops.Crons.handle_event = handle_event_with_metadata
sys.argv[0] = "langhost"
cli()
