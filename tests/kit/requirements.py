"""What a test needs that pip does not install, such as node or a browser."""

from __future__ import annotations

import os

import pytest


def skip_or_fail(name: str, reason: str | None) -> None:
    """Skip a test if its requirement is missing, or fail it if OIDC_AUTH_REQUIRE names the requirement.

    Args:
        name: The name of the requirement in OIDC_AUTH_REQUIRE.
        reason: Why the test cannot run, or None if it can.
    """
    if reason is None:
        return
    if name in os.environ.get("OIDC_AUTH_REQUIRE", "").split(","):
        pytest.fail(f"OIDC_AUTH_REQUIRE names {name}, but {reason}")
    pytest.skip(reason)
