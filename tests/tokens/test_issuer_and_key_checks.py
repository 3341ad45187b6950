"""The checks of the issuer, of the type that it signs, and of the key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, IssuerRouter, Publisher, bearer
from kit.check_cases import (
    ID_TOKENS,
    Case,
    Cases,
    check_admission,
    check_refusal,
    with_claims,
    with_embedded_key,
    with_header,
    without_claim,
    without_header,
)
from kit.tokens import rsa_key

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import SigningKey
from oidc_auth.tokens.checks import CHECKS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

cases = Cases()
refused, admitted = cases.refused, cases.admitted


# The issuer
for foreign in (
    "https://issuer.test/",
    "https://issuer.tes",
    "https://issuer.test.evil.test",
    "https://issuer.test/realms/other",
    "http://issuer.test",
    "HTTPS://issuer.test",
    "https://ISSUER.test",
    "https://issuer.test:443",
    " https://issuer.test",
    "issuer.test",
    "",
    None,
    True,
    0,
    ["https://issuer.test"],
    {"https://issuer.test": 1},
):
    refused(ErrorCode.ISSUER_NOT_TRUSTED, f"iss {foreign!r}", with_claims(iss=foreign))
refused(ErrorCode.ISSUER_NOT_TRUSTED, "no iss", without_claim("iss"))
admitted("iss with a slash, where it is configured so", lambda i: i.token(), url="https://issuer.test/")


# The type
FOREIGN_TYPES = ("logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "token-introspection+jwt", "at+jwt+x", "x", " JWT")
for kind in (*FOREIGN_TYPES, "application/logout+jwt", "application/application/jwt", "text/jwt"):
    refused(ErrorCode.TYP_NOT_ALLOWED, f"typ {kind}", with_header(typ=kind))
for no_type in (None, 1, True, ["at+jwt"], {"at+jwt": 1}):
    refused(ErrorCode.TYP_NOT_ALLOWED, f"typ {no_type!r}", with_header(typ=no_type))
for kind in ("JWT", "jwt", "application/jwt", ""):
    refused(ErrorCode.TYP_NOT_ALLOWED, f"typ {kind!r}, strict", with_header(typ=kind), strict_rfc9068=True)
for kind in ("JOSE", "application/okta-internal-at+jwt", "application/jose"):
    refused(ErrorCode.TYP_NOT_ALLOWED, f"typ {kind}", with_header(typ=kind))
refused(ErrorCode.TYP_NOT_ALLOWED, "typ JWT, not listed", with_header(typ="JWT"), accepted_typ=["JOSE"])
refused(ErrorCode.TYP_NOT_ALLOWED, "no typ, not listed", without_header("typ"), accepted_typ=["JOSE"])
for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt"):
    refused(ErrorCode.TYP_NOT_ALLOWED, f"typ {kind}, listed", with_header(typ=kind), accepted_typ=[kind, "JWT"])
refused(
    ErrorCode.TYP_NOT_ALLOWED,
    "typ at+jwt, listed for ID tokens",
    with_header(typ="at+jwt"),
    **{**ID_TOKENS, "accepted_typ": ["at+jwt", "JWT"]},
)
refused(ErrorCode.TYP_NOT_ALLOWED, "no typ, strict", without_header("typ"), strict_rfc9068=True)
refused(ErrorCode.TYP_NOT_ALLOWED, "an access token where ID tokens are wanted", lambda i: i.token(), **ID_TOKENS)
for kind in ("at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"):
    admitted(f"typ {kind}", with_header(typ=kind))
    admitted(f"typ {kind}, strict", with_header(typ=kind), strict_rfc9068=True)
for kind in ("JWT", "jwt", "application/jwt", "application/JWT"):
    admitted(f"typ {kind}", with_header(typ=kind))
    admitted(f"typ {kind}, an ID token", with_header(typ=kind), **ID_TOKENS)
admitted("no typ", without_header("typ"))
admitted("no typ, an ID token", without_header("typ"), **ID_TOKENS)

for kind, listed in (
    ("JOSE", ["JOSE"]),
    ("jose", ["JOSE"]),
    ("application/okta-internal-at+jwt", ["okta-internal-at+jwt"]),
    ("okta-internal-at+jwt", ["application/okta-internal-at+jwt"]),
):
    admitted(f"typ {kind}, listed as {listed[0]}", with_header(typ=kind), accepted_typ=listed)
admitted("no typ, listed", without_header("typ"), accepted_typ=["", "JOSE"])

# The key
refused(ErrorCode.KEY_NOT_FOUND, "another kid", with_header(kid="key-2"))
refused(ErrorCode.KEY_NOT_FOUND, "a longer kid", with_header(kid="key-11"))
refused(ErrorCode.KEY_NOT_FOUND, "a kid in another case", with_header(kid="KEY-1"))


refused(ErrorCode.KEY_NOT_FOUND, "a key brought along", lambda i: with_embedded_key(i, "own"))


def signed_as(algorithm: str, published: str) -> Callable[[Publisher], str]:
    """Sign with the right RSA key and an algorithm that it is not published for."""

    def sends(issuer: Publisher) -> str:
        issuer.published = [rsa_key(algorithm=published).jwk()]
        return issuer.token(key=rsa_key(algorithm=algorithm))

    return sends


RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
for published in RSA:
    for algorithm in RSA:
        if algorithm == published:
            admitted(f"{algorithm} by a key for it", signed_as(algorithm, published))
        else:
            refused(
                ErrorCode.KEY_ALG_MISMATCH, f"{algorithm} by a key for {published}", signed_as(algorithm, published)
            )
for algorithm in ("ES384", "ES512", "RS256", "EdDSA"):
    refused(ErrorCode.KEY_ALG_MISMATCH, f"{algorithm} by a P-256 key", with_header(alg=algorithm))


def with_two_keys(issuer: Publisher, **header: Any) -> str:
    issuer.rotate("ES256")
    return issuer.token(header={"kid": None, **header})


def with_duplicate_kid(issuer: Publisher) -> str:
    issuer.keys = [SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")]
    return issuer.token()


refused(ErrorCode.KEY_AMBIGUOUS, "no kid, two keys", with_two_keys)
refused(ErrorCode.KEY_AMBIGUOUS, "one kid, two keys", with_duplicate_kid)


@pytest.mark.parametrize(("code", "case"), cases.refusals)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    check_refusal(code, case)


@pytest.mark.parametrize("case", cases.admissions)
def test_token_at_limit_is_accepted(case: Case) -> None:
    check_admission(case)


def test_every_check_has_cases() -> None:
    assert cases.codes == {check.code for check in CHECKS if check.stage in {Stage.ISSUER, Stage.KEY}}


def test_two_issuers_have_own_algorithms() -> None:
    one, two = LocalIssuer("https://one.test", algorithm="ES256"), LocalIssuer("https://two.test", algorithm="ES256")
    tables = [
        {
            "preset": "generic",
            "issuer": issuer.url,
            "audience": "agents",
            "identity_prefix": prefix,
            "algorithms": names,
        }
        for issuer, prefix, names in ((one, "", ["ES256"]), (two, "two:", ["ES384"]))
    ]
    oidc = OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(one, two))
    assert asyncio.run(oidc.authenticate(bearer(one.token()))).issuer == one.url
    with pytest.raises(TokenError) as refusal:
        asyncio.run(oidc.authenticate(bearer(two.token())))
    assert refusal.value.code is ErrorCode.ALG_NOT_ALLOWED


def test_identities_of_issuers_never_collide() -> None:
    one, two = LocalIssuer("https://one.test", algorithm="ES256"), LocalIssuer("https://two.test", algorithm="ES256")
    tables = [
        {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": prefix}
        for issuer, prefix in ((one, ""), (two, "ci:"))
    ]
    oidc = OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(one, two))
    assert asyncio.run(oidc.authenticate(bearer(two.token("bot")))).identity == "ci:bot"
    with pytest.raises(TokenError) as refusal:
        asyncio.run(oidc.authenticate(bearer(one.token("ci:bot"))))
    assert refusal.value.code is ErrorCode.IDENTITY_INVALID


def test_key_address_in_token_is_not_fetched() -> None:
    harness = AuthHarness()
    assert harness.authenticate(with_embedded_key(harness.issuer, "key-1")) is ErrorCode.SIGNATURE_INVALID
    assert harness.authenticate(with_embedded_key(harness.issuer, "own")) is ErrorCode.KEY_NOT_FOUND
    assert set(harness.issuer.fetched) == {
        "https://issuer.test/.well-known/openid-configuration",
        "https://issuer.test/keys",
    }
