"""Refresh, client credentials, audiences, introspection, revocation and userinfo."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from kit.relying_party import WEB_SECRET, RelyingParty, claims_of, code_of, redirect_of

if TYPE_CHECKING:
    from oidc_auth.local_provider import LocalProvider
    from oidc_auth.testing import Clock


def test_refresh_gives_new_tokens(spa: RelyingParty) -> None:
    first = spa.log_in("alice")
    second = spa.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    old, new = claims_of(first["access_token"]), claims_of(second["access_token"])
    assert (old.pop("jti") != new.pop("jti"), old == new) == (True, True)
    renewed = claims_of(second["id_token"])
    assert (renewed["sub"], "nonce" in renewed) == ("alice", False)


def test_second_use_of_refresh_token_revokes_all(spa: RelyingParty) -> None:
    first = spa.log_in("alice")
    second = spa.refresh(first["refresh_token"]).json()
    assert spa.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert spa.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert spa.userinfo(second["access_token"]).status_code == 401


def test_refresh_token_of_another_client_is_refused(spa: RelyingParty, web: RelyingParty) -> None:
    tokens = spa.log_in("alice")
    assert web.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert spa.refresh(tokens["refresh_token"]).status_code == 200


def test_refresh_can_narrow_scope_but_not_widen(spa: RelyingParty) -> None:
    tokens = spa.log_in("alice", scope="openid threads:read")
    assert spa.refresh(tokens["refresh_token"], scope="openid admin").json()["error"] == "invalid_scope"
    narrowed = spa.refresh(tokens["refresh_token"], scope="openid").json()
    assert claims_of(narrowed["access_token"])["scope"] == "openid"


def test_client_credentials_have_claims_of_client(robot: RelyingParty) -> None:
    answer = robot.token_request("client_credentials", scope="threads:read")
    claims = claims_of(answer.json()["access_token"])
    expected = {"sub": "robot", "client_id": "robot", "roles": ["robot"], "org": "acme", "scope": "threads:read"}
    assert {name: claims[name] for name in expected} == expected
    assert ("sid" in claims, "refresh_token" in answer.json()) == (False, False)


def test_client_credentials_accept_secret_in_body(provider: LocalProvider, robot: RelyingParty) -> None:
    with RelyingParty(provider, "robot") as client:
        assert client.token_request("client_credentials", client_secret=robot.secret).status_code == 200


@pytest.mark.parametrize("secret", ["wrong", "", None, "ü"])
def test_wrong_secret_is_refused(secret: str | None, provider: LocalProvider) -> None:
    with RelyingParty(provider, "robot") as client:
        answer = client.token_request("client_credentials", client_secret=secret)
        basic = base64.b64encode(f"robot:{secret}".encode()).decode()
        header = client.http.post(
            "/token", data={"grant_type": "client_credentials"}, headers={"authorization": f"Basic {basic}"}
        )
    assert [(each.status_code, each.json()["error"]) for each in (answer, header)] == [(401, "invalid_client")] * 2


@pytest.mark.parametrize("header", ["Basic !", "Basic /w==", "Basic Og==", "Basic", "Bearer x", "Basic YQ=="])
def test_malformed_client_authentication_is_refused(header: str, provider: LocalProvider) -> None:
    with RelyingParty(provider) as client:
        answer = client.http.post(
            "/token", data={"grant_type": "client_credentials"}, headers={"authorization": header}
        )
    assert (answer.status_code, answer.json()["error"]) in {(401, "invalid_client"), (400, "invalid_request")}


def test_public_client_has_no_own_tokens(spa: RelyingParty) -> None:
    assert spa.token_request("client_credentials").json()["error"] == "invalid_client"


def test_client_with_secret_must_send_it(provider: LocalProvider, web: RelyingParty) -> None:
    code = code_of(web.choose("alice"))
    with RelyingParty(provider, "web") as without:
        answer = without.exchange(code, code_verifier=web.verifier)
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("grant_type", ["password", "implicit", "", "é"])
def test_other_grant_types_are_refused(grant_type: str, spa: RelyingParty) -> None:
    assert spa.token_request(grant_type).json()["error"] in {"unsupported_grant_type", "invalid_request"}


def test_repeated_token_parameter_is_refused(spa: RelyingParty) -> None:
    code = code_of(spa.choose("alice"))
    assert spa.exchange(code, code_verifier=[spa.verifier, spa.verifier]).json()["error"] == "invalid_request"


def test_parameters_of_address_do_not_count(robot: RelyingParty) -> None:
    query = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": robot.secret}
    answer = robot.http.post("/token", params=query, data={"x": "y"})
    assert answer.status_code == 400


def test_resource_becomes_audience(spa: RelyingParty) -> None:
    resources = ["http://127.0.0.1:2024/mcp", "urn:api"]
    tokens = spa.exchange(
        code_of(spa.http.post("/login", params=spa.request(resource=resources), data={"user": "ada"}))
    )
    assert claims_of(tokens.json()["access_token"])["aud"] == resources
    refreshed = spa.refresh(tokens.json()["refresh_token"], resource="urn:api").json()
    assert claims_of(refreshed["access_token"])["aud"] == "urn:api"


def test_token_request_cannot_add_resource(spa: RelyingParty) -> None:
    code = code_of(spa.choose("alice", resource="urn:api"))
    assert spa.exchange(code, resource="urn:other").json()["error"] == "invalid_target"


def test_client_credentials_accept_resource(robot: RelyingParty) -> None:
    answer = robot.token_request("client_credentials", resource="urn:api")
    assert claims_of(answer.json()["access_token"])["aud"] == "urn:api"


def test_introspection_returns_claims_while_active(spa: RelyingParty, robot: RelyingParty, clock: Clock) -> None:
    token = spa.log_in("alice")["access_token"]
    answer = robot.post("/introspect", token=token).json()
    assert answer == {**claims_of(token), "active": True, "token_type": "Bearer"}
    clock.advance(3600)
    assert robot.post("/introspect", token=token).json() == {"active": False}


def test_introspection_of_refresh_token_has_no_type(spa: RelyingParty, robot: RelyingParty) -> None:
    tokens = spa.log_in("alice")
    answer = robot.post("/introspect", token=tokens["refresh_token"]).json()
    assert (answer["active"], answer["sub"], "token_type" in answer) == (True, "alice", False)


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "eyJhbGciOiJub25lIn0.e30."])
def test_introspection_of_foreign_token_is_inactive(token: str, robot: RelyingParty) -> None:
    assert robot.post("/introspect", token=token).json() == {"active": False}


def test_introspection_verifies_the_signature(spa: RelyingParty, robot: RelyingParty) -> None:
    head, payload, signature = spa.log_in("alice")["access_token"].split(".")
    forged = f"{head}.{payload}.{signature[:-4]}AAAA"
    assert robot.post("/introspect", token=forged).json() == {"active": False}


def test_id_token_is_no_access_token(spa: RelyingParty, robot: RelyingParty) -> None:
    token = spa.log_in("alice")["id_token"]
    assert robot.post("/introspect", token=token).json() == {"active": False}
    assert spa.userinfo(token).status_code == 401


def test_public_client_asks_about_own_tokens_only(spa: RelyingParty, web: RelyingParty) -> None:
    own, other = spa.log_in("alice")["access_token"], web.log_in("alice")["access_token"]
    assert spa.post("/introspect", token=own).json()["active"] is True
    assert spa.post("/introspect", token=other).json() == {"active": False}


def test_introspection_needs_a_client(provider: LocalProvider, spa: RelyingParty) -> None:
    answer = spa.http.post("/introspect", data={"token": provider.token("alice")})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_revoked_access_token_is_inactive(spa: RelyingParty) -> None:
    tokens = spa.log_in("alice")
    assert spa.post("/revoke", token=tokens["access_token"]).status_code == 200
    assert spa.userinfo(tokens["access_token"]).status_code == 401
    assert spa.refresh(tokens["refresh_token"]).status_code == 200


def test_revoked_refresh_token_ends_its_grant(spa: RelyingParty) -> None:
    tokens = spa.log_in("alice")
    assert spa.post("/revoke", token=tokens["refresh_token"]).status_code == 200
    assert spa.userinfo(tokens["access_token"]).status_code == 401
    assert spa.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_client_cannot_revoke_foreign_tokens(spa: RelyingParty, web: RelyingParty) -> None:
    token = spa.log_in("alice")["access_token"]
    assert web.post("/revoke", token=token).json()["error"] == "invalid_grant"
    assert spa.userinfo(token).status_code == 200


def test_userinfo_returns_claims_of_user(spa: RelyingParty) -> None:
    answer = spa.userinfo(spa.log_in("bob")["access_token"])
    expected = {"sub": "bob", "name": "bob", "preferred_username": "bob", "roles": ["editor"], "org": "globex"}
    assert answer.json() == expected


@pytest.mark.parametrize("scope", ["threads:read", None])
def test_userinfo_needs_scope_openid(scope: str | None, spa: RelyingParty) -> None:
    answer = spa.userinfo(spa.log_in("alice", scope=scope)["access_token"])
    assert (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"]) == (403, True)


def test_userinfo_without_token_is_challenged(spa: RelyingParty, robot: RelyingParty) -> None:
    answer = spa.http.get("/userinfo")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    machine = robot.token_request("client_credentials", scope="openid").json()["access_token"]
    assert spa.userinfo(machine).status_code == 403


def test_expired_token_has_no_userinfo(spa: RelyingParty, clock: Clock) -> None:
    token = spa.log_in("alice")["access_token"]
    clock.advance(3600)
    assert spa.userinfo(token).status_code == 401


def test_secret_with_special_characters_works(web: RelyingParty) -> None:
    assert set(WEB_SECRET) & set(" %/:")
    assert redirect_of(web.choose("alice"))["state"] == "the-state"
    assert web.log_in("alice")["token_type"] == "Bearer"
