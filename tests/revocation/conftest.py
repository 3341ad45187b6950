"""Short times, so that outages do not make the tests slow."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits of the Redis store. test_redis.py has the rules for the real ones."""
    from oidc_auth.revocation import redis

    monkeypatch.setattr(redis, "BLOCK_SECONDS", 0.05)
    monkeypatch.setattr(redis, "LONGEST_PAUSE", 0.1)
    monkeypatch.setitem(redis.OPTIONS, "socket_timeout", 0.4)
    monkeypatch.setitem(redis.OPTIONS, "socket_connect_timeout", 0.4)
