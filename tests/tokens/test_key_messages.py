"""A token whose key or signature does not fit is reported with the known keys."""

from __future__ import annotations

from kit.auth_harness import AuthHarness
from kit.refusals import expected_and_found
from kit.tokens import sign_token

from oidc_auth.testing.signing import SigningKey


def test_unpublished_kid_shows_known_kids_and_refetch() -> None:
    harness = AuthHarness()
    waits = [(0, 0), (0, 0), (0, 14), (1, 13)]
    known = [
        f"a published key id: 'key-1' (fetched {age} s ago, the next fetch for an unknown key id in {s} s)"
        for age, s in waits
    ]
    for number, expected in enumerate(known):
        token = sign_token(harness.issuer, {"kid": f"gone-{number}"})
        assert expected_and_found(harness, token) == (expected, f"'gone-{number}'")
        harness.clock.advance(1)


def test_matching_keys_are_counted() -> None:
    harness = AuthHarness()
    harness.issuer.keys = [SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")]
    assert expected_and_found(harness, harness.issuer.token()) == ("one key", "2 that fit ES256")


def test_key_of_other_type_is_named() -> None:
    harness = AuthHarness()
    token = sign_token(harness.issuer, {"alg": "RS256"})
    assert expected_and_found(harness, token) == ("one of ES256", "RS256")


def test_invalid_signature_names_key() -> None:
    harness = AuthHarness()
    other = SigningKey.make("key-1", "ES256")
    assert expected_and_found(harness, harness.issuer.token(key=other)) == ("a signature of key 'key-1'", "")
