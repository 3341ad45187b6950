"""The records of the audit log."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.audit import KEYS, flush, read_records, summarize
from kit.auth_harness import bearer
from kit.clock import NOON
from starlette.exceptions import HTTPException

from oidc_auth import ErrorCode, OIDCAuth, OIDCAuthError
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.observability import (
    AuthenticationDecided,
    AuthorizationDecided,
    KeysFetched,
    NoticeDecided,
    RevocationReceived,
    TokenIntrospected,
)
from oidc_auth.observability.audit import AuditLog, describe, encode_line, format_time
from oidc_auth.testing import Clock, LocalIssuer

if TYPE_CHECKING:
    from pathlib import Path

    from oidc_auth.observability import Event

ISSUER = "https://issuer.test"
KEY = "k" * 32
THREAD = UUID("0b0e4c8e-6b1f-4c5e-9d1a-2f3a4b5c6d7e")
USER = SimpleNamespace(
    identity="alice", issuer=ISSUER, tenant="acme", permissions=["threads:read", "threads:search"], graphs=None
)


class Audited:
    """An ``OIDCAuth`` with an audit log in a file."""

    def __init__(self, folder: Path, observer: Any = None, mapper: Any = None, **settings: Any) -> None:
        self.file = folder / "audit.jsonl"
        self.clock = Clock(NOON)
        self.clock.advance(0.1239)
        self.issuer = LocalIssuer(ISSUER, algorithm="ES256", clock=self.clock)
        table = {"preset": "generic", "issuer": ISSUER, "audience": "agents", "tenant": "org"}
        options = {} if observer is None else {"observer": observer}
        self.oidc = OIDCAuth.from_dict(
            {"issuer": table, "observability": {"audit": str(self.file), **settings}},
            fetcher=self.issuer,
            clock=self.clock,
            mapper=mapper,
            **options,
        )

    def authenticate(self, sent: str | dict[str, str]) -> None:
        headers = bearer(sent) if isinstance(sent, str) else sent
        with suppress(OIDCAuthError, ZeroDivisionError):
            asyncio.run(self.oidc.authenticate(headers))

    def handle(self, event: str, value: dict[str, Any], rule: Any = None) -> None:
        with suppress(HTTPException):
            asyncio.run(cast("Any", build_handler(event, self.oidc, rule))(ctx=SimpleNamespace(user=USER), value=value))

    def records(self) -> list[dict[str, Any]]:
        flush(self.oidc)
        return read_records(self.file)


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    return Audited(tmp_path)


def test_valid_token_is_recorded_with_identity(audited: Audited) -> None:
    audited.authenticate(audited.issuer.token("alice", org="acme"))
    (record,) = audited.records()
    assert list(record) == KEYS
    assert record == {
        "time": "2027-01-15T08:00:00.123Z",
        "event": "authenticate",
        "outcome": "succeeded",
        "code": None,
        "issuer": ISSUER,
        "identity": "alice",
        "tenant": "acme",
        "permission": None,
        "ids": {},
    }


def test_allowed_decision_is_recorded(audited: Audited) -> None:
    audited.handle("threads:read", {"thread_id": THREAD})
    (record,) = audited.records()
    assert list(record) == KEYS
    assert record == {
        "time": "2027-01-15T08:00:00.123Z",
        "event": "threads:read",
        "outcome": "allowed",
        "code": None,
        "issuer": ISSUER,
        "identity": "alice",
        "tenant": "acme",
        "permission": "threads:read",
        "ids": {"thread_id": str(THREAD)},
    }


def test_denied_decision_is_recorded_with_code(audited: Audited) -> None:
    audited.handle("crons:create", {"cron_id": "c", "payload": {"assistant_id": "agent"}})
    (record,) = audited.records()
    assert (record["outcome"], record["code"]) == ("denied", "permission_missing")
    assert (record["permission"], record["ids"]) == ("crons:create", {"assistant_id": "agent", "cron_id": "c"})


def test_ids_are_of_the_request(audited: Audited) -> None:
    async def rule(ctx: Any, value: dict[str, Any]) -> None:
        value["thread_id"][:] = ["changed"]

    audited.handle("threads:read", {"thread_id": ["t"], "run_id": "r" * 300}, rule)
    (record,) = audited.records()
    assert record["ids"] == {"thread_id": "(list)", "run_id": "r" * 200}


@pytest.mark.parametrize(
    ("claims", "code", "issuer"),
    [
        ({"aud": "other"}, "audience_mismatch", ISSUER),
        ({"iss": "https://evil.test"}, "issuer_not_trusted", None),
        ({"lifetime": -3_600}, "token_expired", ISSUER),
    ],
)
def test_refused_token_is_recorded_without_identity(
    audited: Audited, claims: dict[str, Any], code: str, issuer: str | None
) -> None:
    audited.authenticate(audited.issuer.token("alice", org="acme", **claims))
    (record,) = audited.records()
    assert (record["outcome"], record["code"], record["issuer"]) == ("failed", code, issuer)
    assert (record["identity"], record["tenant"]) == (None, None)


def test_failing_mapper_is_recorded_without_identity(tmp_path: Path) -> None:
    audited = Audited(tmp_path, mapper=lambda claims, caller: 1 / 0)
    audited.authenticate(audited.issuer.token("alice"))
    assert summarize(audited.records()) == [("authenticate", "failed", "custom_rule_failed", None)]


def test_revoked_user_is_recorded_with_identity(tmp_path: Path) -> None:
    file, clock = tmp_path / "audit.jsonl", Clock(NOON)
    issuer = LocalIssuer(ISSUER, algorithm="ES256", clock=clock)
    table = {"preset": "generic", "issuer": ISSUER, "audience": "agents", "logout_clients": ["web"]}
    document = {"issuer": table, "revocation": {"store": "memory"}, "observability": {"audit": str(file)}}
    oidc = OIDCAuth.from_dict(document, fetcher=issuer, clock=clock)
    assert oidc.revocation is not None
    asyncio.run(oidc.revocation.notices.receive_logout(issuer.logout_token("alice", client="web")))
    with pytest.raises(OIDCAuthError):
        asyncio.run(oidc.authenticate(bearer(issuer.token("alice"))))
    flush(oidc)
    # The token is valid, so its identity is no claim of a stranger.
    assert summarize(read_records(file)) == [
        ("revocation:subject", "received", None, None),
        ("authenticate", "failed", "token_revoked", "alice"),
    ]


def test_hashed_identity_is_hmac(tmp_path: Path) -> None:
    audited = Audited(tmp_path, audit_identity="hashed", audit_key=KEY)
    audited.authenticate(audited.issuer.token("alice@acme.com"))
    audited.handle("threads:read", {})
    expected = [hmac.new(KEY.encode(), each, hashlib.sha256).hexdigest() for each in (b"alice@acme.com", b"alice")]
    assert [record["identity"] for record in audited.records()] == expected
    assert b"alice" not in audited.file.read_bytes()


def test_hashed_log_keeps_missing_identity(tmp_path: Path) -> None:
    audited = Audited(tmp_path, audit_identity="hashed", audit_key=KEY)
    audited.authenticate({})
    assert summarize(audited.records()) == [("authenticate", "failed", "token_missing", None)]


def test_observer_works_beside_audit_log(tmp_path: Path) -> None:
    events: list[Event] = []
    audited = Audited(tmp_path, observer=events.append)
    audited.handle("threads:read", {"thread_id": THREAD})
    (event,) = events
    assert isinstance(event, AuthorizationDecided)
    assert (event.identity, event.thread_id, event.duration > 0) == ("alice", str(THREAD), True)
    assert len(audited.records()) == 1


def test_failing_observer_loses_no_record(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError

    audited = Audited(tmp_path, observer=fail)
    audited.handle("threads:read", {})
    assert summarize(audited.records()) == [("threads:read", "allowed", None, "alice")]


def test_missing_thread_decides_nothing(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        audited.handle("threads:read", {})
    # The record waits until a thread can be started.
    audited.handle("threads:search", {})
    assert [record["event"] for record in audited.records()] == ["threads:read", "threads:search"]


def test_unwritable_record_is_counted(audited: Audited) -> None:
    recorder = audited.oidc.reporter.recorder
    assert recorder is not None
    recorder.keep(lambda: cast("Any", 1 / 0))
    audited.handle("threads:read", {})
    first, second = audited.records()
    assert list(first) == [*KEYS, "count"]
    assert (first["event"], first["outcome"], first["count"]) == ("audit", "dropped", 1)
    assert second["event"] == "threads:read"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (KeysFetched(outcome="failed", issuer=ISSUER), None),
        (TokenIntrospected(outcome="active", issuer=ISSUER), None),
        (RevocationReceived(issuer=ISSUER, kind="token", delay=1, at_start=True), None),
        (RevocationReceived(issuer=ISSUER, kind="token", delay=1), ("revocation:token", "received", None, ISSUER)),
        (
            NoticeDecided(outcome="refused", code="notice_malformed", event="security-events"),
            ("security-events", "refused", "notice_malformed", None),
        ),
    ],
)
def test_only_decisions_and_revocations_have_records(event: Event, expected: tuple[str | None, ...] | None) -> None:
    record = describe(event)
    assert expected == (
        None if record is None else tuple(record[key] for key in ("event", "outcome", "code", "issuer"))
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1.9999, "1970-01-01T00:00:01.999Z"), (-0.5, "1969-12-31T23:59:59.500Z")],
)
def test_time_is_rfc_3339(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


@given(st.text(st.characters(), max_size=50))
def test_any_text_is_one_line_of_ascii(text: str) -> None:
    line = encode_line({"identity": text})
    assert line.isascii()
    assert line.endswith(b"\n")
    assert all(byte >= 0x20 for byte in line[:-1])
    assert json.loads(line) == {"identity": text}


SECRET = "Zx9-marker-"


@settings(deadline=None)
@given(
    sub=st.text(max_size=20),
    claims=st.dictionaries(
        st.sampled_from(["email", "scope", "azp", "jti", "sid", "org", "aud", "iss", "typ", "nonce"]),
        st.text(max_size=10),
        max_size=5,
    ),
    lifetime=st.sampled_from([300, -3_600]),
    cut=st.integers(0, 40),
)
def test_no_token_or_claim_is_recorded(sub: str, claims: dict[str, str], lifetime: int, cut: int) -> None:
    lines: list[bytes] = []
    audited = _audited_in_memory(lines)
    sent: dict[str, Any] = {name: SECRET + value for name, value in claims.items()}
    token = audited[1].token(SECRET + sub, lifetime=lifetime, **sent)
    for each in (token, token[: len(token) - cut], token + "x", f"{token} {token}", SECRET + sub):
        with suppress(OIDCAuthError):
            asyncio.run(audited[0].authenticate(bearer(each)))
    records = [line for line in lines if line]
    assert len(records) == 5
    for line in records:
        record = json.loads(line)
        # Only a valid token has an identity and a tenant.
        if record["outcome"] == "failed":
            assert SECRET.encode() not in line
        assert not any(part.encode() in line for part in token.split(".") if len(part) > 20)
        assert {key for key, value in record.items() if SECRET in str(value)} <= {"identity", "tenant"}


def _audited_in_memory(lines: list[bytes]) -> tuple[OIDCAuth, LocalIssuer]:
    issuer = LocalIssuer(ISSUER, algorithm="ES256")
    table = {"preset": "generic", "issuer": ISSUER, "audience": "agents", "tenant": "org"}
    oidc = OIDCAuth.from_dict({"issuer": table, "observability": {"audit": "stdout"}}, fetcher=issuer)
    recorder = oidc.reporter.recorder
    assert isinstance(recorder, AuditLog)
    # The lines, without the thread that writes them.
    recorder._put = lambda item: lines.append(recorder._format(cast("Any", item)))
    return oidc, issuer


def test_decision_without_audit_log_has_no_cost(tmp_path: Path) -> None:
    oidc = OIDCAuth.from_dict({"issuer": {"preset": "generic", "issuer": ISSUER, "audience": "agents"}})
    assert oidc.reporter.is_silent
    assert oidc.reporter.recorder is None


def test_events_of_authentications_hide_persons() -> None:
    event = AuthenticationDecided(outcome="succeeded", identity="alice", tenant="acme")
    assert "alice" not in repr(event)
    assert "acme" not in repr(event)
    assert ErrorCode.TOKEN_MISSING not in repr(event)
