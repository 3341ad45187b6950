"""Refused tokens: what was expected and found, and the hint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.errors import OIDCAuthError, TokenError

from .auth_harness import bearer

if TYPE_CHECKING:
    from .auth_harness import AuthHarness


def refusal_of(harness: AuthHarness, sent: str) -> TokenError:
    """Return the error of a token. Its report has what was found."""
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.oidc.authenticate(bearer(sent)))
    assert not refused.value.found or f"found {refused.value.found};" in str(refused.value)
    return refused.value


def reason_of(error: OIDCAuthError) -> str:
    """Return what was expected and what was found."""
    return f"expected {error.expected or '-'}; found {error.found or '-'}"


def hint_of(harness: AuthHarness, **token: Any) -> str:
    """Return the hint of a refused token."""
    return refusal_of(harness, harness.issuer.token(**token)).hint
