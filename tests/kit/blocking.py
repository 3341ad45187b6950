"""Let tests block their own event loop."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def blocking_allowed() -> Iterator[None]:
    """Let a test block the event loop of this thread.

    The server of another test in this process makes every blocking call an error. Some tests start and stop servers.
    The tests with real server processes still show that the library does not block.
    """
    watcher = getattr(sys.modules.get("blockbuster.blockbuster"), "_skip", None)
    if watcher is None:
        yield
        return
    watcher.value = True
    try:
        yield
    finally:
        watcher.value = False
