"""Ask a provider about tokens: from the cache, with one request for each token at a time, within a budget."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from ..errors import ErrorCode, UpstreamError
from ..keys.budget import FetchBudget
from ..keys.remote import one_line
from ..observability import EventReporter, TokenIntrospected
from .answers import Answer, AnswerCache
from .endpoint import IntrospectionError
from .request_budget import BURST, WINDOW, RequestBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from .endpoint import IntrospectionClient

BUDGET_FAILURE = "too many tokens that are not active, so this token was not checked"
BUDGET_HINT = "Wait. If it lasts, find out who sends made-up or revoked tokens."


@dataclass(frozen=True, slots=True)
class _Failure:
    # A value and not an exception: an exception that several requests raise would hold their frames, with their tokens.
    message: str
    hint: str
    retry_after: float


class _Running(threading.local):
    """The requests that are running, by the digest of their token. They belong to an event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[bytes, asyncio.Task[Answer | _Failure]] = {}

    def tasks(self) -> dict[bytes, asyncio.Task[Answer | _Failure]]:
        """Return the running requests of this event loop."""
        loop = asyncio.get_running_loop()
        # A request of a loop that was stopped never ends.
        if self._loop is not loop:
            self._loop, self._tasks = loop, {}
        return self._tasks


class Introspector:
    """Tells what a provider says about tokens.

    Args:
        client: Sends the requests.
        cache_seconds: How long an answer is used.
        entries: The most active answers that are kept.
        clock: Returns the time, in seconds since the epoch.
        reporter: Reports each request.
    """

    def __init__(
        self,
        client: IntrospectionClient,
        *,
        cache_seconds: float,
        entries: int,
        clock: Callable[[], float],
        reporter: EventReporter,
    ) -> None:
        self._client = client
        self._cache = AnswerCache(entries, cache_seconds)
        self._clock = clock
        self._reporter = reporter
        self._budget = RequestBudget(FetchBudget(BURST, WINDOW), clock)
        self._running = _Running()
        self.is_recent = self._cache.is_recent

    @property
    def issuer(self) -> str:
        """The issuer that is asked."""
        return self._client.settings.issuer

    async def knows_endpoint(self, now: float) -> bool:
        """Tell whether the endpoint is configured or in the provider's metadata."""
        try:
            await self._client.find_endpoint(now)
        except IntrospectionError:
            return False
        return True

    async def introspect(self, token: str) -> Answer:
        """Return the provider's answer about a token, or a cached one.

        Raises:
            UpstreamError: The provider did not answer, or must not be asked now.
        """
        # A digest, so that a memory dump of the cache contains no usable credential.
        digest = sha256(token.encode()).digest()
        if (answer := self._cache.get(digest, self._clock())) is not None:
            return answer
        # A page of a web application sends many requests with one token. They wait for one request to the provider.
        tasks = self._running.tasks()
        if (task := tasks.get(digest)) is None:
            task = tasks[digest] = asyncio.get_running_loop().create_task(self._ask(token, digest))
            task.add_done_callback(partial(_forget, tasks, digest))
        # If this request is cancelled, the others still get the answer.
        outcome = await asyncio.shield(task)
        if isinstance(outcome, Answer):
            return outcome
        raise UpstreamError(
            ErrorCode.INTROSPECTION_UNAVAILABLE,
            found=f"{self.issuer}: {outcome.message}",
            hint=outcome.hint,
            retry_after=outcome.retry_after,
        )

    async def _ask(self, token: str, digest: bytes) -> Answer | _Failure:
        # A known token needs no budget. Otherwise made-up tokens could cause refusals of users who are logged in.
        if self._cache.is_known(digest, self._clock()):
            return await self._send(token, digest)
        try:
            async with asyncio.timeout(self._client.settings.timeout):
                entered = await self._budget.enter()
        except TimeoutError:
            entered = False
        if not entered:
            return _Failure(BUDGET_FAILURE, BUDGET_HINT, self._budget.seconds_until_available())
        active = False
        try:
            outcome = await self._send(token, digest)
            active = isinstance(outcome, Answer) and outcome.is_active
            return outcome
        finally:
            # A failure keeps its unit too: some made-up tokens make a provider fail.
            self._budget.leave(active=active)

    async def _send(self, token: str, digest: bytes) -> Answer | _Failure:
        # The age of an answer counts from the request, because the token may be revoked while it travels.
        started, asked_at = self._reporter.start(), self._clock()
        try:
            answer = Answer(await self._client.ask(token, asked_at), asked_at)
        except IntrospectionError as error:
            # Not cached. The next request asks again, and is never answered from an old answer.
            self._report("failed", started)
            return _Failure(one_line(str(error)), error.hint, error.retry_after)
        self._cache.put(digest, answer)
        self._report("active" if answer.is_active else "inactive", started)
        return answer

    def _report(self, outcome: Literal["active", "inactive", "failed"], started: float) -> None:
        if not self._reporter.is_silent:
            duration = self._reporter.elapsed(started)
            self._reporter.report(TokenIntrospected(outcome=outcome, issuer=self.issuer, duration=duration))


def _forget(
    tasks: dict[bytes, asyncio.Task[Answer | _Failure]], digest: bytes, task: asyncio.Task[Answer | _Failure]
) -> None:
    del task
    tasks.pop(digest, None)
