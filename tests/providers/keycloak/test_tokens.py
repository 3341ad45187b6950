"""Tokens that a real Keycloak issued, on the real LangGraph server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.keycloak.realm import decoded

if TYPE_CHECKING:
    from providers.keycloak.conftest import Guarded
    from providers.keycloak.realm import Realm

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
ALICE = "00000000-0000-4000-8000-000000000001"


def test_a_service_account_creates_a_thread_and_runs_on_it(guarded: Guarded, realm: Realm) -> None:
    token = realm.machine()
    made = guarded.ask("POST", "/threads", token, {})
    owner = decoded(token)[1]["sub"]
    assert (made.status_code, made.json()["metadata"]) == (200, {"owner": owner})
    ran = guarded.ask("POST", f"/threads/{made.json()['thread_id']}/runs/wait", token, RUN)
    assert ran.json()["answer"] == f"{owner} said hello"


def test_a_user_who_logged_in_through_the_pages_owns_what_they_create(guarded: Guarded, realm: Realm) -> None:
    made = guarded.ask("POST", "/threads", realm.login("alice")["access_token"], {})
    assert (made.status_code, made.json()["metadata"]) == (200, {"owner": ALICE})
