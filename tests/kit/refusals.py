"""Refused tokens: what was expected and found, and the hint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.errors import TokenError

from .auth_harness import bearer

if TYPE_CHECKING:
    from .auth_harness import AuthHarness


def expected_and_found(harness: AuthHarness, sent: str) -> tuple[str, str]:
    """Return what was expected of a refused token, and what was found."""
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate(bearer(sent)))
    said = str(refusal.value)
    assert all(f"{name} {fact};" in said for name, fact in vars(refusal.value).items() if name == "found" and fact)
    return refusal.value.expected, refusal.value.found


def hint_of(harness: AuthHarness, **token: Any) -> str:
    """Return the hint of a refused token."""
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.admit(harness.issuer.token(**token)))
    return refusal.value.hint
