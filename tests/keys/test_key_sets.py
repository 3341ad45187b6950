"""Usable and unusable keys of a key set."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from jwt.algorithms import RSAAlgorithm
from kit.auth_harness import AuthHarness
from kit.tokens import rsa_key, rsa_private

from oidc_auth.errors import ConfigError, ErrorCode, TokenError
from oidc_auth.keys.jwk import UnusableKeyError
from oidc_auth.keys.key_set import MAX_KEYS, KeySet, read_key_set
from oidc_auth.testing.signing import SigningKey, encode_base64url
from oidc_auth.tokens.jws import decode_base64url

if TYPE_CHECKING:
    from kit.snapshots import Messages

GOOD = SigningKey.make("good", "ES256")


def number(value: int) -> str:
    return encode_base64url(value.to_bytes((value.bit_length() + 7) // 8 or 1, "big"))


def rsa_jwk(modulus: int | None = None, exponent: int = 65_537) -> dict[str, Any]:
    jwk = rsa_key().jwk()
    return {**jwk, "n": jwk["n"] if modulus is None else number(modulus), "e": number(exponent)}


def curve_jwk(**members: Any) -> dict[str, Any]:
    return {**SigningKey.make("key-1", "ES256").jwk(), **members}


def private_jwk() -> dict[str, Any]:
    private: dict[str, Any] = RSAAlgorithm.to_jwk(rsa_private(), as_dict=True)
    return {**private, "kid": "key-1"}


def x25519_jwk() -> dict[str, Any]:
    raw = x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "X25519", "x": encode_base64url(raw), "kid": "key-1"}


def secp256k1_jwk() -> dict[str, Any]:
    numbers = ec.generate_private_key(ec.SECP256K1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "secp256k1", "x": number(numbers.x), "y": number(numbers.y), "kid": "key-1"}


UNUSABLE: dict[str, Any] = {
    "RSA with 1024 bits": rsa_key(bits=1024).jwk(),
    "RSA with 2047 bits": rsa_jwk(2**2046 + 1),
    "RSA with 16,385 bits": rsa_jwk(2**16_384 + 1),
    "exponent 1": rsa_jwk(exponent=1),
    "exponent 2": rsa_jwk(exponent=2),
    "an even exponent": rsa_jwk(exponent=65_536),
    "a huge exponent": rsa_jwk(exponent=2**32 + 1),
    "an exponent as large as the modulus": rsa_jwk(exponent=2**2047 + 1),
    "modulus zero": rsa_jwk(0),
    "oct": {"kty": "oct", "k": "c2VjcmV0", "kid": "key-1"},
    "oct with a signing algorithm": {"kty": "oct", "k": "c2VjcmV0", "kid": "key-1", "alg": "RS256"},
    "alg HS256": {**rsa_jwk(), "alg": "HS256"},
    "alg none": {**rsa_jwk(), "alg": "none"},
    "alg of another type": {**rsa_jwk(), "alg": "ES256"},
    "alg of another curve": curve_jwk(alg="ES384"),
    "alg for encryption": {**rsa_jwk(), "alg": "RSA-OAEP"},
    "alg a number": {**rsa_jwk(), "alg": 256},
    "alg a list": {**rsa_jwk(), "alg": ["RS256"]},
    "alg an object": curve_jwk(alg={}),
    "private RSA": private_jwk(),
    **{f"a member {name}": {**rsa_jwk(), name: "AQAB"} for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k")},
    "a private curve": curve_jwk(d="AAAA"),
    "use enc": {**rsa_jwk(), "use": "enc"},
    "use a list": {**rsa_jwk(), "use": ["sig"]},
    "key_ops without verify": {**rsa_jwk(), "key_ops": ["sign", "encrypt"]},
    "no key_ops": {**rsa_jwk(), "key_ops": []},
    "key_ops a string": {**rsa_jwk(), "key_ops": "verify"},
    "kid a number": {**rsa_jwk(), "kid": 7},
    "kid a list": curve_jwk(kid=["key-1"]),
    "no kty": {name: value for name, value in rsa_jwk().items() if name != "kty"},
    "an unknown kty": {**rsa_jwk(), "kty": "AKP"},
    "kty in lower case": {**rsa_jwk(), "kty": "rsa"},
    "kty a list": {**rsa_jwk(), "kty": ["RSA"]},
    "no modulus": {name: value for name, value in rsa_jwk().items() if name != "n"},
    "modulus a number": {**rsa_jwk(), "n": 1234567},
    "modulus null": {**rsa_jwk(), "n": None},
    "modulus no base64url": {**rsa_jwk(), "n": "é"},
    "no curve": {name: value for name, value in curve_jwk().items() if name != "crv"},
    "an unknown curve": curve_jwk(crv="P-192"),
    "a curve that is a list": curve_jwk(crv=["P-256"]),
    "a curve that is empty": curve_jwk(crv=""),
    "the curve of another type": curve_jwk(crv="Ed25519"),
    "OKP with a curve of EC": curve_jwk(kty="OKP"),
    "a point that is not on the curve": curve_jwk(x=encode_base64url(b"\1" * 32), y=encode_base64url(b"\2" * 32)),
    "half a point": {name: value for name, value in curve_jwk().items() if name != "y"},
    "a short point": curve_jwk(x="AAAA"),
    "secp256k1": secp256k1_jwk(),
    "X25519": x25519_jwk(),
    "a string": "key",
    "a list": [],
    "null": None,
    "an empty object": {},
}


@pytest.mark.parametrize("broken", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_key_is_named_and_skipped(broken: Any) -> None:
    key_set = read_key_set({"keys": [broken, GOOD.jwk(), broken]})
    assert key_set.describe_kids() == "'good'"
    assert [reason.split(":")[0] for reason in key_set.skipped] == ["key 0", "key 2"]


@pytest.mark.parametrize("broken", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_set_without_usable_keys_is_rejected(broken: Any, messages: Messages) -> None:
    with pytest.raises(UnusableKeyError) as refused:
        read_key_set({"keys": [broken]})
    messages.check(refused.value)


@pytest.mark.parametrize("broken", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_usable_key_works_beside_broken_key(broken: Any) -> None:
    harness = AuthHarness()
    harness.issuer.published = [broken, GOOD.jwk()]
    assert harness.authenticate(harness.issuer.token(key=GOOD)) is None


@pytest.mark.parametrize(
    ("private", "published"),
    [
        (rsa_key(bits=1024), None),
        (rsa_key(), {**rsa_jwk(), "use": "enc"}),
        (rsa_key(), {**rsa_jwk(), "key_ops": ["encrypt"]}),
        (rsa_key(), private_jwk()),
    ],
    ids=["1024 bits", "use enc", "key_ops", "private"],
)
def test_token_of_unusable_key_is_rejected(private: SigningKey, published: dict[str, Any] | None) -> None:
    harness = AuthHarness()
    harness.issuer.published = [published or private.jwk(), GOOD.jwk()]
    assert harness.authenticate(harness.issuer.token(key=private)) is ErrorCode.KEY_NOT_FOUND


@pytest.mark.parametrize(
    "jwk",
    [
        rsa_jwk(exponent=3),
        rsa_jwk(exponent=2**32 - 1),
        rsa_jwk(2**16_383 + 9),
        {**rsa_jwk(), "key_ops": ["verify"]},
        {**rsa_jwk(), "key_ops": ["sign", "verify"]},
        {**rsa_jwk(), "x5c": ["AAAA"], "x5t": "AAAA", "nbf": 1, "exp": 2},
        {**rsa_jwk(), "use": None, "alg": None},
    ],
    ids=["exponent 3", "a large exponent", "16,384 bits", "verify", "sign and verify", "certificates", "null members"],
)
def test_key_at_limit_is_usable(jwk: dict[str, Any]) -> None:
    assert read_key_set({"keys": [jwk]}).describe_kids() == "'key-1'"


@pytest.mark.parametrize(
    "document",
    [None, [], "keys", 1, {}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"key": []}, GOOD.jwk(), [GOOD.jwk()]],
)
def test_invalid_key_set_document_is_rejected(document: object, messages: Messages) -> None:
    with pytest.raises(UnusableKeyError) as refused:
        read_key_set(document)
    messages.check(refused.value)


def test_empty_set_is_named(messages: Messages) -> None:
    with pytest.raises(UnusableKeyError) as refused:
        read_key_set({"keys": []})
    messages.check(refused.value)


def test_unusable_keys_hide_no_usable_key() -> None:
    key_set = read_key_set({"keys": [*([{"kty": "oct"}] * (MAX_KEYS - 1)), GOOD.jwk()]})
    assert key_set.has_kid("good")
    assert len(key_set.skipped) == MAX_KEYS - 1


def test_huge_key_set_is_read_partly(messages: Messages) -> None:
    """Half a megabyte of small keys would block the event loop for eight seconds."""
    point = GOOD.jwk()
    members = [{**point, "kid": str(number)} for number in range(5_000)]
    key_set = read_key_set({"keys": members})
    assert [key.kid for key in key_set.keys] == [str(number) for number in range(MAX_KEYS)]
    (reason,) = key_set.skipped
    messages.check(reason)


def test_duplicate_key_counts_once() -> None:
    other = SigningKey.make("other", "ES256")
    key_set = read_key_set({"keys": [GOOD.jwk(), other.jwk(), GOOD.jwk()]})
    assert [key.kid for key in key_set.keys] == ["good", "other"]
    assert [len(keys) for keys in key_set.by_kid.values()] == [1, 1]


def test_kids_in_message_are_bounded(messages: Messages) -> None:
    harness = AuthHarness()
    harness.issuer.published = [{**GOOD.jwk(), "kid": "x" * 1_000 + str(number)} for number in range(100)]
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.admit(harness.issuer.token(key=GOOD)))
    assert (refused.value.code, len(str(refused.value)) < 1_000) == (ErrorCode.KEY_NOT_FOUND, True)
    messages.check(refused.value.expected)


def test_keys_without_kid_are_counted(messages: Messages) -> None:
    jwk = {name: value for name, value in GOOD.jwk().items() if name != "kid"}
    two = {"keys": [jwk, SigningKey.make("", "ES256").jwk() | {"kid": None}]}
    for key_set in (read_key_set({"keys": [jwk]}), read_key_set(two), read_key_set({"keys": [jwk, GOOD.jwk()]})):
        messages.check(key_set.describe_kids())
    assert KeySet(()).describe_kids() == "none"


def test_key_repr_shows_only_public_parts() -> None:
    (key,) = read_key_set({"keys": [rsa_jwk()]}).keys
    assert "_public" not in repr(key)


@pytest.mark.parametrize("broken", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_inline_keys_stop_startup(broken: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        AuthHarness(jwks={"keys": [broken]})
    assert [problem.where for problem in refused.value.problems] == ["issuer[0].jwks"]


def test_inline_key_matching_alg_is_used() -> None:
    harness = AuthHarness()
    harness.issuer.rotate("ES256")
    inline = AuthHarness(jwks=harness.issuer.key_set())
    assert len(harness.issuer.key_set()["keys"]) == 2
    assert inline.authenticate(harness.issuer.token()) is None
    assert inline.authenticate(harness.issuer.token(header={"kid": None})) is ErrorCode.KEY_AMBIGUOUS


def negated(jwk: dict[str, Any]) -> dict[str, Any]:
    """Return the other point of the curve with the same x."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    y = prime - int.from_bytes(decode_base64url(jwk["y"]), "big")
    # A coordinate has all its leading zeros (RFC 7518 §6.2.1.3). One of 256 points has a zero octet.
    return {**jwk, "y": encode_base64url(y.to_bytes(32, "big"))}


EDWARDS = [SigningKey.make("key-1", "EdDSA").jwk() for _ in range(2)]
CURVE = curve_jwk()
ALIKE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another modulus": (rsa_jwk(), rsa_jwk(2**2047 + 2**1000 + 5)),
    "another exponent": (rsa_jwk(), rsa_jwk(exponent=3)),
    "another x": (CURVE, curve_jwk()),
    "another y": (CURVE, negated(CURVE)),
    "another x, of Edwards's curve": (EDWARDS[0], EDWARDS[1]),
}


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE.keys())
def test_two_keys_with_one_kid_remain(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert len(read_key_set({"keys": [*pair, pair[0]]}).keys) == 2


def test_replaced_key_drops_its_tokens() -> None:
    async def scenario() -> list[ErrorCode | None]:
        harness = AuthHarness()
        old = harness.issuer.keys[0]
        token = harness.issuer.token(lifetime=7_200)
        codes = [await harness.authenticate_async(token), await harness.authenticate_async(token)]
        harness.issuer.keys = [SigningKey.make(old.kid, "ES256")]
        harness.clock.advance(3_601)
        return [
            *codes,
            await harness.authenticate_async(token),
            await harness.authenticate_async(harness.issuer.token()),
        ]

    assert asyncio.run(scenario()) == [None, None, ErrorCode.SIGNATURE_INVALID, None]


def test_mismatched_alg_is_shown_with_known_algorithms() -> None:
    harness = AuthHarness()
    harness.issuer.published = [{**CURVE, "kid": "key-1"}, {**rsa_jwk(), "kid": "key-1", "alg": "PS256"}]
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.admit(harness.issuer.token(header={"alg": "RS256"})))
    assert (refused.value.expected, refused.value.found) == ("one of ES256, PS256", "RS256")


# One key, several entries ---------------------------------------------------------------------------------------------

RSA_256 = {**rsa_jwk(), "alg": "RS256"}
RSA_ANY = {name: value for name, value in rsa_jwk().items() if name != "alg"}
OTHER_ID = {**RSA_ANY, "kid": "key-2"}
WITHOUT_ID = {name: value for name, value in RSA_ANY.items() if name != "kid"}
SPELLED = {**RSA_ANY, "n": encode_base64url(b"\0" + decode_base64url(RSA_ANY["n"]))}


@pytest.mark.parametrize(
    "entries",
    [
        [RSA_256, RSA_ANY],
        [RSA_ANY, OTHER_ID],
        [RSA_ANY, WITHOUT_ID],
        [RSA_ANY, SPELLED],
        [RSA_ANY, {**RSA_ANY, "use": "sig"}],
    ],
    ids=["with and without alg", "two ids", "with and without id", "leading zero", "with and without use"],
)
def test_repeated_key_is_not_ambiguous(entries: list[dict[str, Any]]) -> None:
    harness = AuthHarness(algorithms=["RS256"])
    harness.issuer.published = entries
    for kid in ("key-1", None):
        assert harness.authenticate(harness.issuer.token(key=rsa_key(), header={"kid": kid})) is None


def test_key_with_two_ids_is_found_by_each() -> None:
    harness = AuthHarness(algorithms=["RS256"])
    harness.issuer.published = [RSA_ANY, OTHER_ID]
    assert [harness.authenticate(harness.issuer.token(key=rsa_key(kid))) for kid in ("key-1", "key-2")] == [None, None]
    assert harness.authenticate(harness.issuer.token(key=rsa_key("key-3"))) is ErrorCode.KEY_NOT_FOUND


@pytest.mark.parametrize(
    ("entries", "allowed"),
    [
        # An entry without alg does not undo the alg of another entry, in any order and under any key id.
        ([RSA_256, RSA_ANY], {"key-1": {"RS256"}, None: {"RS256"}}),
        ([RSA_ANY, RSA_256], {"key-1": {"RS256"}, None: {"RS256"}}),
        ([RSA_256, OTHER_ID], {"key-1": {"RS256"}, "key-2": {"RS256"}, None: {"RS256"}}),
        ([OTHER_ID, RSA_256], {"key-1": {"RS256"}, "key-2": {"RS256"}, None: {"RS256"}}),
        # A key may name two algorithms in two entries. A key id keeps the algorithms of its entries.
        ([RSA_256, {**RSA_ANY, "alg": "PS256"}], {"key-1": {"RS256", "PS256"}, None: {"RS256", "PS256"}}),
        (
            [RSA_256, RSA_ANY, {**OTHER_ID, "alg": "PS256"}],
            {"key-1": {"RS256"}, "key-2": {"PS256"}, None: {"RS256", "PS256"}},
        ),
    ],
)
def test_repeated_key_verifies_named_algorithms_only(
    entries: list[dict[str, Any]], allowed: dict[str | None, set[str]]
) -> None:
    key_set = read_key_set({"keys": entries})
    assert {kid: set(key.algorithms) for kid, (key,) in key_set.by_kid.items()} | {
        None: set(key_set.distinct[0].algorithms)
    } == allowed
    assert len(key_set.distinct) == 1


def test_two_different_keys_stay_ambiguous_without_kid() -> None:
    harness = AuthHarness()
    harness.issuer.published = [GOOD.jwk(), GOOD.jwk(), SigningKey.make("other", "ES256").jwk()]
    assert harness.authenticate(harness.issuer.token(key=GOOD, header={"kid": None})) is ErrorCode.KEY_AMBIGUOUS


@pytest.mark.parametrize("use", [None, "enc"])
def test_key_published_with_its_private_part_is_refused(use: str | None) -> None:
    harness = AuthHarness(algorithms=["RS256", "ES256"])
    private: dict[str, Any] = RSAAlgorithm.to_jwk(rsa_private(2048), as_dict=True)
    harness.issuer.published = [RSA_ANY, OTHER_ID, {**private, "kid": "x", "use": use}, GOOD.jwk()]
    assert harness.authenticate(harness.issuer.token(key=GOOD)) is None
    assert harness.authenticate(harness.issuer.token(key=rsa_key())) is ErrorCode.KEY_NOT_FOUND
    skipped = read_key_set({"keys": harness.issuer.published}).skipped
    assert [reason.split(":")[0] for reason in skipped] == ["key 2", "key 0", "key 1"]
