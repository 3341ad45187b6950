"""No request causes a 500, a token in a log, or the state of another user in a response."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from langgraph_sdk import Auth

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticate_hook, protect

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser
    from kit.snapshots import Messages


def test_handler_cannot_change_next_requests_user(live_server: LiveServer) -> None:
    table = {"preset": "generic", "issuer": live_server.issuer.url, "audience": "agents", "claims": ["groups"]}
    auth = Auth()
    auth.authenticate(authenticate_hook(OIDCAuth.from_dict({"issuer": table}, fetcher=live_server.issuer)))
    seen: list[Any] = []

    @auth.on
    async def promote(ctx: Any, value: Any) -> None:
        seen.append((list(ctx.user["permissions"]), json.dumps(ctx.user["claims"])))
        ctx.user["permissions"].append("*@all")
        ctx.user["claims"]["groups"].append("admins")

    live_server.server.install(auth)
    bearer = live_server.issuer.token(scope="threads:search", groups=["users"])
    for _ in range(3):
        live_server.server.request("POST", "/threads/search", bearer, {})
    assert seen == [(["threads:search"], '{"groups": ["users"]}')] * 3


def test_logs_contain_no_token(
    live_server: LiveServer, alice: SampleUser, bob: SampleUser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = alice.thread()
    alice("POST", f"{path}/runs", {"assistant_id": "agent", "input": {"text": "x"}})
    bob("GET", path)
    bob("POST", "/assistants", {"graph_id": "agent"})
    bad = live_server.issuer.token(lifetime=-60)
    live_server.server.request("POST", "/threads/search", bad, {})
    text = caplog.text + repr([vars(record) for record in caplog.records])
    assert "refused: token_expired" in text
    for bearer in (alice.token, bob.token, bad):
        assert not any(part in text for part in bearer.split(".")[1:])


def test_denial_is_one_complete_log_line(
    live_server: LiveServer, caplog: pytest.LogCaptureFixture, messages: Messages
) -> None:
    assert live_server.user("victor", "viewer")("POST", "/threads", {}).status_code == 403
    (record,) = [record for record in caplog.records if record.name == "oidc_auth"]
    facts = {name: value for name, value in vars(record).items() if name.startswith("oidc_")}
    messages.check(facts.pop("oidc_hint"))
    assert facts == {
        "oidc_code": "permission_missing",
        "oidc_event": "threads:create",
        "oidc_issuer": live_server.issuer.url,
        "oidc_user": hashlib.sha256(b"victor").hexdigest()[:12],
    }
    messages.check(record.getMessage(), {live_server.issuer.url: "ISSUER"})
    assert record.getMessage().endswith(f" (issuer {live_server.issuer.url}, user {facts['oidc_user']})")
    assert "victor" not in repr(vars(record))


def fails(*seen: Any, **also_seen: Any) -> Any:
    raise RuntimeError(f"cannot read {seen} {also_seen}")


async def fails_later(ctx: Any, value: Any) -> Any:
    fails(dict(ctx.user), value)


def test_custom_rule_failure_log_hides_data(live_server: LiveServer, caplog: pytest.LogCaptureFixture) -> None:
    table = {"preset": "generic", "issuer": live_server.issuer.url, "audience": "agents", "claims": ["email"]}
    token = live_server.issuer.token(scope="threads:write", email="alice@secret.test")
    for made in (
        protect(OIDCAuth.from_dict({"issuer": table}, fetcher=live_server.issuer, mapper=fails)),
        protect(
            OIDCAuth.from_dict({"issuer": table}, fetcher=live_server.issuer),
            also={"threads:create": fails_later},
        ),
    ):
        caplog.clear()
        live_server.server.install(made)
        assert (
            live_server.server.request("POST", "/threads", token, {"metadata": {"note": "secret"}}).status_code == 403
        )
        text = caplog.text + repr([vars(record) for record in caplog.records])
        assert "RuntimeError" in text
        assert "in fails" in text
        assert "secret" not in text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/threads", {"metadata": None}),
        ("POST", "/threads", {"metadata": [1]}),
        ("PATCH", "/threads/{id}", {"metadata": None}),
        ("POST", "/threads/{id}/runs", {"assistant_id": "agent", "config": None, "after_seconds": 3600}),
        ("POST", "/threads/{id}/runs", {"assistant_id": "agent", "metadata": None, "after_seconds": 3600}),
        ("POST", "/runs/crons", {"assistant_id": "agent", "schedule": "0 0 1 1 *", "config": {"metadata": None}}),
        ("POST", "/runs", {"assistant_id": "agent", "config": {"metadata": [1]}}),
        ("POST", "/runs", {"assistant_id": "agent", "config": {"metadata": "x"}}),
        ("POST", "/store/namespaces", {"prefix": None}),
        ("PUT", "/store/items", {"namespace": [], "key": "k", "value": {}}),
        ("PUT", "/store/items", {"namespace": ["a.b"], "key": "k", "value": {}}),
        ("GET", "/threads/not-a-uuid", None),
        ("POST", "/threads/prune", {"thread_ids": ["{id}"]}),
        ("GET", "/nowhere", None),
    ],
)
def test_malformed_requests_never_return_500(alice: SampleUser, method: str, path: str, body: Any) -> None:
    thread_id = alice.thread().rpartition("/")[2]
    sent = json.loads(json.dumps(body).replace("{id}", thread_id))
    assert alice(method, path.replace("{id}", thread_id), sent).status_code < 500


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b", "Bearer ..", "bearer \xff\xfe"]
)
def test_malformed_credentials_return_401(live_server: LiveServer, header: str) -> None:
    answer = live_server.server.client.post(
        "/threads/search", json={}, headers={b"authorization": header.encode("latin-1")}
    )
    assert answer.status_code == 401


def test_unknown_user_object_is_denied(live_server: LiveServer) -> None:
    """Another hook can return a user without an identity. Objects would have no owner."""
    auth = Auth()

    @auth.authenticate
    async def authenticate(headers: Any) -> Any:
        return {"identity": "", "permissions": ["threads:search"]}

    from oidc_auth.langgraph import protect

    table = {"preset": "generic", "issuer": live_server.issuer.url, "audience": "agents"}
    ours = protect(OIDCAuth.from_dict({"issuer": table}, fetcher=live_server.issuer))
    ours._authenticate_handler = lambda **_kwargs: authenticate(None)
    live_server.server.install(ours)
    assert live_server.server.request("POST", "/threads/search", None, {}).status_code == 403
