"""A token whose key or signature does not fit is reported with the known keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.auth_harness import AuthHarness
from kit.refusals import reason_of, refusal_of
from kit.tokens import sign_token

from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from kit.snapshots import Messages


def test_unpublished_kid_shows_known_kids_and_refetch(messages: Messages) -> None:
    harness = AuthHarness()
    for number in range(4):
        token = sign_token(harness.issuer, {"kid": f"gone-{number}"})
        messages.check(reason_of(refusal_of(harness, token)))
        harness.clock.advance(1)


def test_matching_keys_are_counted(messages: Messages) -> None:
    harness = AuthHarness()
    harness.issuer.keys = [SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")]
    messages.check(reason_of(refusal_of(harness, harness.issuer.token())))


def test_key_of_other_type_is_named(messages: Messages) -> None:
    harness = AuthHarness()
    token = sign_token(harness.issuer, {"alg": "RS256"})
    messages.check(reason_of(refusal_of(harness, token)))


def test_invalid_signature_names_key(messages: Messages) -> None:
    harness = AuthHarness()
    other = SigningKey.make("key-1", "ES256")
    messages.check(reason_of(refusal_of(harness, harness.issuer.token(key=other))))
