"""The token of a WebSocket that is sent as a subprotocol, as browsers must do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from kit.sample_users import configuration_for, user_token

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.tokens.extract import find_subprotocol_token
from oidc_auth.tokens.resource import RequestKind

NAME = "sec-websocket-protocol"
PROXY_HEADER = "x-proxy-token"
WEB = {"public_url": "https://agents.test"}

issuer = LocalIssuer(algorithm="ES256")
proxied = LocalIssuer("https://proxied.test", algorithm="ES256")
# The module may be imported long before its tests run.
TOKEN = user_token(issuer, "alice", "editor", exp=time.time() + 86_400)
FOREIGN = user_token(proxied, "alice", "editor", exp=time.time() + 86_400)


async def fetch(method: str, url: str, headers: Any, body: bytes | None, /) -> Any:
    return await (proxied if url.startswith(proxied.url) else issuer)(method, url, headers, body)


def build(web: dict[str, Any] | None = WEB, header: str = "authorization", *, second: bool = False) -> OIDCAuth:
    """Return an authenticator, with a second issuer behind a proxy if asked."""
    table: dict[str, Any] = {**configuration_for(issuer)["issuer"], "header": header}
    other = {**configuration_for(proxied)["issuer"], "header": PROXY_HEADER, "identity_prefix": "proxied:"}
    tables = [{**table, "identity_prefix": "own:"}, other] if second else [table]
    return OIDCAuth.from_dict({"issuer": tables, **({"web": web} if web else {})}, fetcher=fetch)


def refuse(
    *fields: tuple[str, str], oidc: OIDCAuth | None = None, kind: RequestKind = RequestKind.WEBSOCKET
) -> TokenError:
    with pytest.raises(TokenError) as refused:
        asyncio.run((oidc or build()).authenticate(list(fields), kind=kind))
    secret = {*TOKEN.split("."), *FOREIGN.split(".")}
    assert not any(part in refused.value.report() for part in secret)
    return refused.value


@pytest.mark.parametrize(
    "fields",
    [
        [(NAME, f"bearer, {TOKEN}")],
        [(NAME, f" bearer\t,{TOKEN} ")],
        [("Sec-WebSocket-Protocol", f"bearer, {TOKEN}")],
        # RFC 6455 §11.3.4: the values may come in several fields.
        [(NAME, "bearer"), (NAME, TOKEN)],
        [(NAME.encode(), f"bearer, {TOKEN}".encode())],
    ],
)
def test_second_subprotocol_is_the_token(fields: Any) -> None:
    caller = asyncio.run(build().authenticate(fields, kind=RequestKind.WEBSOCKET))
    assert caller.identity == "alice"
    assert find_subprotocol_token(fields) == TOKEN


@pytest.mark.parametrize(
    ("offered", "has_token"),
    [
        ("bearer", False),
        ("bearer,", False),
        ("bearer, ,", False),
        (f"bearer, {TOKEN}, graphql-ws", True),
        (f"bearer, {TOKEN}, {TOKEN}", True),
        (f"bearer, {TOKEN},", True),
        (f"{TOKEN}, bearer", True),
        (f"graphql-ws, bearer, {TOKEN}", True),
        (f"Bearer, {TOKEN}", True),
        (f"BEARER, {TOKEN}", True),
        (f"bearer, {TOKEN} {TOKEN}", True),
        (f'bearer, "{TOKEN}"', True),
        ("bearer, undefined", True),
    ],
)
def test_any_other_form_is_malformed(offered: str, *, has_token: bool) -> None:
    error = refuse((NAME, offered))
    assert (error.code, error.has_token) == (ErrorCode.HEADER_MALFORMED, has_token)
    with pytest.raises(TokenError):
        find_subprotocol_token([(NAME, offered)])


@pytest.mark.parametrize("offered", ["graphql-ws", TOKEN, f"token, {TOKEN}", "bearer.x", ""])
def test_other_subprotocols_are_no_credential(offered: str) -> None:
    assert refuse((NAME, offered)).code is ErrorCode.TOKEN_MISSING
    assert find_subprotocol_token([(NAME, offered)]) is None
    both = [(NAME, offered), ("authorization", f"Bearer {TOKEN}")]
    assert asyncio.run(build().authenticate(both, kind=RequestKind.WEBSOCKET)).identity == "alice"


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", "Basic YTpi", ""])
def test_second_credential_is_refused(authorization: str) -> None:
    error = refuse(("authorization", authorization), (NAME, f"bearer, {TOKEN}"))
    assert error.code is ErrorCode.HEADER_REPEATED


def test_header_of_proxy_is_second_credential() -> None:
    error = refuse((PROXY_HEADER, FOREIGN), (NAME, f"bearer, {TOKEN}"), oidc=build(second=True))
    assert error.code is ErrorCode.HEADER_REPEATED


def test_issuer_behind_proxy_accepts_no_subprotocol() -> None:
    error = refuse((NAME, f"bearer, {FOREIGN}"), oidc=build(second=True))
    assert (error.code, error.issuer) == (ErrorCode.ISSUER_NOT_TRUSTED, proxied.url)


@pytest.mark.parametrize(
    "oidc",
    [build(None), build({**WEB, "websocket_tokens": False}), build(header=PROXY_HEADER)],
    ids=["no_web", "turned_off", "other_header"],
)
def test_subprotocol_is_ignored_without_the_setting(oidc: OIDCAuth) -> None:
    assert refuse((NAME, f"bearer, {TOKEN}"), oidc=oidc).code is ErrorCode.TOKEN_MISSING
    assert refuse((NAME, "bearer"), oidc=oidc).code is ErrorCode.TOKEN_MISSING


@pytest.mark.parametrize("kind", [RequestKind.ANSWER, RequestKind.STREAM])
def test_only_websockets_have_subprotocols(kind: RequestKind) -> None:
    assert refuse((NAME, f"bearer, {TOKEN}"), kind=kind).code is ErrorCode.TOKEN_MISSING


def test_size_of_token_is_limited() -> None:
    assert refuse((NAME, f"bearer, {'x' * 20_000}")).code is ErrorCode.TOKEN_TOO_LONG


@pytest.mark.parametrize("kind", [RequestKind.STREAM, RequestKind.WEBSOCKET])
def test_stream_needs_token_that_has_not_ended(kind: RequestKind) -> None:
    oidc = build({**WEB, "stream_expiry": "close"})
    late = user_token(issuer, "alice", "editor", exp=time.time() - 1)
    error = refuse(("authorization", f"Bearer {late}"), oidc=oidc, kind=kind)
    assert (error.code, error.issuer) == (ErrorCode.TOKEN_EXPIRED, issuer.url)
    # One answer is within the leeway, and so is a stream that may go on.
    fields = [("authorization", f"Bearer {late}")]
    assert asyncio.run(oidc.authenticate(fields)).identity == "alice"
    assert asyncio.run(build().authenticate(fields, kind=kind)).identity == "alice"
    current = [("authorization", f"Bearer {TOKEN}")]
    assert asyncio.run(oidc.authenticate(current, kind=kind)).identity == "alice"
    # The token is cached now, and the request is checked all the same.
    assert refuse(*fields, oidc=oidc, kind=kind).code is ErrorCode.TOKEN_EXPIRED
