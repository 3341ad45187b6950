"""Web pages that the real server answers if a proxy adds the user's token to each request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.sample_users import configuration_for
from starlette.testclient import WebSocketDenialResponse

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser

HEADER = "x-goog-iap-jwt-assertion"
APP = "https://app.acme.com"
EVIL = "https://evil.test"
RUN = {"assistant_id": "agent", "input": {"text": "x"}, "after_seconds": 3600}
FORM = {"content-type": "text/plain"}
"""A form can send this type to another site without a CORS preflight."""


@pytest.fixture
def proxied(live_server: LiveServer, alice: SampleUser) -> dict[str, str]:
    """Configure the header of the proxy, and return it with the token of Alice."""
    configuration = configuration_for(live_server.issuer)
    configuration["issuer"] |= {"header": HEADER, "allowed_origins": [APP]}
    live_server.server.install(protect(OIDCAuth.from_dict(configuration, fetcher=live_server.issuer)))
    return {HEADER: alice.token}


def send(live_server: LiveServer, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
    content = None if body is None else json.dumps(body)
    return live_server.server.client.request(method, path, content=content, headers=headers)


def new_thread(live_server: LiveServer, proxied: dict[str, str]) -> str:
    return f"/threads/{send(live_server, 'POST', '/threads', proxied, {}).json()['thread_id']}"


def page(origin: str | None, site: str | None) -> dict[str, str]:
    """Return the header fields that a browser adds for a page."""
    fields = {"origin": origin, "sec-fetch-site": site}
    return {name: text for name, text in fields.items() if text is not None}


@pytest.mark.parametrize(
    ("origin", "site"), [(EVIL, "cross-site"), (EVIL, None), ("null", "cross-site"), (None, "same-site")]
)
def test_foreign_form_starts_no_run(
    live_server: LiveServer, proxied: dict[str, str], origin: str | None, site: str | None
) -> None:
    path = new_thread(live_server, proxied)
    answer = send(live_server, "POST", f"{path}/runs", {**proxied, **FORM, **page(origin, site)}, RUN)
    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (403, "origin_not_allowed")
    assert send(live_server, "GET", f"{path}/runs", proxied).json() == []


@pytest.mark.parametrize(
    ("origin", "site"), [(APP, "cross-site"), (APP, None), ("https://own.test", "same-origin"), (None, None)]
)
def test_own_and_listed_pages_start_runs(
    live_server: LiveServer, proxied: dict[str, str], origin: str | None, site: str | None
) -> None:
    path = new_thread(live_server, proxied)
    answer = send(live_server, "POST", f"{path}/runs", {**proxied, **FORM, **page(origin, site)}, RUN)
    assert answer.status_code == 200
    assert len(send(live_server, "GET", f"{path}/runs", proxied).json()) == 1


def test_foreign_page_reads_nothing(live_server: LiveServer, proxied: dict[str, str]) -> None:
    path = new_thread(live_server, proxied)
    assert send(live_server, "GET", path, {**proxied, **page(None, "cross-site")}).status_code == 403
    assert send(live_server, "GET", path, {**proxied, **page(None, "none")}).status_code == 200


@pytest.mark.parametrize("origin", [EVIL, "null", f"{APP}.evil.test"])
def test_foreign_page_opens_no_websocket(live_server: LiveServer, proxied: dict[str, str], origin: str) -> None:
    path = f"{new_thread(live_server, proxied)}/stream/events"
    connect = live_server.server.client.websocket_connect(path, headers={**proxied, "origin": origin})
    with pytest.raises(WebSocketDenialResponse) as refused, connect:
        pass
    assert refused.value.status_code == 403


def test_listed_page_opens_websocket(live_server: LiveServer, proxied: dict[str, str]) -> None:
    path = f"{new_thread(live_server, proxied)}/stream/events"
    with live_server.server.client.websocket_connect(path, headers={**proxied, "origin": APP}) as socket:
        socket.send_json({"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values"]}})
        assert socket.receive_json()["id"] == 1


def test_preflight_request_needs_no_token(live_server: LiveServer, proxied: dict[str, str]) -> None:
    asked = {"origin": EVIL, "access-control-request-method": "POST"}
    assert send(live_server, "OPTIONS", f"{new_thread(live_server, proxied)}/runs", asked).status_code == 200
