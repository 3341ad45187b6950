"""Decide how pytest-xdist distributes the tests over processes.

The tests that a command names run in the process of pytest, which starts fast and can debug. `-n 0` does this for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

WORKERS = 4
"""More than most machines have cores, because many tests wait for a server or for a token to expire."""
SHARED_SERVERS = ("tests/real_providers/keycloak/", "tests/aegra/", "tests/postgres/")
"""Folders whose files share one server."""
SLOW = (
    "real_providers",
    "aegra",
    "demo",
    "web",
    "clients",
    "mcp_clients",
    "langgraph",
    "project",
    "testing",
    "cli",
    "revocation",
)
"""Folders whose files take long, the slowest first. If they came last, one process would work and the others wait."""


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Run the tests of a file in one process, because they share servers."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (folder for folder in SHARED_SERVERS if nodeid.startswith(folder))
        return next(shared, nodeid.partition("::")[0])


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of processes for `-n auto`, or 0 for tests that the command names."""
    return 0 if config.args_source is pytest.Config.ArgsSource.ARGS else WORKERS


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Return the scheduler for all values of `--dist`."""
    return FileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slow files first, in every process in the same order."""
    if hasattr(config, "workerinput"):
        items.sort(key=_position)


def _position(item: pytest.Item) -> int:
    folder, _, rest = item.nodeid.removeprefix("tests/").partition("/")
    return SLOW.index(folder) if rest and folder in SLOW else len(SLOW)
