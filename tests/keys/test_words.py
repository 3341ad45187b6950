"""What the operator reads about keys that do not count, and about providers that stay away."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from keys.test_key_sets import curve_jwk, private_jwk, rsa_jwk
from world.tokens import Clock, Door, Internet, bearer, claims_of, header_of, rsa_key, turns

from oidc_auth import OIDCAuth
from oidc_auth.errors import Code, TokenError, UpstreamError
from oidc_auth.keys.discovery import key_set_url
from oidc_auth.keys.fetch import FetchError, Response, permitted_url
from oidc_auth.keys.jwk import UnusableKeyError
from oidc_auth.keys.keyset import read_key_set
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

UNUSABLE: list[tuple[Any, str]] = [
    ("key", "it is not an object"),
    (rsa_key(bits=1024).jwk(), "RSA with 1024 bits; 2048 to 16384 are accepted"),
    (rsa_jwk(exponent=2**32 + 1), "RSA with an unusual public exponent"),
    ({"kty": "oct", "k": "AA"}, "kty 'oct' with crv None is not for signatures we verify"),
    (curve_jwk(crv="secp256k1"), "kty 'EC' with crv 'secp256k1' is not for signatures we verify"),
    (curve_jwk(kty="OKP"), "kty 'OKP' with crv 'P-256' is not for signatures we verify"),
    (curve_jwk(crv=["P-256"]), "kty 'EC' with crv ['P-256'] is not for signatures we verify"),
    (curve_jwk(kty="EC P-256", crv=""), "kty 'EC P-256' with crv '' is not for signatures we verify"),
    ({**rsa_jwk(), "alg": "HS256"}, "alg 'HS256' does not fit kty 'RSA'"),
    (private_jwk(), "it carries private members (d, dp, dq, p, q, qi): anybody could sign with it"),
    ({**rsa_jwk(), "use": "enc"}, "use is 'enc', not 'sig'"),
    ({**rsa_jwk(), "key_ops": ["sign"]}, "key_ops does not list 'verify'"),
    (curve_jwk(kid=7), "kid is not a string"),
    (curve_jwk(x="AAAA"), "it cannot be read (InvalidKeyError)"),
]


@pytest.mark.parametrize(("member", "why"), UNUSABLE)
def test_a_key_that_does_not_count_is_named_with_its_reason(member: Any, why: str) -> None:
    assert read_key_set({"keys": [member, curve_jwk()]}).skipped == (f"key 0: {why}",)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (["keys"], "it is not a JWK Set: no array 'keys'"),
        ({"keys": {}}, "it is not a JWK Set: no array 'keys'"),
        ({"keys": []}, "it holds no usable key (it is empty)"),
        (
            {"keys": [5, curve_jwk(kid=7)]},
            "it holds no usable key (key 0: it is not an object; key 1: kid is not a string)",
        ),
    ],
)
def test_a_set_of_no_use_says_why(document: object, why: str) -> None:
    with pytest.raises(UnusableKeyError) as refused:
        read_key_set(document)
    assert str(refused.value) == why


def test_an_exponent_at_the_bound_counts() -> None:
    # 2**32 itself is even, which is no key.
    assert read_key_set({"keys": [rsa_jwk(exponent=2**32 - 1)]}).skipped == ()


def told(tell: Callable[[Door], Awaitable[None]], **settings: Any) -> None:
    async def run(door: Door) -> None:
        await tell(door)

    asyncio.run(run(Door(**settings)))


async def refusal(door: Door, kid: str) -> TokenError:
    """Return the refusal of a right token under a kid that was never published."""
    with pytest.raises(TokenError) as refused:
        await door.admit(compact(header_of(door.issuer, kid=kid), claims_of(door.issuer), door.issuer.keys[0]))
    return refused.value


def test_two_published_keys_are_both_named_beside_an_unknown_one() -> None:
    async def tell(door: Door) -> None:
        door.issuer.rotate("ES256")
        assert (await refusal(door, "gone")).expected.startswith("a kid among key-2, key-1 (fetched 0 s ago, ")

    told(tell)


def test_the_age_of_the_keys_is_told() -> None:
    clock, names = Clock(), ("one", "two")
    one, two = (LocalIssuer(f"https://{name}.test", algorithm="ES256", clock=clock) for name in names)
    one.rotate("ES256")
    tables = [
        {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": f"{name}:"}
        for name, issuer in zip(names, (one, two), strict=True)
    ]
    document = {"issuer": tables, "limits": {"unknown_kid_fetches": 0}}
    oidc = OIDCAuth.from_dict(document, fetcher=Internet(one, two), clock=clock)

    async def tell() -> TokenError:
        for issuer in (one, two):
            await oidc.authenticate(bearer(issuer.token()))
        clock.move(60)
        # The key id is the other issuer's, so that only the lookup at its own one refuses it.
        with pytest.raises(TokenError) as refused:
            await oidc.authenticate(bearer(two.token(header={"kid": "key-2"})))
        return refused.value

    error = asyncio.run(tell())
    assert error.code is Code.KEY_UNKNOWN
    assert error.expected == "a kid among key-1 (fetched 60 s ago, the next fetch for an unknown kid in 30 s)"


def test_a_kid_is_not_taken_for_absent_after_a_fetch_that_began_before_it_was_asked_for() -> None:
    async def tell(door: Door) -> None:
        await door.hear(door.issuer.token())
        door.clock.move(601)
        old = door.issuer.keys[0]
        before = {"keys": [old.jwk()]}
        door.issuer.fault = Fault.STALL
        assert await door.hear(door.issuer.token(jti="known")) is None
        new = SigningKey.make("new", "ES256")
        joined = asyncio.create_task(door.hear(door.issuer.token(key=new)))
        await turns()
        door.issuer.published = before["keys"]
        door.issuer.release.set()
        assert await joined is Code.KEY_UNKNOWN
        door.issuer.fault = None
        door.issuer.published = [old.jwk(), new.jwk()]
        assert await door.hear(door.issuer.token(key=new)) is None

    told(tell)


def test_a_key_without_an_id_does_not_make_unknown_ids_cost_a_fetch_each_time() -> None:
    async def tell(door: Door) -> None:
        nameless = {name: member for name, member in door.issuer.keys[0].jwk().items() if name != "kid"}
        door.issuer.published = [nameless, SigningKey.make("other", "RS256").jwk()]
        assert await door.hear(door.issuer.token(header={"kid": None})) is None
        for _ in range(5):
            assert (await refusal(door, "gone")).code is Code.KEY_UNKNOWN
        assert door.issuer.fetched.count("https://issuer.test/keys") == 2

    told(tell)


def test_an_outage_is_warned_of_in_one_line_and_not_again_within_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def tell(door: Door) -> None:
        await door.hear(door.issuer.token())
        door.issuer.fault = Fault.DOWN
        door.clock.move(7_200)
        for seconds in (0, 0, 0.5, 59.4, 0.1):
            door.clock.move(seconds)
            assert await door.hear(door.issuer.token(jti=str(door.clock.now))) is None
            await turns()

    told(tell)
    said = [record.getMessage() for record in caplog.records if "cannot be refreshed" in record.getMessage()]
    start = "keys of https://issuer.test cannot be refreshed: GET https://issuer.test"
    assert said == [f"{start}/.well-known/openid-configuration: connection refused"] * 2


@pytest.mark.parametrize(
    ("configured", "named", "difference"),
    [
        ("https://issuer.test", "https://issuer.test/", " (they differ only by a trailing '/')"),
        ("https://issuer.test/", "https://issuer.test", " (they differ only by a trailing '/')"),
        ("https://issuer.test/X", "https://issuer.test/", ""),
        ("https://issuer.test/", "https://issuer.test/X", ""),
        ("https://issuer.test", "https://issuer.tes", ""),
    ],
)
def test_a_discovery_document_of_another_issuer_is_told_apart(configured: str, named: str, difference: str) -> None:
    with pytest.raises(FetchError) as refused:
        key_set_url(configured, {"issuer": named, "jwks_uri": "https://issuer.test/keys"})
    address = f"{configured.removesuffix('/')}/.well-known/openid-configuration"
    assert str(refused.value) == (
        f"the document at {address} is of issuer {named!r}, configured is {configured!r}{difference}: "
        "configure the issuer exactly as the document spells it, or give jwks_url"
    )


def test_keys_are_asked_for_as_json_and_read_up_to_the_bound(tmp_path: Path) -> None:
    issuer = LocalIssuer(algorithm="ES256")
    secret = tmp_path / "bearer"
    secret.write_text("for-the-provider\n", "utf-8")
    asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []

    async def fetch(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        asked.append((method, url, headers, body))
        return Response(200, {}, json.dumps({"keys": [issuer.keys[0].jwk()]}).encode().ljust(2_000))

    def heard(most: int, *, gone: bool = False) -> Code | None:
        table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "jwks_url": f"{issuer.url}/keys"}
        limits = {"key_set_bytes": most}
        oidc = OIDCAuth.from_dict({"issuer": {**table, "bearer_file": str(secret)}, "limits": limits}, fetcher=fetch)
        if gone:
            secret.unlink()
        try:
            asyncio.run(oidc.authenticate(bearer(issuer.token())))
        except UpstreamError as outage:
            said.append(outage.report())
            return outage.code
        return None

    said: list[str] = []
    answers = [heard(2_000), heard(1_999), heard(2_000, gone=True)]
    assert answers == [None, Code.KEYS_UNAVAILABLE, Code.KEYS_UNAVAILABLE]
    assert "the body is larger than 1999 bytes" in said[0]
    assert f"bearer_file {secret} cannot be read: FileNotFoundError" in said[1]
    sent = {"accept": "application/json", "authorization": "Bearer for-the-provider"}
    assert asked == [("GET", f"{issuer.url}/keys", sent, None)] * 2


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://issuer.test/keys", None),
        ("https://[", "it is not a URL"),
        (
            "https://issuer.test./keys",
            "its host must be written plainly: in ASCII (xn--...), without % and without a dot at its end",
        ),
        ("https://a:b@issuer.test", "it must be a plain https URL: a host, no user name, no fragment"),
        ("https://169.254.169.254/keys", "link-local addresses are never fetched"),
        ("http://issuer.test/keys", "http is allowed for loopback only: use https"),
        ("ftp://issuer.test/keys", "scheme 'ftp' is not https"),
    ],
)
def test_an_address_that_is_not_fetched_is_told_why(url: str, why: str | None) -> None:
    assert permitted_url(url) == why
