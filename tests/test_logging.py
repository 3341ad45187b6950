"""What an operator finds in the log: one line for each refusal, with code, issuer, pseudonym and cure, and no name."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from world.tokens import NOON, Door, bearer

from oidc_auth.errors import Code, TokenError
from oidc_auth.testing import Fault

if TYPE_CHECKING:
    from logging import LogRecord

FACTS = ("code", "issuer", "user", "event", "expected", "found", "cure")


def facts(record: LogRecord) -> dict[str, str]:
    """Return what a record says to programs."""
    return {name: getattr(record, f"oidc_{name}") for name in FACTS if hasattr(record, f"oidc_{name}")}


def hashed(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def test_a_refused_token_is_one_line_with_code_issuer_pseudonym_and_cure(caplog: pytest.LogCaptureFixture) -> None:
    door = Door(identity=[{"claim": "uid", "prefix": "u:"}], identity_prefix="sso:")
    assert door.knock(door.issuer.token("a@acme.com", uid="alice", lifetime=-61)) is Code.EXPIRED
    (record,) = caplog.records
    assert facts(record) == {
        "code": "expired",
        "issuer": door.issuer.url,
        "user": hashed("sso:u:alice"),
        "expected": "leeway 30 s",
        "found": "61.0 s past exp",
        "cure": "Get a fresh token; check this host's clock.",
    }
    assert (record.name, record.levelname) == ("oidc_auth", "WARNING")
    assert record.getMessage().startswith("refused: expired: the token has expired; ")
    assert record.getMessage().endswith(f" (issuer {door.issuer.url}, user {hashed('sso:u:alice')})")
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
def test_what_a_refused_token_claims_is_quoted_and_names_nobody(
    claims: dict[str, Any], issuer: str | None, user: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door()
    assert door.knock(door.issuer.token(**claims)) is not None
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
def test_only_the_log_has_the_failed_claim(
    claims: dict[str, Any], found: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door(claims="email")
    with pytest.raises(TokenError) as refused:
        asyncio.run(door.admit(door.issuer.token(email="alice@secret.test", groups=["secret"], **claims)))
    (record,) = caplog.records
    assert found in record.getMessage()
    assert "secret" not in repr(vars(record))
    said = refused.value.challenge()
    assert said.detail.startswith(f"{refused.value.code}: ")
    answer = repr((said.detail, said.headers()))
    assert not any(value in answer for value in ("agents", "alice", "secret", "thumbprint", found or "secret"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [({}, "token_missing"), (bearer("a.b"), "segments_wrong"), ({"authorization": "Basic x"}, "header_malformed")],
)
def test_a_request_without_a_readable_token_is_a_line_without_a_user(
    sent: dict[str, str], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    Door().knock(sent)
    (record,) = caplog.records
    assert (facts(record)["code"], set(facts(record)) & {"issuer", "user"}) == (code, set())
    assert facts(record)["cure"] in record.getMessage()


def test_an_outage_is_a_line_with_the_issuer_and_whom_it_kept_out(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    door.issuer.fault = Fault.DOWN
    assert door.knock(door.issuer.token()) is Code.KEYS_UNAVAILABLE
    record = caplog.records[-1]
    assert (facts(record)["code"], facts(record)["issuer"]) == ("keys_unavailable", door.issuer.url)
    assert facts(record)["user"] == hashed("alice")


def test_a_token_that_gives_nothing_is_a_line_for_programs_too(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    assert asyncio.run(door.admit(door.issuer.token())).rights == {}
    (record,) = caplog.records
    assert facts(record) == {"code": "no_permission_maps", "issuer": door.issuer.url, "user": hashed("alice")}


def test_nobody_who_comes_in_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oidc_auth")
    door = Door()
    caplog.clear()
    assert door.knock(door.issuer.token(scope="threads:read")) is None
    assert caplog.records == []


def test_a_log_that_is_turned_off_costs_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "oidc_auth")
    assert Door().knock({}) is Code.TOKEN_MISSING
    assert caplog.records == []


def test_a_record_keeps_no_error_whose_traceback_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    door.knock(door.issuer.token(lifetime=-61))
    (record,) = caplog.records
    assert isinstance(record.args, tuple)
    assert {type(argument) for argument in record.args} == {str}
    assert record.exc_info is None


def test_the_name_of_a_claim_forges_no_line_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    door = Door(grant=[{"claim": "scope", "accept": ["threads:read"]}])
    forged: dict[str, Any] = {f"a{number}\nERROR forged {'y' * 900}": ["threads:read"] for number in range(9)}
    assert door.knock(door.issuer.token(**forged)) is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert "\n" not in line
    assert line.count("ERROR forged") == 5
    assert len(line) < 1_500
