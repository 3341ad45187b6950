"""Token expiry on a connection that outlives its authentication."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.enforcement.authorize import ServerFacts
from oidc_auth.enforcement.enforce import enforce
from oidc_auth.enforcement.limits import EnforcementSettings

if TYPE_CHECKING:
    from kit.snapshots import Messages

LEEWAY = 30


def denial_code(now: float, *, leeway: float | None = LEEWAY, is_studio: bool = False, **fields: Any) -> str | None:
    user = SimpleNamespace(identity="alice", permissions=["threads:read"], **fields)
    facts = ServerFacts(is_studio=is_studio, in_request=True, expiry_leeway=leeway)
    return enforce(user, "threads:read", {}, EnforcementSettings(studio="own"), now, facts).code


@pytest.mark.parametrize(
    ("fields", "now", "code"),
    [
        ({"expires_at": 100}, 129.9, None),
        ({"expires_at": 100}, 130, "token_expired"),
        ({"expires_at": 100.5}, 131, "token_expired"),
        ({"expires_at": float("nan")}, 0, "token_expired"),
        ({"expires_at": None}, 0, "token_expired"),
        ({"expires_at": "100"}, 0, "token_expired"),
        ({}, 0, "token_expired"),
    ],
)
def test_expired_connection_is_denied(fields: dict[str, Any], now: float, code: str | None) -> None:
    assert denial_code(now, **fields) == code


def test_expiry_is_checked_only_where_asked() -> None:
    assert denial_code(1e12, leeway=None, expires_at=100) is None
    assert denial_code(1e12, is_studio=True) is None


def test_denial_shows_leeway_and_age(messages: Messages) -> None:
    facts = ServerFacts(is_studio=False, in_request=True, expiry_leeway=LEEWAY)
    user = SimpleNamespace(identity="alice", expires_at=100)
    decision = enforce(user, "threads:read", {}, EnforcementSettings(), 131, facts)
    messages.check(decision.expected)
    messages.check(decision.found)
