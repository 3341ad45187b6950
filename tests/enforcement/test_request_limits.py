"""The operator's limits: webhooks, delays, crons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.enforcement.access_request import AccessRequest
from oidc_auth.enforcement.event_rules import read_access_request
from oidc_auth.enforcement.limits import EnforcementSettings, check_request_limits

if TYPE_CHECKING:
    from kit.snapshots import Messages

SECONDS = [
    3_000_000_000,
    3600.5,
    1e300,
    -1,
    "3600",
    True,
    [3600],
    {"seconds": 3600},
    float("nan"),
    float("inf"),
    pytest.param(10**400, id="10**400"),
]
RUN_EVENTS = ["threads:create_run", "crons:create", "crons:update"]
ADDRESSES = ["http://127.0.0.1/x", "/threads", "//127.0.0.1/x", "https:///x", "https://[", "ftp://127.0.0.1/x", "", 5]


def denial_code(event: str, value: dict[str, Any], **settings: Any) -> ErrorCode | None:
    refusal = check_request_limits(read_access_request(event, value), EnforcementSettings(**settings))
    return None if refusal is None else refusal.code


@pytest.mark.parametrize("event", RUN_EVENTS)
@pytest.mark.parametrize("seconds", SECONDS)
def test_odd_delay_is_denied(event: str, seconds: Any, messages: Messages) -> None:
    for value in ({"after_seconds": seconds}, {"payload": {"after_seconds": seconds}}):
        refusal = check_request_limits(read_access_request(event, value), EnforcementSettings())
        assert refusal is not None
        assert (refusal.event, refusal.code) == (event, ErrorCode.DELAY_NOT_ALLOWED)
        messages.check(refusal.expected)
        assert refusal.found


@pytest.mark.parametrize("seconds", [None, 0, 0.5, 3600])
def test_delay_within_limit_is_allowed(seconds: Any) -> None:
    assert denial_code("threads:create_run", {"after_seconds": seconds}) is None


@pytest.mark.parametrize("event", RUN_EVENTS)
@pytest.mark.parametrize("holder", ["kwargs", "payload"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_unsafe_webhook_is_denied(event: str, holder: str, address: object) -> None:
    assert denial_code(event, {holder: {"webhook": address}}) is ErrorCode.WEBHOOK_NOT_ALLOWED


@pytest.mark.parametrize(
    ("policy", "address", "allowed"),
    [
        ("https", "https://hooks.acme.com/x", True),
        ("any", "http://127.0.0.1/x", True),
        ("any", "/threads", False),
        ("deny", "https://hooks.acme.com/x", False),
    ],
)
def test_webhook_follows_setting(policy: str, address: str, *, allowed: bool) -> None:
    code = denial_code("threads:create_run", {"kwargs": {"webhook": address}}, webhooks=policy)
    assert code is (None if allowed else ErrorCode.WEBHOOK_NOT_ALLOWED)


@pytest.mark.parametrize("kwargs", [None, [], "text", {}, {"webhook": None}])
def test_run_without_webhook_is_allowed(kwargs: Any) -> None:
    assert denial_code("threads:create_run", {"kwargs": kwargs}) is None


@pytest.mark.parametrize("event", ["crons:create", "crons:update"])
def test_disabled_crons_are_not_written(event: str) -> None:
    assert denial_code(event, {}, crons="deny") is ErrorCode.CRONS_DISABLED
    assert denial_code(event, {}) is None


@pytest.mark.parametrize("event", ["crons:read", "crons:search", "crons:delete", "threads:create_run"])
def test_disabled_crons_can_be_read_and_deleted(event: str) -> None:
    assert check_request_limits(AccessRequest(event), EnforcementSettings(crons="deny")) is None
