"""A revocation ends the open streams and WebSockets of its tokens, and no others."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from kit.asgi_exchange import ISSUER_URL, Exchange, part, start, until_disconnect
from kit.sample_users import configuration_for
from starlette.applications import Starlette
from web.test_stream_messages import Application, Socket, drive

from oidc_auth import OIDCAuth
from oidc_auth.errors import ERROR_DETAILS, ErrorCode
from oidc_auth.langgraph.hook import CALLER_KEY, TOKEN_KEY, note_caller
from oidc_auth.revocation.entries import Kind, Revocation
from oidc_auth.testing import Clock, LocalIssuer
from oidc_auth.web import install

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = LocalIssuer(ISSUER_URL, algorithm="ES256")
NOW = 1_000.0
CLAIMS = {"sub": "alice", "sid": "s1", "jti": "j1", "iat": NOW - 10}
EVENT = b"data: 1\n\n"
MESSAGE = ERROR_DETAILS[ErrorCode.TOKEN_REVOKED].client_message
ERROR = (
    b'event: error\r\ndata: {"type": "error", "id": null, "error": "token_revoked", '
    + f'"message": "{MESSAGE}"}}\r\n\r\n'.encode()
)
NAMED = [(Kind.SUBJECT, "alice"), (Kind.SESSION, "s1"), (Kind.TOKEN, "j1")]
settings = pytest.mark.parametrize("setting", ["finish", "close"])


def build(setting: str = "finish", **tables: Any) -> OIDCAuth:
    web = {"public_url": "https://agents.test", "stream_expiry": setting}
    document = {**configuration_for(ISSUER), "web": web, "revocation": {"store": "memory"}, **tables}
    # With a clock of its own, so that no other test shares the object.
    return OIDCAuth.from_dict(document, fetcher=ISSUER, clock=Clock(NOW))


def revoke(
    oidc: OIDCAuth, kind: Kind = Kind.SUBJECT, value: str = "alice", *, at: float = NOW, issuer: str = ISSUER_URL
) -> None:
    assert oidc.revocation is not None
    oidc.revocation.store.live.add(Revocation(issuer=issuer, kind=kind, value=value, time=at), NOW)


async def run_until_revoked(exchange: Exchange, app: Any, messages: int, action: Callable[[], object]) -> None:
    """Run an application, and revoke after so many messages."""
    running = asyncio.ensure_future(exchange.run(app))
    await exchange.until(messages)
    action()
    await running


@settings
@pytest.mark.parametrize(("kind", "value"), NAMED)
def test_revocation_ends_stream(setting: str, kind: Kind, value: str) -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build(setting), claims=CLAIMS), Application(EVENT)
        await run_until_revoked(exchange, app, 2, lambda: revoke(exchange.oidc, kind, value))
        assert exchange.body == EVENT + ERROR
        assert app.disconnect == {"type": "http.disconnect"}
        assert (len(exchange.streams), exchange.streams._by_target) == (0, {})

    drive(scenario)


@settings
@pytest.mark.parametrize(("kind", "value"), NAMED)
def test_revocation_closes_websocket(setting: str, kind: Kind, value: str) -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build(setting), "websocket", claims=CLAIMS), Socket(authenticate_late=False)
        exchange.incoming.put_nowait({"type": "websocket.connect"})
        await run_until_revoked(exchange, app, 1, lambda: revoke(exchange.oidc, kind, value))
        close = {"type": "websocket.close", "code": 4401, "reason": "token_revoked"}
        assert exchange.sent == [{"type": "websocket.accept"}, close]

    drive(scenario)


def test_logout_without_session_ends_tokens_without_session() -> None:
    async def scenario() -> None:
        claims = {name: CLAIMS[name] for name in ("sub", "iat")}
        exchange, app = Exchange(build(), claims=claims), Application(EVENT)
        await run_until_revoked(exchange, app, 2, lambda: revoke(exchange.oidc, Kind.SUBJECT_WITHOUT_SESSION))
        assert exchange.body == EVENT + ERROR

    drive(scenario)


OTHERS: dict[str, dict[str, Any]] = {
    "user": {"value": "bob"},
    "session": {"kind": Kind.SESSION, "value": "s2"},
    "session_named_like_user": {"kind": Kind.SESSION, "value": "alice"},
    "issuer": {"issuer": "https://other.test"},
    "older": {"at": NOW - 11},
    "without_session": {"kind": Kind.SUBJECT_WITHOUT_SESSION},
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_revocations_end_no_stream(name: str) -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build(), claims=CLAIMS), Application(EVENT)
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        revoke(exchange.oidc, **OTHERS[name])
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(exchange.streams) == 1
        exchange.incoming.put_nowait({"type": "http.disconnect"})
        await running
        assert exchange.body.startswith(EVENT)
        assert b"token_revoked" not in exchange.body

    drive(scenario)


def test_stream_with_finish_outlives_its_token() -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build("finish"), claims=CLAIMS, lasts=-1), Application(EVENT)
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(exchange.streams) == 1
        revoke(exchange.oidc)
        await running
        assert exchange.body == EVENT + ERROR

    drive(scenario)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_revocation_before_start_ends_stream(kind: str) -> None:
    """It can arrive between the authentication and the start."""

    async def scenario() -> None:
        exchange = Exchange(build(), kind, claims=CLAIMS)
        revoke(exchange.oidc)
        if kind == "http":
            await exchange.run(Application())
            assert exchange.body == ERROR
        else:
            exchange.incoming.put_nowait({"type": "websocket.connect"})
            await exchange.run(Socket(authenticate_late=False))
            assert exchange.sent[-1] == {"type": "websocket.close", "code": 4401, "reason": "token_revoked"}

    drive(scenario)


def test_revocation_of_other_thread_ends_stream() -> None:
    """The store can follow Redis in another event loop."""

    async def scenario() -> None:
        exchange, app = Exchange(build(), claims=CLAIMS), Application(EVENT)
        thread = Thread(target=revoke, args=(exchange.oidc,))
        await run_until_revoked(exchange, app, 2, thread.start)
        thread.join()
        assert exchange.body == EVENT + ERROR

    drive(scenario)


def test_stream_of_ended_loop_is_harmless(caplog: pytest.LogCaptureFixture) -> None:
    oidc, kept = build(), list[Any]()

    async def scenario() -> None:
        exchange = Exchange(oidc, claims=CLAIMS)
        kept.append(exchange)
        running = asyncio.ensure_future(exchange.run(Application(EVENT)))
        await exchange.until(2)
        # The loop ends, and the stream has no time to clean up.
        exchange.streams.discard = lambda stream: None  # type: ignore[method-assign]
        running.cancel()
        await asyncio.wait([running])

    drive(scenario)
    assert len(kept[0].streams) == 1
    revoke(oidc)
    # A failure would be logged, and would keep the other streams of the user open.
    assert caplog.records == []


def test_all_streams_of_user_end() -> None:
    async def scenario() -> None:
        oidc = build()
        exchanges = [Exchange(oidc, claims={**CLAIMS, "sid": f"s{n}", "jti": f"j{n}"}) for n in range(50)]
        for each in exchanges:
            each.streams = exchanges[0].streams
        running = [asyncio.ensure_future(each.run(Application(EVENT))) for each in exchanges]
        for each in exchanges:
            await each.until(2)
        assert len(exchanges[0].streams) == 50
        revoke(oidc)
        await asyncio.gather(*running)
        assert {each.body for each in exchanges} == {EVENT + ERROR}

    drive(scenario)


def test_installed_application_follows_revocations() -> None:
    oidc = build()
    assert oidc.revocation is not None
    before = len(oidc.revocation.store.live.listeners)
    install(Starlette(), oidc)
    assert len(oidc.revocation.store.live.listeners) == before + 1


def test_json_answer_is_not_ended() -> None:
    async def scenario() -> None:
        exchange = Exchange(build(), claims=CLAIMS)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            waiting = asyncio.ensure_future(until_disconnect(receive))
            await send(start(headers=[(b"content-type", b"application/json")]))
            revoke(exchange.oidc)
            await asyncio.sleep(0)
            await send(part(b"{}", more=False))
            waiting.cancel()

        await exchange.run(app)
        assert exchange.body == b"{}"

    drive(scenario)


def test_token_in_copied_scope_is_known() -> None:
    """A middleware between may pass a copy of the scope on, in which the hook notes the token."""

    async def scenario() -> None:
        exchange = Exchange(build(), claims=CLAIMS)
        caller, token = exchange.scope.pop(CALLER_KEY), exchange.scope.pop(TOKEN_KEY)
        app = Application(EVENT)

        async def copying(scope: Any, receive: Any, send: Any) -> None:
            copied = dict(scope)
            note_caller(copied, caller, token, None)
            await app(copied, receive, send)

        await run_until_revoked(exchange, copying, 2, lambda: revoke(exchange.oidc))
        assert exchange.body == EVENT + ERROR

    drive(scenario)
