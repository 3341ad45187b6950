"""``allowed_origins``: exactly what browsers send, or an error that says what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.mistakes import told

from oidc_auth import OIDCAuth
from oidc_auth.errors import ConfigError, Problem

if TYPE_CHECKING:
    from kit.snapshots import Messages

ISSUER = {"preset": "generic", "issuer": "https://id.acme.com", "audience": "agents", "header": "x-proxy-token"}


def problems(origins: object) -> list[Problem]:
    """Return what loading a configuration with these origins says."""
    try:
        OIDCAuth.from_dict({"issuer": {**ISSUER, "allowed_origins": origins}})
    except ConfigError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.acme.com",
        "https://app.acme.com:8443",
        "https://xn--bcher-kva.example",
        "https://10.0.0.1",
        "https://[2001:db8::1]:8443",
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://[::1]",
        "https://intranet",
    ],
)
def test_origin_is_accepted(origin: str) -> None:
    assert problems(origin) == []
    assert problems([origin]) == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.acme.com/",
        "https://app.acme.com/chat",
        "https://app.acme.com?x=1",
        "https://app.acme.com#x",
        "https://APP.acme.com",
        "HTTPS://app.acme.com",
        " https://app.acme.com",
        "https://app.acme.com:443",
        "https://app.acme.com:",
        "http://app.acme.com",
        "http://app.acme.com:80",
        "http://app.acme.com:8080",
        "https://[2001:DB8::1]:443/x",
    ],
)
def test_address_is_refused_with_its_origin(origin: str, messages: Messages) -> None:
    (problem,) = problems(["https://a.test", origin])
    assert problem.where == "issuer[0].allowed_origins[1]"
    messages.check(told(problem))


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "app.acme.com",
        "https://",
        "https://*.acme.com",
        "https://app.acme.com:99999",
        "https://app.acme.com:0",
        "https://app.acme.com:x",
        "https://app.acme.com,https://b.test",
        "https://app.acme.com\n",
        "https://äpp.acme.com",
        "https://[::1",
        "ftp://app.acme.com",
        "chrome-extension://abc",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    assert [problem.where for problem in problems(origin)] == ["issuer[0].allowed_origins[0]"]


def test_password_in_address_is_not_shown() -> None:
    assert "secret" not in str(problems("https://user:secret@app.acme.com"))


@pytest.mark.parametrize("origins", [1, True, {"a": 1}, [1], [None]])
def test_another_type_is_refused(origins: object) -> None:
    assert [problem.where.partition("[0].")[2][:15] for problem in problems(origins)] == ["allowed_origins"]


def test_missing_variable_is_only_problem(messages: Messages) -> None:
    (problem,) = problems("${OIDC_AUTH_NO_SUCH_ORIGIN}")
    messages.check(told(problem))
