"""What a client hears of a refusal: the status, the sentence and the headers, as they leave the real server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from world.town import Somebody, Town


def test_no_token_is_401_with_a_challenge_that_names_no_error(town: Town) -> None:
    answer = town.server.ask("POST", "/threads/search", None, {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="langgraph"'
    assert answer.json() == {"detail": "token_missing: no token was sent"}


def test_a_bad_token_is_401_invalid_token_with_its_code(town: Town) -> None:
    answer = town.server.ask("POST", "/threads/search", town.issuer.token(lifetime=-60), {})
    assert answer.status_code == 401
    challenge = 'Bearer error="invalid_token", error_description="expired: the token has expired"'
    assert answer.headers["www-authenticate"] == challenge
    assert answer.json() == {"detail": "expired: the token has expired"}


def test_two_authorization_fields_are_refused(town: Town, alice: Somebody) -> None:
    fields = [("authorization", f"Bearer {alice.token}"), ("authorization", "Bearer other")]
    answer = town.server.client.post("/threads/search", json={}, headers=fields)
    assert (answer.status_code, answer.json()["detail"][:15]) == (401, "header_repeated")


def test_a_missing_permission_is_403_and_says_what_includes_it(town: Town) -> None:
    answer = town.person("victor", "viewer")("POST", "/threads", {})
    assert answer.status_code == 403
    assert answer.json() == {"detail": "missing permission threads:create (threads:write includes it)"}
    assert "www-authenticate" not in answer.headers


def test_a_token_that_maps_to_nothing_is_403_and_says_so(town: Town) -> None:
    answer = town.person("guest", "visitor")("POST", "/threads/search", {})
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "authenticated, but no permission maps from this token"},
    )


def test_insufficient_scope_names_the_providers_scope_where_a_scope_would_help(town: Town) -> None:
    scopes = {"claim": "scope", "strip_prefix": "agents/", "accept": ["threads:*"]}
    issuer = {"issuer": town.issuer.url, "audience": "agents", "grant": scopes}
    town.server.install(protect(OIDCAuth.from_dict({"issuer": issuer}, fetcher=town.issuer)))
    answer = town.server.ask("POST", "/threads", town.issuer.token(scope="agents/threads:read"), {})
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="agents/threads:create"' in answer.headers["www-authenticate"]
    refused = town.server.ask(
        "POST", "/assistants", town.issuer.token(scope="agents/threads:read"), {"graph_id": "agent"}
    )
    assert "www-authenticate" not in refused.headers


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.ERROR, Fault.HTML, Fault.EMPTY])
def test_an_outage_of_the_provider_is_503_with_retry_after_never_401(town: Town, fault: Fault) -> None:
    cold = LocalIssuer()
    cold.fault = fault
    issuer = {"preset": "generic", "issuer": cold.url, "audience": "agents"}
    town.server.install(protect(OIDCAuth.from_dict({"issuer": issuer}, fetcher=cold)))
    answer = town.server.ask("POST", "/threads/search", cold.token(), {})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"].startswith("keys_unavailable: ")
    assert "www-authenticate" not in answer.headers


def test_studio_is_refused_unless_the_operator_lets_it_in(town: Town) -> None:
    answers = {}
    for studio in ("deny", "own", "all"):
        town.enforce(langgraph={"studio": studio})
        answers[studio] = town.server.ask("POST", "/threads", None, {}, x_auth_scheme="langsmith")
    assert {name: answer.status_code for name, answer in answers.items()} == {"deny": 403, "own": 200, "all": 200}
    assert answers["own"].json()["metadata"]["owner"] == "langgraph-studio-user"


def test_studio_remembers_in_a_store_of_its_own(town: Town) -> None:
    town.enforce(langgraph={"studio": "own"})
    said = {"assistant_id": "memory", "input": {"text": "hello"}}
    path = f"/threads/{uuid.uuid4()}/runs/wait"
    answer = town.server.ask("POST", path, None, {**said, "if_not_exists": "create"}, x_auth_scheme="langsmith")
    assert answer.json()["user"]["identity"] == "langgraph-studio-user"


def test_studio_sees_others_threads_only_with_all(town: Town, alice: Somebody) -> None:
    path, seen = alice.thread(), {}
    for studio in ("own", "all"):
        town.enforce(langgraph={"studio": studio})
        seen[studio] = town.server.ask("GET", path, None, None, x_auth_scheme="langsmith").status_code
    assert seen == {"own": 404, "all": 200}


def test_a_mapper_that_fails_admits_nobody_and_shows_nothing(town: Town) -> None:
    def fails(claims: object, caller: object) -> object:
        raise RuntimeError(str(claims))

    issuer = {"preset": "generic", "issuer": town.issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": issuer}, fetcher=town.issuer, mapper=fails)  # type: ignore[arg-type]
    town.server.install(protect(oidc))
    answer = town.server.ask("POST", "/threads/search", town.issuer.token(), {})
    assert (answer.status_code, "alice" in answer.text) == (403, False)
