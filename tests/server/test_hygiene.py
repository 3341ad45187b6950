"""What must never happen whatever is asked: a 500, a token in a log, one user's state in another's request."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from langgraph_sdk import Auth

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticator, protect

if TYPE_CHECKING:
    from world.town import Somebody, Town


def test_a_handler_that_changes_its_user_does_not_change_the_next_requests(town: Town) -> None:
    table = {"preset": "generic", "issuer": town.issuer.url, "audience": "agents", "claims": ["groups"]}
    auth = Auth()
    auth.authenticate(authenticator(OIDCAuth.from_dict({"issuer": table}, fetcher=town.issuer)))
    seen: list[Any] = []

    @auth.on
    async def promote(ctx: Any, value: Any) -> None:
        seen.append((list(ctx.user["permissions"]), json.dumps(ctx.user["claims"])))
        ctx.user["permissions"].append("*@all")
        ctx.user["claims"]["groups"].append("admins")

    town.server.install(auth)
    bearer = town.issuer.token(scope="threads:search", groups=["users"])
    for _ in range(3):
        town.server.ask("POST", "/threads/search", bearer, {})
    assert seen == [(["threads:search"], '{"groups": ["users"]}')] * 3


def test_no_log_line_holds_a_token_or_its_signature(
    town: Town, alice: Somebody, bob: Somebody, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = alice.thread()
    alice("POST", f"{path}/runs", {"assistant_id": "agent", "input": {"text": "x"}})
    bob("GET", path)
    bob("POST", "/assistants", {"graph_id": "agent"})
    bad = town.issuer.token(lifetime=-60)
    town.server.ask("POST", "/threads/search", bad, {})
    text = caplog.text + repr([vars(record) for record in caplog.records])
    assert "refused: expired" in text
    for bearer in (alice.token, bob.token, bad):
        assert not any(part in text for part in bearer.split(".")[1:])


def test_a_denial_is_one_line_with_event_code_issuer_pseudonym_and_cure(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    assert town.person("victor", "viewer")("POST", "/threads", {}).status_code == 403
    (record,) = [record for record in caplog.records if record.name == "oidc_auth"]
    facts = {name: value for name, value in vars(record).items() if name.startswith("oidc_")}
    assert facts == {
        "oidc_code": "permission_missing",
        "oidc_event": "threads:create",
        "oidc_issuer": town.issuer.url,
        "oidc_user": hashlib.sha256(b"victor").hexdigest()[:12],
        "oidc_cure": "Grant it by a role, scope or permission of the token.",
    }
    assert record.getMessage().startswith("denied threads:create: permission_missing: missing permission")
    assert record.getMessage().endswith(f" (issuer {town.issuer.url}, user {facts['oidc_user']})")
    assert "victor" not in repr(vars(record))


def fails(*seen: Any, **also_seen: Any) -> Any:
    raise RuntimeError(f"cannot read {seen} {also_seen}")


async def fails_later(ctx: Any, value: Any) -> Any:
    fails(dict(ctx.user), value)


def test_the_log_says_where_a_function_of_ones_own_failed_and_nothing_of_what_it_saw(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    table = {"preset": "generic", "issuer": town.issuer.url, "audience": "agents", "claims": ["email"]}
    token = town.issuer.token(scope="threads:write", email="alice@secret.test")
    for made in (
        protect(OIDCAuth.from_dict({"issuer": table}, fetcher=town.issuer, mapper=fails)),
        protect(OIDCAuth.from_dict({"issuer": table}, fetcher=town.issuer), also={"threads:create": fails_later}),
    ):
        caplog.clear()
        town.server.install(made)
        assert town.server.ask("POST", "/threads", token, {"metadata": {"note": "secret"}}).status_code == 403
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
def test_odd_requests_are_answered_without_a_500(alice: Somebody, method: str, path: str, body: Any) -> None:
    thread_id = alice.thread().rpartition("/")[2]
    sent = json.loads(json.dumps(body).replace("{id}", thread_id))
    assert alice(method, path.replace("{id}", thread_id), sent).status_code < 500


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b", "Bearer ..", "bearer \xff\xfe"]
)
def test_odd_credentials_are_401(town: Town, header: str) -> None:
    answer = town.server.client.post("/threads/search", json={}, headers={b"authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_an_unknown_user_object_is_denied(town: Town) -> None:
    """A user of some other hook, without an identity: nothing to own anything by."""
    auth = Auth()

    @auth.authenticate
    async def authenticate(headers: Any) -> Any:
        return {"identity": "", "permissions": ["threads:search"]}

    from oidc_auth.langgraph import protect

    table = {"preset": "generic", "issuer": town.issuer.url, "audience": "agents"}
    ours = protect(OIDCAuth.from_dict({"issuer": table}, fetcher=town.issuer))
    ours._authenticate_handler = lambda **_kwargs: authenticate(None)
    town.server.install(ours)
    assert town.server.ask("POST", "/threads/search", None, {}).status_code == 403
