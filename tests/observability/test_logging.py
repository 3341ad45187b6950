"""What an operator finds in the log: one line for each refusal, with code, issuer, pseudonym and hint, and no name."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer
from kit.clock import NOON

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import Fault

if TYPE_CHECKING:
    from logging import LogRecord

    from kit.snapshots import Messages

FACTS = ("code", "issuer", "user", "event", "expected", "found", "hint")


def facts(record: LogRecord) -> dict[str, str]:
    """Return what a record says to programs."""
    return {name: getattr(record, f"oidc_{name}") for name in FACTS if hasattr(record, f"oidc_{name}")}


def hashed(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def test_rejected_token_is_one_complete_line(caplog: pytest.LogCaptureFixture, messages: Messages) -> None:
    harness = AuthHarness(identity=[{"claim": "uid", "prefix": "u:"}], identity_prefix="sso:")
    assert (
        harness.authenticate(harness.issuer.token("a@acme.com", uid="alice", lifetime=-61)) is ErrorCode.TOKEN_EXPIRED
    )
    (record,) = caplog.records
    said = facts(record)
    texts = [said.pop(name) for name in ("expected", "found", "hint")]
    assert said == {"code": "token_expired", "issuer": harness.issuer.url, "user": hashed("sso:u:alice")}
    assert all(str(text) in record.getMessage() for text in texts)
    assert (record.name, record.levelname) == ("oidc_auth", "WARNING")
    messages.check(record.getMessage())
    assert record.getMessage().endswith(f" (issuer {harness.issuer.url}, user {hashed('sso:u:alice')})")
    assert "alice" not in repr(vars(record))
    assert "acme.com" not in repr(vars(record))


@pytest.mark.parametrize(
    ("claims", "issuer", "user"),
    [
        ({"iss": "https://evil.test"}, "'https://evil.test'", None),
        (
            {"iss": "https://evil.test/\n2026 refused: forged line"},
            r"'https://evil.test/\n2026 refused: forged line'",
            None,
        ),
        ({"iss": None}, None, None),
        ({"iss": 5}, "5", None),
        ({"aud": "other"}, "https://issuer.test", "alice"),
        ({"aud": "other", "sub": None}, "https://issuer.test", None),
        ({"aud": "other", "sub": 5}, "https://issuer.test", None),
    ],
)
def test_unverified_claims_are_quoted_in_log(
    claims: dict[str, Any], issuer: str | None, user: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    harness = AuthHarness()
    assert harness.authenticate(harness.issuer.token(**claims)) is not None
    (record,) = caplog.records
    assert facts(record).get("issuer") == issuer
    assert facts(record).get("user") == (user and hashed(user))
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ({"aud": "other-api"}, "other-api"),
        ({"iss": "https://evil.test"}, "https://evil.test"),
        ({"exp": NOON - 61}, "61.0 s"),
        ({"cnf": {"jkt": "thumbprint"}}, ""),
        ({"sub": None}, ""),
    ],
)
def test_only_log_has_failed_claim(claims: dict[str, Any], found: str, caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthHarness(claims="email")
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.admit(harness.issuer.token(email="alice@secret.test", groups=["secret"], **claims)))
    (record,) = caplog.records
    assert found in record.getMessage()
    assert "secret" not in repr(vars(record))
    said = refused.value.challenge()
    assert said.detail.startswith(f"{refused.value.code}: ")
    answer = repr((said.detail, said.headers()))
    assert not any(value in answer for value in ("agents", "alice", "secret", "thumbprint", found or "secret"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [({}, "token_missing"), (bearer("a.b"), "token_malformed"), ({"authorization": "Basic x"}, "header_malformed")],
)
def test_unreadable_token_is_logged_without_user(
    sent: dict[str, str], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    AuthHarness().authenticate(sent)
    (record,) = caplog.records
    assert (facts(record)["code"], set(facts(record)) & {"issuer", "user"}) == (code, set())
    assert facts(record)["hint"] in record.getMessage()


def test_outage_line_names_issuer_and_user(caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthHarness()
    harness.issuer.fault = Fault.DOWN
    assert harness.authenticate(harness.issuer.token()) is ErrorCode.KEYS_UNAVAILABLE
    record = caplog.records[-1]
    assert (facts(record)["code"], facts(record)["issuer"]) == ("keys_unavailable", harness.issuer.url)
    assert facts(record)["user"] == hashed("alice")


def test_token_without_permissions_has_log_fields(caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthHarness()
    assert asyncio.run(harness.admit(harness.issuer.token())).rights == {}
    (record,) = caplog.records
    assert facts(record) == {"code": "no_permissions", "issuer": harness.issuer.url, "user": hashed("alice")}


def test_accepted_requests_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oidc_auth")
    harness = AuthHarness()
    caplog.clear()
    assert harness.authenticate(harness.issuer.token(scope="threads:read")) is None
    assert caplog.records == []


def test_disabled_log_still_rejects(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "oidc_auth")
    assert AuthHarness().authenticate({}) is ErrorCode.TOKEN_MISSING
    assert caplog.records == []


def test_log_record_keeps_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthHarness()
    harness.authenticate(harness.issuer.token(lifetime=-61))
    (record,) = caplog.records
    assert isinstance(record.args, tuple)
    assert {type(argument) for argument in record.args} == {str}
    assert record.exc_info is None


def test_claim_name_cannot_forge_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthHarness(permission_map=[{"claim": "scope", "accept": ["threads:read"]}])
    forged: dict[str, Any] = {f"a{number}\nERROR forged {'y' * 900}": ["threads:read"] for number in range(9)}
    assert harness.authenticate(harness.issuer.token(**forged)) is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert "\n" not in line
    assert line.count("ERROR forged") == 5
    assert len(line) < 1_500
