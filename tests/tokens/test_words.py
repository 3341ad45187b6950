"""What the operator reads of a refusal: what would have been right, and what was there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from world.tokens import NOON, Door, bearer, claims_of, header_of

from oidc_auth.errors import TokenError
from oidc_auth.testing.signing import SigningKey, compact

LEEWAY = "leeway 30 s"
CLAIMS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"iss": "https://other.test"}, {}, "https://issuer.test", "'https://other.test'"),
    ({"typ": "ID", "token_use": "id"}, {}, "an access token", "typ='ID', token_use='id'"),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {}, "an access token", "events"),
    ({"aud": "other"}, {"audience": ["b", "a"]}, "a, b", "'other'"),
    ({"exp": "soon"}, {}, "exp as a number of seconds", "str"),
    ({"exp": NOON - 60}, {}, LEEWAY, "60.0 s past exp"),
    ({"nbf": NOON + 60}, {}, LEEWAY, "60.0 s to nbf"),
    ({"iat": NOON + 60}, {}, LEEWAY, "iat 60.0 s in this host's future"),
    ({"iat": NOON - 100}, {"max_age": 60}, "an age of at most 60 s", "100.0 s"),
    ({}, {"required_claims": ["org.id"]}, "a claim org.id", "none"),
    ({"azp": "other"}, {"authorized_parties": ["web", "cli"]}, "cli, web", "'other'"),
    ({"cnf": {"jkt": "x"}}, {}, "a token without cnf", ""),
    ({"sub": ""}, {}, "a string in sub", "an empty value"),
    ({"sub": 42}, {}, "a string in sub", "a int"),
    ({"org": 1}, {"tenant": "org"}, "a string in org", "1"),
    ({"org": "x"}, {"require": {"org": ["acme", ""]}}, "org in '', acme", "'x'"),
    (
        {"client_id": "x", "org": "acme"},
        {"client_claim": {"claim": "client_id", "values": "web"}, "require": {"org": "acme"}},
        "client_id in web",
        "'x'",
    ),
]


def heard(door: Door, sent: str) -> tuple[str, str]:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.oidc.authenticate(bearer(sent)))
    said = str(refusal.value)
    assert all(f"{name} {fact};" in said for name, fact in vars(refusal.value).items() if name == "found" and fact)
    return refusal.value.expected, refusal.value.found


@pytest.mark.parametrize(("claims", "settings", "expected", "found"), CLAIMS)
def test_a_refused_claim_is_said_beside_what_would_do(
    claims: dict[str, Any], settings: dict[str, Any], expected: str, found: str
) -> None:
    door = Door(**settings)
    token = compact(header_of(door.issuer), claims_of(door.issuer, **claims), door.issuer.keys[0])
    assert heard(door, token) == (expected, found)


@pytest.mark.parametrize(
    ("name", "said"), [("exp", ("a claim exp", "none")), ("iat", ("an age of at most 60 s", "no iat"))]
)
def test_an_absent_time_is_said_to_be_absent(name: str, said: tuple[str, str]) -> None:
    door = Door(max_age=60)
    claims = {key: value for key, value in claims_of(door.issuer).items() if key != name}
    assert heard(door, compact(header_of(door.issuer), claims, door.issuer.keys[0])) == said


@pytest.mark.parametrize(
    ("header", "expected", "found"),
    [
        ({"typ": "logout+jwt"}, "'', at+jwt, jwt", "'logout+jwt'"),
        ({"alg": "none"}, "ES256", "'none'"),
        ({"crit": ["x"], "b64": True}, "", "b64, crit"),
    ],
)
def test_a_refused_header_is_said_beside_what_would_do(header: dict[str, Any], expected: str, found: str) -> None:
    door = Door(algorithms=["ES256"])
    token = compact(header_of(door.issuer, **header), claims_of(door.issuer), door.issuer.keys[0])
    assert heard(door, token) == (expected, found)


def test_an_unpublished_key_is_said_beside_the_published_ones_and_when_they_are_fetched_again() -> None:
    door = Door()
    waits = (f"a kid among key-1 (fetched 0 s ago, the next fetch for an unknown kid in {s} s)" for s in (0, 0, 29))
    for number, expected in enumerate([*waits, "a kid of a configured issuer"]):
        token = compact(header_of(door.issuer, kid=f"gone-{number}"), claims_of(door.issuer), door.issuer.keys[0])
        assert heard(door, token) == (expected, f"'gone-{number}'")
        door.clock.move(1)


def test_two_keys_that_fit_are_counted() -> None:
    door = Door()
    door.issuer.keys = [SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")]
    assert heard(door, door.issuer.token()) == ("one key", "2 that fit ES256")


def test_a_key_of_another_kind_is_said_to_be_one() -> None:
    door = Door()
    token = compact(header_of(door.issuer, alg="RS256"), claims_of(door.issuer), door.issuer.keys[0])
    assert heard(door, token) == ("one of ES256", "RS256")


def test_quotes_around_a_token_are_called_so() -> None:
    door = Door()
    assert heard(door, f'"{door.issuer.token()}"')[1] == "quotes around it"
    assert heard(door, f"{door.issuer.token()}é")[1] == "characters that no token has"
