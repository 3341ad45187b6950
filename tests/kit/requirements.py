"""Real servers that a test needs. Without them it is skipped, unless OIDC_AUTH_REQUIRE requires them."""

from __future__ import annotations

import os

import pytest


def skip_or_fail(name: str, reason: str | None) -> None:
    """Skip the test for a reason, or fail if OIDC_AUTH_REQUIRE has the name. Without a reason, do nothing."""
    if reason is None:
        return
    if name in os.environ.get("OIDC_AUTH_REQUIRE", "").split(","):
        pytest.fail(f"OIDC_AUTH_REQUIRE names {name}, but {reason}")
    pytest.skip(reason)
