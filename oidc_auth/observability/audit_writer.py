"""A thread that writes lines, behind a bounded queue.

Opening or writing a file on the event loop would stop all requests, and ``langgraph dev`` makes it an error.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .log import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .audit_target import AuditTarget

CAPACITY = 10_000
"""Records that wait for the thread, at most. They take about 10 MB."""
PAUSE = 0.05
"""Seconds in which the thread collects records. A wake-up for each would cost more than the record."""
RETRY = 1.0
"""Seconds between two attempts to write, for example to a full disk."""
EXIT_TIMEOUT = 5.0
"""Seconds that the end of the process waits for the last records."""
BATCH = 1_000
"""Records in one round of the thread."""
_REPORT_EACH = 60
"""Failed attempts between two log lines about them."""


class AuditWriter:
    """Writes the lines of items in their order.

    Args:
        target: Where the lines are written.
        format_item: Returns the line of an item, or b"". The thread calls it.
        format_dropped: Returns the line that counts dropped items.
        capacity: The most items that wait.
    """

    def __init__(
        self,
        target: AuditTarget,
        format_item: Callable[[Any], bytes],
        format_dropped: Callable[[int], bytes],
        capacity: int = CAPACITY,
    ) -> None:
        self._target = target
        self._format_item = format_item
        self._format_dropped = format_dropped
        self._capacity = capacity
        self.dropped = 0
        """Items that were not kept, because the queue was full."""
        self.reset()

    def reset(self) -> None:
        """Forget what waits. The child of a fork does it."""
        # After a fork, the parent writes what waited, and the child has no thread.
        self._lock = Lock()
        self._queue: deque[object] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._is_awake = False
        self._hurry = Event()
        self._thread: Thread | None = None
        self._reported = self.dropped
        self._is_torn = False

    def open(self) -> None:
        """Open the target and start the thread. Call it at start, because it does I/O.

        Raises:
            OSError: The target cannot be opened.
        """
        if self._thread is None:
            self._target.open()
            self._start()

    def put(self, item: object) -> None:
        """Keep an item. It does no I/O and waits for nothing. A full queue drops and counts it."""
        queue = self._queue
        if len(queue) >= self._capacity:
            with self._lock:
                self.dropped += 1
            return
        queue.append(item)
        if not self._is_awake:
            try:
                self._awaken()
            except RuntimeError as error:
                # The system has no more threads. A decision must not depend on its record.
                logger.error("audit: records wait: %s", error)

    def flush(self, timeout: float = EXIT_TIMEOUT) -> bool:
        """Wait until everything that was put before is written, and tell whether it is.

        It blocks, so call it in another thread than that of the event loop.
        """
        if self._thread is None and not self._queue:
            return True
        done = Event()
        self._queue.append(done)
        self._hurry.set()
        self._awaken()
        return done.wait(timeout)

    def _awaken(self) -> None:
        if self._thread is None:
            self._start()
        self._is_awake = True
        self._wake.put(None)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                # A daemon, so that a full disk does not keep the process alive.
                thread = Thread(target=self._run, name="oidc_auth audit", daemon=True)
                thread.start()
                self._thread = thread
                _open_writers.add(self)

    def _run(self) -> None:
        while True:
            self._wake.get()
            self._hurry.wait(PAUSE)
            self._hurry.clear()
            # Before the queue is read, so that an item that comes later wakes the thread again.
            self._is_awake = False
            while self._queue:
                self._write_round()

    def _write_round(self) -> None:
        lines: list[bytes] = []
        flushed: list[Event] = []
        while self._queue and len(lines) < BATCH:
            item = self._queue.popleft()
            if isinstance(item, Event):
                flushed.append(item)
            elif line := self._format(item):
                lines.append(line)
        # Last, because these were dropped after the oldest of the queue.
        if (dropped := self.dropped) != self._reported:
            logger.error("audit: the queue was full, and %d records were dropped", dropped - self._reported)
            lines.append(self._format_dropped(dropped - self._reported))
            self._reported = dropped
        self._write_until_done(lines)
        for each in flushed:
            each.set()

    def _format(self, item: object) -> bytes:
        try:
            return self._format_item(item)
        except Exception as error:  # noqa: BLE001 - the thread must continue
            logger.error("audit: a record could not be written: %s", type(error).__name__)
            return self._format_dropped(1)

    def _write_until_done(self, lines: Sequence[bytes]) -> None:
        attempts = 0
        while lines := self._write(lines, attempts):
            attempts += 1
            self._hurry.wait(RETRY)
            self._hurry.clear()

    def _write(self, lines: Sequence[bytes], attempts: int) -> Sequence[bytes]:
        """Write lines, and return those that must be written again."""
        position = 0
        try:
            descriptor = self._target.prepare()
            while position < len(lines):
                count = _count_fitting(lines, position, self._target.size)
                position += self._write_chunk(descriptor, b"".join(lines[position : position + count]))
        except OSError as error:
            if attempts % _REPORT_EACH == 0:
                logger.error("audit: records cannot be written: %s. Trying again.", error.strerror or error)
        return lines[position:]

    def _write_chunk(self, descriptor: int, data: bytes) -> int:
        """Write whole lines in one call, and return how many were written.

        So lines of several processes do not mix.
        """
        # A line that was written in part is written again, on a new line.
        start = b"\n" if self._is_torn else b""
        data, written = start + data, 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        except OSError:
            # A disk can become full in the middle of a line. The whole lines before it must not be written twice.
            if written == 0:
                raise
        done = data[:written]
        self._is_torn = not done.endswith(b"\n")
        return done.count(b"\n") - len(start)


def _count_fitting(lines: Sequence[bytes], start: int, size: int) -> int:
    """Return how many of the lines from a position fit into one write. It is at least one."""
    total = 0
    for count, line in enumerate(lines[start:]):
        total += len(line)
        if count and total > size:
            return count
    return len(lines) - start


_open_writers: WeakSet[AuditWriter] = WeakSet()


def _flush_at_exit() -> None:
    for writer in list(_open_writers):
        if not writer.flush():
            logger.error("audit: the last records are not written")


def _reset_after_fork() -> None:
    for writer in list(_open_writers):
        writer.reset()


atexit.register(_flush_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
