"""Measure the time of our authorization handlers and of the handler in the LangGraph documentation.

Run ``python benchmarks/decide.py``. The table has medians, and ratios within a round. No test runs this script.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from argparse import ArgumentParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from langgraph_sdk import Auth

from oidc_auth import OIDCAuth
from oidc_auth.enforcement.authorize import decide
from oidc_auth.enforcement.event_rules import read_access_request
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.permissions.caller import Caller
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 15
CALLS = 2_000
"""Calls of each handler in each round."""

VALUES: dict[str, dict[str, Any]] = {
    "threads:read": {"thread_id": "t"},
    "threads:search": {"metadata": {}},
    "threads:create": {"thread_id": "t", "metadata": {}},
    "threads:create_run": {"thread_id": "t", "assistant_id": "agent", "metadata": {}, "kwargs": {"config": {}}},
    "store:put": {"namespace": ("notes",), "key": "k"},
}
SCOPES = "threads:write assistants:read crons:write store:write"


async def documented(ctx: Any, value: dict[str, Any]) -> dict[str, str]:  # noqa: ANN401 - as in the documentation
    """Check a permission, set the owner and return a filter."""
    if "threads:read" not in ctx.user.permissions:
        raise Auth.exceptions.HTTPException(status_code=403, detail="Unauthorized")
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


def copy_value(value: dict[str, Any]) -> dict[str, Any]:
    """Copy a value, because handlers change it."""
    return {key: dict(member) if isinstance(member, dict) else member for key, member in value.items()}


async def time_handler(rule: Callable[..., Awaitable[object]], user: object, value: dict[str, Any]) -> float:
    """Return the time of one handler call, in microseconds."""
    ctx = SimpleNamespace(user=user)
    values = [copy_value(value) for _ in range(CALLS)]
    start = time.perf_counter()
    for each in values:
        await rule(ctx=ctx, value=each)
    return (time.perf_counter() - start) / CALLS * 1e6


def time_decision(caller: Caller, event: str, value: dict[str, Any]) -> float:
    """Return the time of the decision alone, in microseconds."""
    request = read_access_request(event, value)
    start = time.perf_counter()
    for _ in range(CALLS):
        decide(caller, request)
    return (time.perf_counter() - start) / CALLS * 1e6


async def main() -> None:
    """Print the table."""
    ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    issuer = LocalIssuer()
    permission_map = {"claim": "scope", "accept": ["threads:*", "assistants:*", "crons:*", "store:*"]}
    table = {"issuer": {"issuer": issuer.url, "audience": "agents", "tenant": "org", "permission_map": permission_map}}
    oidc = OIDCAuth.from_dict(table, fetcher=issuer)
    sent = {"authorization": f"Bearer {issuer.token('alice', org='acme', scope=SCOPES)}"}
    user = SimpleNamespace(**(await oidc.authenticate(sent)).user())
    caller = Caller.from_user(user)
    rules = {event: build_handler(event, oidc) for event in VALUES}
    rounds = [
        {
            event: (
                time_decision(caller, event, value),
                await time_handler(rules[event], user, value),
                await time_handler(documented, user, value),
            )
            for event, value in VALUES.items()
        }
        for _ in range(ROUNDS)
    ]
    print(f"{ROUNDS} rounds of {CALLS} calls, medians in us; {len(user.permissions)} permissions\n")
    print(f"{'':20}{'decision':>10}{'handler':>10}{'documented':>12}{'ratio':>8}")
    for event in VALUES:
        columns = [statistics.median(each[event][column] for each in rounds) for column in range(3)]
        ratio = statistics.median(each[event][1] / each[event][2] for each in rounds)
        print(f"{event:20}{columns[0]:10.1f}{columns[1]:10.1f}{columns[2]:12.1f}{ratio:8.1f}")


if __name__ == "__main__":
    asyncio.run(main())
