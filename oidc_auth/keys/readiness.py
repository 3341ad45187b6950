"""Find out which issuers have usable keys, for a server that is not ready yet and so gets no tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ..errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReadinessSource(Protocol):
    """What an issuer needs to verify tokens, such as its keys."""

    async def current_generation(self, now: float) -> int:
        """Return the generation of the keys; see ``KeySource``."""
        ...


async def find_usable_keys(
    sources: Mapping[str, ReadinessSource],
    now: float,
    *,
    timeout: float,  # noqa: ASYNC109 - the attempts go on after it
    wait_for_all: bool = False,
) -> dict[str, bool]:
    """Return whether each issuer has usable keys, and fetch keys that are missing or old.

    The limits for fetches apply, so that frequent calls do not send more requests to a provider.

    Args:
        sources: The keys of each issuer.
        now: The time, in seconds since the epoch.
        timeout: Seconds to wait, at most.
        wait_for_all: Wait for all issuers. Otherwise one with usable keys is enough.
    """
    # Issuers with one key set share the attempt.
    attempts = {keys: asyncio.ensure_future(_is_usable(keys, now)) for keys in set(sources.values())}
    deadline = asyncio.get_running_loop().time() + timeout
    pending = set(attempts.values())
    # Known keys answer immediately, in the first round.
    done, pending = await asyncio.wait(pending, timeout=0)
    while pending and (wait_for_all or not any(attempt.result() for attempt in done)):
        remaining = deadline - asyncio.get_running_loop().time()
        if remaining <= 0:
            break
        ended, pending = await asyncio.wait(pending, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        done |= ended
    for attempt in pending:
        # Only this wait ends. The fetch goes on for the requests.
        attempt.cancel()
    return {issuer: attempts[keys] in done and attempts[keys].result() for issuer, keys in sources.items()}


async def _is_usable(keys: ReadinessSource, now: float) -> bool:
    try:
        await keys.current_generation(now)
    except UpstreamError:
        return False
    return True
