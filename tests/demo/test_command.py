"""The command ``oidc-auth demo`` with its page: address, last line, and end."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from demo.harness import URL, running_demo

from oidc_auth.cli.demo_page.names import PAGE_USERS
from oidc_auth.cli.scenario import USERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.harness import RunningDemo

STOPPED_WITHIN = 8.0
"""Seconds. A page that is open must not hold the command."""


@pytest.fixture
def started() -> Iterator[RunningDemo]:
    with running_demo() as demo:
        yield demo


def test_page_mode_prints_one_address(started: RunningDemo) -> None:
    after_table = started.output.partition("as expected")[2]
    assert URL.findall(after_table) == [started.url]
    assert after_table.count("http") == 1
    assert "39 of 39" in started.output


def test_interrupt_ends_demo_with_next_command(started: RunningDemo) -> None:
    with httpx.stream("GET", f"{started.url}decisions", timeout=20) as feed:
        assert feed.status_code == 200
        before = time.monotonic()
        started.process.send_signal(signal.SIGINT)
        printed, _ = started.process.communicate(timeout=30)
    assert time.monotonic() - before < STOPPED_WITHIN
    assert started.process.returncode == 0
    assert printed.splitlines()[-1].split() == ["next:", "oidc-auth", "init"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(started.url, timeout=5)


def test_login_page_starts_with_users_of_page() -> None:
    assert list(USERS)[: len(PAGE_USERS)] == list(PAGE_USERS)
