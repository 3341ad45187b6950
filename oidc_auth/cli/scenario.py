"""The requests of ``oidc-auth demo``: caller, request, expected and actual result.

Every row is a real request to a real server. A row passes if status, body and stored data are as expected.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from ..errors import ERROR_DETAILS, UNAUTHENTICATED, ErrorCode
from ..local_provider.accounts import User
from ..testing.signing import SigningKey, compact, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..local_provider import LocalProvider

AGENT = {"assistant_id": "agent"}
CRON_WITHIN = 15.0
"""Seconds until a cron that runs every second must have run. It takes two or three."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request and its result."""

    caller: str
    request: str
    expected: str
    got: str
    passed: bool
    reason: str = ""


AUDIENCE = "agents"

USERS: Mapping[str, tuple[str, str]] = {
    "alice": ("editor", "acme"),
    "bob": ("editor", "globex"),
    "victor": ("viewer", "acme"),
    "ada": ("admin", "acme"),
    "eve": ("admin", "globex"),
    "carol": ("builder", "acme"),
    "robot": ("robot", "acme"),
    "guest": ("visitor", "acme"),
}
"""Role and tenant of each user in the quickstart. The role visitor has no permission."""


def demo_users() -> list[User]:
    """Return the users for the local provider."""
    return [User(name, {"roles": [role], "org": tenant}) for name, (role, tenant) in USERS.items()]


def invalid_tokens(provider: LocalProvider) -> dict[str, tuple[str, str]]:
    """Return invalid tokens by description, each with its expected error code."""
    good = provider.token("alice")
    stray = SigningKey.make("stray", "RS256")
    # It begins with the trusted issuer, so that a comparison by prefix would accept it.
    other_issuer = f"{provider.url}/other"
    return {
        "expired": (provider.token("alice", lifetime=-60), "token_expired"),
        "for another audience": (provider.token("alice", audience="billing"), "audience_mismatch"),
        # The client hears token_invalid only. The log has signature_invalid.
        "with a changed payload": (_change_subject(good), "token_invalid"),
        "signed by another key": (_sign_again(good, stray), "key_not_found"),
        "of an unknown issuer": (_sign_again(good, stray, iss=other_issuer), "issuer_not_trusted"),
    }


def _change_subject(token: str) -> str:
    """Return the token with another subject and the old signature."""
    header, _, signature = token.split(".")
    # One other letter. Form, length and all other claims stay valid, so only the signature is wrong.
    payload = {**_payload(token), "sub": "alicf"}
    return f"{header}.{encode_base64url(json.dumps(payload).encode())}.{signature}"


def _sign_again(token: str, key: SigningKey, **changes: object) -> str:
    """Return the token with changed claims and the signature of another key, as an attacker makes it."""
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "at+jwt"}
    return compact(header, {**_payload(token), **changes}, key)


def _payload(token: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(_decoded(token.split(".")[1]))
    return payload


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


class DemoSession:
    """The users, their tokens and the server."""

    def __init__(self, client: httpx.Client, provider: LocalProvider) -> None:
        self.provider = provider
        self._client = client
        # One token for each user, as in a real session. Later requests then use the cache.
        self._tokens = {name: provider.token(name) for name in USERS}

    def request(self, name: str, method: str, path: str, body: object = None) -> httpx.Response:
        """Send a request as a user."""
        return self.send(method, path, body, {"authorization": f"Bearer {self._tokens[name]}"})

    def send(self, method: str, path: str, body: object, headers: dict[str, str]) -> httpx.Response:
        """Send a request with these headers."""
        return self._client.request(method, path, json=body, headers=headers)


def expect_status(caller: str, request: str, answer: httpx.Response, expected: int, text: str = "") -> Row:
    """Return the row of a request that must have a status, and a text in its error."""
    # In a successful answer, the text could come from the user.
    said = answer.text if answer.status_code >= httpx.codes.BAD_REQUEST else ""
    passed = answer.status_code == expected and text in said
    return Row(caller, request, f"{expected} {text}".strip(), str(answer.status_code), passed, _detail(answer))


def expect_fact(caller: str, request: str, expected: str, holds: object, got: object) -> Row:
    """Return the row of a condition that must be true."""
    return Row(caller, request, expected, str(got)[:60], bool(holds))


def _detail(answer: httpx.Response) -> str:
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return ""
    try:
        return str(answer.json().get("detail", answer.text))
    except ValueError:
        return answer.text[:80]


def rows(session: DemoSession) -> Iterator[Row]:
    """Send all requests."""
    # The order matters: later rows use the thread and what earlier rows stored in it.
    yield from unauthenticated_rows(session)
    thread = session.request("alice", "POST", "/threads", {"metadata": {"owner": "mallory", "title": "plans"}})
    owner = thread.json().get("metadata", {}).get("owner")
    yield expect_fact(
        "alice (editor, acme)", "create a thread with owner: mallory", "stored owner alice", owner == "alice", owner
    )
    path = f"/threads/{thread.json().get('thread_id')}"
    yield from owner_rows(session, path)
    yield from other_user_rows(session, path)
    yield from administrator_rows(session, path)
    yield from assistant_rows(session)
    yield from store_rows(session)
    yield from machine_rows(session, path)
    yield from cron_rows(session)
    guest = session.request("guest", "POST", "/threads/search", {})
    message = ERROR_DETAILS[ErrorCode.NO_PERMISSIONS].client_message
    yield expect_status("guest (visitor, acme)", "search threads", guest, 403, message)


def unauthenticated_rows(session: DemoSession) -> Iterator[Row]:
    """Send requests without a valid token."""
    answer = session.send("POST", "/threads/search", {}, {})
    # Without a token, the challenge must not have error= (RFC 6750 §3.1).
    challenge = answer.headers.get("www-authenticate", "")
    challenge_is_plain = (
        answer.status_code == UNAUTHENTICATED and challenge.startswith("Bearer") and "error" not in challenge
    )
    yield Row(
        "anonymous", "search threads without a token", "401 without error=", f"401 {challenge}", challenge_is_plain
    )
    for wrong, (token, code) in invalid_tokens(session.provider).items():
        answer = session.send("POST", "/threads/search", {}, {"authorization": f"Bearer {token}"})
        invalid = 'error="invalid_token"' in answer.headers.get("www-authenticate", "")
        row = expect_status("alice", f"token {wrong}", answer, 401, code)
        yield Row(row.caller, row.request, row.expected, row.got, row.passed and invalid, row.reason)
    # LangGraph Studio sends it. langgraph dev skips the hook for it, unless disable_studio_auth is set.
    answer = session.send("POST", "/threads/search", {}, {"x-auth-scheme": "langsmith"})
    yield expect_status("alice", "x-auth-scheme: langsmith without a token", answer, 401)


def owner_rows(session: DemoSession, path: str) -> Iterator[Row]:
    """Send requests of the owner of a thread."""
    yield expect_status("alice", "read it", session.request("alice", "GET", path), 200)
    run = {**AGENT, "input": {"text": "hello"}}
    answer = session.request("alice", "POST", f"{path}/runs/wait", run).json().get("answer")
    yield expect_fact("alice", "run on it and wait", "alice said hello", answer == "alice said hello", answer)
    stream = session.request("alice", "POST", f"{path}/runs/stream", run)
    events = [line for line in stream.text.splitlines() if line.startswith("event:")]
    yield expect_fact(
        "alice", "stream a run", "events", "event: values" in events and "event: error" not in events, events[-1:]
    )
    answer_ = session.request("alice", "PATCH", path, {"metadata": {"owner": "bob"}})
    yield expect_status("alice", "PATCH owner: bob", answer_, 403)


def other_user_rows(session: DemoSession, path: str) -> Iterator[Row]:
    """Send requests of a viewer of the same tenant and an editor of another one."""
    created = session.request("victor", "POST", "/threads", {})
    yield expect_status("victor (viewer, acme)", "create a thread", created, 403, "threads:create")
    yield expect_status("victor", "read alice's", session.request("victor", "GET", path), 404)
    run = {**AGENT, "input": {"text": "evil"}}
    # 404 and not 403, so that the answer does not tell whether the thread exists. The server answers a copy with 409
    # in that case.
    attempts: list[tuple[str, str, str, object, int]] = [
        ("read", "GET", path, None, 404),
        ("PATCH", "PATCH", path, {"metadata": {"title": "mine"}}, 404),
        ("run on", "POST", f"{path}/runs/wait", run, 404),
        ("copy", "POST", f"{path}/copy", None, 409),
        ("state of", "GET", f"{path}/state", None, 404),
        ("history of", "GET", f"{path}/history", None, 404),
        ("delete", "DELETE", path, None, 404),
    ]
    for what, method, where, body, expected in attempts:
        yield expect_status(
            "bob (editor, globex)", f"{what} alice's thread", session.request("bob", method, where, body), expected
        )
    thread_id = path.rpartition("/")[2]
    taken = session.request("bob", "POST", "/threads", {"thread_id": thread_id, "if_exists": "do_nothing"})
    yield expect_status("bob", "create alice's thread (do_nothing)", taken, 409)
    # A status alone does not prove that a refused request changed nothing.
    stored = session.request("alice", "GET", path).json()
    same = stored.get("metadata", {}).get("title") == "plans" and stored.get("values", {}).get("text") == "hello"
    yield expect_fact("alice", "read it again", "nothing changed", same, stored.get("metadata", {}).get("title"))


def administrator_rows(session: DemoSession, path: str) -> Iterator[Row]:
    """Send requests of administrators of the owner's tenant and of another one."""
    yield expect_status("ada (admin, acme)", "read alice's thread", session.request("ada", "GET", path), 200)
    patched = session.request("ada", "PATCH", path, {"metadata": {"title": "checked"}}).json().get("metadata", {})
    # An administrator who edits an object must not become its owner.
    good = patched.get("title") == "checked" and patched.get("owner") == "alice"
    yield expect_fact("ada", "PATCH its title", "owner is still alice", good, f"owner {patched.get('owner')}")
    yield expect_status("eve (admin, globex)", "read alice's thread", session.request("eve", "GET", path), 404)


def assistant_rows(session: DemoSession) -> Iterator[Row]:
    """Create and search assistants."""
    new = {"graph_id": "agent", "name": "mine"}
    yield expect_status(
        "carol (builder, acme)", "create an assistant", session.request("carol", "POST", "/assistants", new), 200
    )
    yield expect_status(
        "alice", "create an assistant", session.request("alice", "POST", "/assistants", new), 403, "assistants:create"
    )
    # The server created it for all users, so no owner hides it.
    for name in ("alice", "bob"):
        found = session.request(name, "POST", "/assistants/search", {}).json()
        names = [found_.get("graph_id") for found_ in found if found_.get("metadata", {}).get("created_by") == "system"]
        yield expect_fact(name, "search assistants", "the built-in one", "agent" in names, names)


def store_rows(session: DemoSession) -> Iterator[Row]:
    """Use the same store namespace and key as two users."""
    item = {"namespace": ["notes"], "key": "k", "value": {"secret": "of alice"}}
    yield expect_status("alice", "store: put an item", session.request("alice", "PUT", "/store/items", item), 204)
    # The server answers 200 and null for an item that does not exist.
    found = session.request("bob", "GET", "/store/items?namespace=notes&key=k")
    yield expect_fact("bob", "store: get the same item", "200 null", found.text == "null", found.text)


def machine_rows(session: DemoSession, path: str) -> Iterator[Row]:
    """Send requests of a machine that can only start runs."""
    answer = session.request("robot", "POST", "/runs/wait", {**AGENT, "input": {"text": "beep"}}).json().get("answer")
    yield expect_fact(
        "robot (robot, acme)", "stateless run and wait", "robot said beep", answer == "robot said beep", answer
    )
    # The server deletes the thread of a stateless run in the name of the user, who has no threads:delete.
    left = session.request("robot", "POST", "/threads/search", {}).json()
    yield expect_fact("robot", "search threads", "no thread", left == [], f"{len(left)} threads")
    kept = "0b0f7a7e-6a7e-4f0e-8f0e-2d1a5a3f9a11"
    slow = {**AGENT, "input": {"text": "slow", "wait": 5}, "if_not_exists": "create"}
    session.request("robot", "POST", f"/threads/{kept}/runs", slow)
    # rollback deletes the first run, also in the name of a user without threads:delete.
    quick = {**AGENT, "input": {"text": "again"}, "multitask_strategy": "rollback"}
    answer = session.request("robot", "POST", f"/threads/{kept}/runs/wait", quick).json().get("answer")
    yield expect_fact("robot", "second run with rollback", "robot said again", answer == "robot said again", answer)
    refused = session.request("robot", "DELETE", path).status_code
    yield expect_fact("robot", "delete alice's thread", "404 or 403", refused in (404, 403), refused)


def cron_rows(session: DemoSession) -> Iterator[Row]:
    """Create a cron. It runs as its creator, and other users cannot see it."""
    job = {"metadata": {"job": "tick"}}
    # Six fields: each second. Without "keep", the server would delete the thread with the answer.
    cron = {**AGENT, **job, "schedule": "* * * * * *", "input": {"text": "tick"}, "on_run_completed": "keep"}
    made = session.request("alice", "POST", "/runs/crons", cron)
    thread = _first_fire(session, job)
    owner, answer = thread.get("metadata", {}).get("owner"), thread.get("values", {}).get("answer")
    good = owner == "alice" and answer == "alice said tick"
    yield expect_fact("alice", "create a cron (every second)", "it runs as alice", good, answer)
    seen = [session.request("bob", "POST", where, job).json() for where in ("/threads/search", "/runs/crons/search")]
    yield expect_fact("bob", "search its threads and crons", "nothing", seen == [[], []], seen)
    # With --keep, the server runs on, and so would the cron.
    session.request("alice", "DELETE", f"/runs/crons/{made.json().get('cron_id')}")


def _first_fire(session: DemoSession, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + CRON_WITHIN
    while time.monotonic() < deadline:
        for thread in session.request("alice", "POST", "/threads/search", job).json():
            if thread.get("values"):
                found: dict[str, Any] = thread
                return found
        time.sleep(0.2)
    return {}
