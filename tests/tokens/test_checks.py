"""Each check refuses a token with one fault, and accepts the tokens next to the limit."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import string
from dataclasses import dataclass, field
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kit.auth_harness import AuthHarness, IssuerRouter, Publisher, bearer
from kit.clock import NOON
from kit.tokens import claims_of, header_of, json_text, rsa_key, rsa_private, sign_segments, sign_token

from oidc_auth import OIDCAuth
from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url
from oidc_auth.tokens.checks import CHECKS
from oidc_auth.tokens.policy import RESERVED_IDENTITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
LEEWAY = 30
LONG = 10 * 365 * 86_400
LONG_ENOUGH = 40
"""A part of a token with this length is in no message by chance."""
ID_TOKENS: dict[str, Any] = {
    "token_type": "id",
    "permission_map": {"claim": "groups", "values": {"users": ["threads:read"]}},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is sent to a server with these settings, some seconds after noon."""

    sends: Callable[[Publisher], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    later: float = 0


REFUSED: list[Any] = []
ADMITTED: list[Any] = []


def refused(
    code: ErrorCode, name: str, sends: Callable[[Publisher], Any], *, later: float = 0, **settings: Any
) -> None:
    REFUSED.append(pytest.param(code, Case(sends=sends, settings=settings, later=later), id=f"{code}: {name}"))


def admitted(name: str, sends: Callable[[Publisher], Any], *, later: float = 0, **settings: Any) -> None:
    ADMITTED.append(pytest.param(Case(sends=sends, settings=settings, later=later), id=name))


# Presented: the header field -----------------------------------------------------------------------------------------


def in_header(form: str, name: str = "authorization") -> Callable[[Publisher], Any]:
    return lambda issuer: {name: form.format(issuer.token())}


refused(ErrorCode.TOKEN_MISSING, "no header at all", lambda _: {})
refused(ErrorCode.TOKEN_MISSING, "no pair at all", lambda _: [])
refused(ErrorCode.TOKEN_MISSING, "an empty value", lambda _: {"authorization": ""})
refused(ErrorCode.TOKEN_MISSING, "only spaces", lambda _: {"authorization": "  \t "})
for place in ("authentication", "x-api-key", "x-auth-token", "x-access-token", "proxy-authorization", "cookie"):
    refused(ErrorCode.TOKEN_MISSING, f"in {place}", in_header("Bearer {}", place))

refused(ErrorCode.HEADER_REPEATED, "a field twice", lambda i: [*bearer(i.token()).items()] * 2)
refused(
    ErrorCode.HEADER_REPEATED,
    "a token and Basic",
    lambda i: [("authorization", "Basic eDp5"), *bearer(i.token()).items()],
)
refused(
    ErrorCode.HEADER_REPEATED, "two spellings", lambda i: {"Authorization": f"Bearer {i.token()}", **bearer(i.token())}
)
refused(ErrorCode.HEADER_REPEATED, "str and bytes", lambda i: {b"authorization": b"Bearer x", **bearer(i.token())})
refused(ErrorCode.HEADER_REPEATED, "an empty one", lambda i: [("authorization", ""), *bearer(i.token()).items()])

for form in (
    "{}",
    "Basic {}",
    "DPoP {}",
    "Token {}",
    "Bearer",
    "bearer ",
    "Bearer{}",
    "Bearer:{}",
    "Bearer: {}",
    "Bearer\t{}",
    "Bearer Bearer {}",
    "bearer  bearer {}",
    'Bearer "{}"',
    "Bearer '{}'",
    'Bearer "',
    "Bearer {0},{0}",
    "Bearer {0}, Bearer {0}",
    "Bearer {} x",
    "Bearer x {}",
    "Bearer {}\tx",
    "Bearer {}é",
    "Bearer \ud800{}",
):
    refused(ErrorCode.HEADER_MALFORMED, repr(form), in_header(form))
refused(
    ErrorCode.HEADER_MALFORMED,
    "a JWS in its JSON form",
    lambda i: bearer(json.dumps(dict(zip(("protected", "payload", "signature"), i.token().split("."), strict=True)))),
)

for form in ("Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", "Bearer   {}", "  Bearer {}  ", "\tBearer {}\t"):
    admitted(f"header {form!r}", in_header(form))
admitted("a name in upper case", lambda i: {"AUTHORIZATION": f"Bearer {i.token()}"})
admitted("bytes", lambda i: {b"Authorization": f"Bearer {i.token()}".encode()})
admitted("a list of pairs of bytes", lambda i: [(b"host", b"x"), (b"authorization", f"Bearer {i.token()}".encode())])
admitted("an iterator of pairs", lambda i: iter(bearer(i.token()).items()))
admitted("other headers too", lambda i: {"x-api-key": "k", "cookie": "c", **bearer(i.token())})

SIZE = len(AuthHarness().issuer.token())
refused(ErrorCode.TOKEN_TOO_LONG, "one over the limit", lambda i: i.token(), limits={"token_bytes": SIZE - 1})
refused(ErrorCode.TOKEN_TOO_LONG, "a megabyte", lambda i: i.token(padding="x" * 1_000_000))
refused(
    ErrorCode.TOKEN_TOO_LONG, "a megabyte of another scheme", lambda _: {"authorization": f"Basic {'x' * 1_000_000}"}
)
refused(ErrorCode.TOKEN_TOO_LONG, "a million dots", lambda _: "." * 1_000_000)
admitted("a token at the limit of size", lambda i: i.token(), limits={"token_bytes": SIZE})

# Parsed: segments, base64url, JSON ------------------------------------------------------------------------------------


def with_segments(form: str) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        header, payload, signature = issuer.token().split(".")
        return form.format(h=header, p=payload, s=signature)

    return sends


for form in ("{h}", "{h}.{p}", "{h}.{p}.", "{h}..{s}", ".{p}.{s}", "{h}.{p}.{s}.", ".{h}.{p}.{s}", "{h}.{p}.{s}.{s}"):
    refused(ErrorCode.TOKEN_MALFORMED, form, with_segments(form))
refused(ErrorCode.TOKEN_MALFORMED, "five, as an encrypted token has", with_segments("{h}.{p}.{s}.{s}.{s}"))
refused(ErrorCode.TOKEN_MALFORMED, "ten", with_segments("{h}.{p}.{s}" + ".x" * 7))
refused(ErrorCode.TOKEN_MALFORMED, "dots only", lambda _: "..")
refused(ErrorCode.TOKEN_MALFORMED, "an opaque token", lambda _: "ya29.x")
refused(ErrorCode.TOKEN_MALFORMED, "a name before it", lambda i: f"access.token={i.token()}")
refused(ErrorCode.TOKEN_MALFORMED, "alg none without a signature", lambda i: f"{with_segments('{h}.{p}')(i)}.")
refused(
    ErrorCode.TOKEN_MALFORMED,
    "a million dots where tokens may be long",
    lambda i: i.token() + "." * 1_000_000,
    limits={"token_bytes": 2_000_000},
)


def other_encoding(segment: str) -> str:
    """Return the segment with the next last character: unused bits differ, the bytes do not."""
    return segment[:-1] + ALPHABET[ALPHABET.index(segment[-1]) + 1]


def as_standard_base64(segment: str) -> str:
    return segment.replace("-", "+").replace("_", "/")


def nonzero_spare_bits(issuer: Publisher) -> tuple[str, str]:
    """Return a header and a payload with unused bits in their last characters."""
    segments = (
        next(
            segment
            for padding in range(4)
            if len(segment := encode_base64url(json_text({**members, "padding": "~?" * 9 + " " * padding}))) % 4
            if set("-_") & set(segment)
        )
        for members in (header_of(issuer), claims_of(issuer))
    )
    header, payload = segments
    return header, payload


def wrong_encoding(change: Callable[[str], str], which: str) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        header, payload = nonzero_spare_bits(issuer)
        if which == "header":
            return sign_segments(change(header), payload, issuer.keys[0])
        if which == "payload":
            return sign_segments(header, change(payload), issuer.keys[0])
        while True:
            token, _, signature = sign_segments(header, payload, issuer.keys[0]).rpartition(".")
            if set("-_") & set(signature):
                return f"{token}.{change(signature)}"

    return sends


WRONG_ENCODINGS: dict[str, Callable[[str], str]] = {
    "padding": lambda segment: segment + "=" * (-len(segment) % 4),
    "too much padding": lambda segment: segment + "=" * 8,
    "the standard alphabet": as_standard_base64,
    "unused bits": other_encoding,
    "an impossible length": lambda segment: segment + "A" * ((1 - len(segment)) % 4),
    "a line break": lambda segment: f"{segment[:4]}\n{segment[4:]}",
    "a character of no alphabet": lambda segment: f"{segment[:4]}!{segment[4:]}",
    "a NUL": lambda segment: f"{segment}\0",
}
for part in ("header", "payload", "signature"):
    for name, change in WRONG_ENCODINGS.items():
        refused(ErrorCode.TOKEN_BASE64_INVALID, f"{name} in the {part}", wrong_encoding(change, part))
    admitted(f"nothing misspelled in the {part}", wrong_encoding(lambda segment: segment, part))


def payload_text(change: Callable[[bytes], bytes]) -> Callable[[Publisher], str]:
    return lambda i: compact(header_of(i), change(json_text(claims_of(i))), i.keys[0])


def header_text(change: Callable[[bytes], bytes]) -> Callable[[Publisher], str]:
    return lambda i: compact(change(json_text(header_of(i))), claims_of(i), i.keys[0])


def with_member(member: str) -> Callable[[bytes], bytes]:
    return lambda text: text[:-1] + f", {member}}}".encode()


def in_turn(depth: int) -> str:
    """Return the same with lists and objects in turn. Each bracket counts."""
    turns = (depth - 1) // 2
    return '"x": ' + '[{"y":' * turns + "1" + "}]" * turns


def nested(depth: int) -> str:
    """Return a member with which the document is this deep, the document itself included."""
    return f'"x": {"[" * (depth - 1)}{"]" * (depth - 1)}'


NON_STRICT_JSON: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.decode().encode("utf-16-le"),
    "UTF-32": lambda text: text.decode().encode("utf-32"),
    "Latin-1": lambda text: text[:-1] + b', "x": "\xe9"}',
    "an overlong character": lambda text: text[:-1] + b', "x": "\xc0\xaf"}',
    "a surrogate in UTF-8": lambda text: text[:-1] + b', "x": "\xed\xa0\x80"}',
    "a list": lambda text: b"[" + text + b"]",
    "a string": lambda text: json.dumps(text.decode()).encode(),
    "a number": lambda _: b"1234",
    "null": lambda _: b"null",
    "something behind it": lambda text: text + b"x",
    "two objects": lambda text: text + text,
    "a comma too many": lambda text: text[:-1] + b",}",
    "single quotes": lambda text: text.replace(b'"', b"'"),
    "a comment": lambda text: text[:-1] + b"/**/}",
    "a line break in a string": with_member('"x": "\n"'),
    "an open string": lambda text: text[:-1] + b', "x": "}',
    "NaN": with_member('"x": NaN'),
    "Infinity": with_member('"x": Infinity'),
    "-Infinity": with_member('"x": [-Infinity]'),
    "1e999": with_member('"x": 1e999'),
    "-1e999": with_member('"x": {"y": -1e999}'),
    "an integer of 5,000 digits": with_member(f'"x": {"9" * 5_000}'),
    "a negative one": with_member(f'"x": -{"9" * 5_000}'),
    "the first integer over 64 bits": with_member(f'"x": {2**64}'),
    "the first one under them": with_member(f'"x": {-(2**63) - 1}'),
    "a name twice": with_member('"x": 1, "x": 1'),
    "a name twice, spelled differently": with_member('"x": 1, "\\u0078": 2'),
    "a name twice, further down": with_member('"x": [{"y": 1, "y": 2}]'),
    "one level too deep": with_member(nested(33)),
    "two levels too deep, lists and objects in turn": with_member(in_turn(35)),
    "a thousand levels": with_member(nested(1_000)),
    "one level too deep among other brackets": with_member(f'"s": [[], {{}}], {nested(33)}'),
    "one level too deep behind a string": with_member(f'"s": "\\"[[[", {nested(33)}'),
    "one level too deep around a string that closes": with_member(f'"x": {"[" * 32}"]]"{"]" * 32}'),
    "a lone surrogate": with_member('"x": "\\ud800"'),
    "a lone low surrogate": with_member('"x": ["\\udfff"]'),
    "a lone surrogate in a name": with_member('"\\ud800": 1'),
}
for name, strange in NON_STRICT_JSON.items():
    refused(ErrorCode.TOKEN_JSON_INVALID, f"{name}, payload", payload_text(strange))
    refused(ErrorCode.TOKEN_JSON_INVALID, f"{name}, header", header_text(strange))
refused(ErrorCode.TOKEN_JSON_INVALID, "sub twice", payload_text(with_member('"sub": "bob"')))
refused(ErrorCode.TOKEN_JSON_INVALID, "alg twice", header_text(with_member('"alg": "none"')))
refused(
    ErrorCode.TOKEN_JSON_INVALID,
    "one over a limit of 2",
    payload_text(with_member(nested(3))),
    limits={"json_depth": 2},
)

STRICT_JSON: dict[str, Callable[[bytes], bytes]] = {
    "space around it": lambda text: b" \n" + text + b"\t\r ",
    "the deepest nesting": with_member(nested(32)),
    "the deepest nesting among other brackets": with_member(f'"s": [[], {{}}], {nested(32)}'),
    "lists and objects in turn, as deep as may be": with_member(in_turn(31)),
    "many brackets side by side": with_member(f'"x": [{", ".join(["[]"] * 100)}]'),
    "many brackets side by side, and more in a string": with_member(f'"s": "]{{[", "x": [{", ".join(["[]"] * 100)}]'),
    "an escape before a string full of brackets": with_member(f'"s": "\\n", "x": ["{"{" * 40}", [[]]]'),
    "brackets in strings": with_member(f'"x": "{"[{" * 100}"'),
    "brackets behind an escaped quote": with_member(f'"x": "\\"{"[" * 100}\\\\"'),
    "a surrogate pair": with_member('"x": "\\ud83d\\ude00"'),
    "an escaped backslash before u": with_member('"x": "\\\\ud800"'),
    "the largest integer": with_member(f'"x": {2**64 - 1}'),
    "the smallest integer": with_member(f'"x": {-(2**63)}'),
    "a large number": with_member('"x": 1e308'),
    "the same name on two levels": with_member('"x": {"sub": "bob"}'),
}
for name, strict in STRICT_JSON.items():
    admitted(f"JSON with {name}, payload", payload_text(strict))
    admitted(f"JSON with {name}, header", header_text(strict))

# The header's members -------------------------------------------------------------------------------------------------


def with_header(**members: Any) -> Callable[[Publisher], str]:
    return lambda i: sign_token(i, members)


def without_header(name: str) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        header = header_of(issuer)
        del header[name]
        return compact(header, claims_of(issuer), issuer.keys[0])

    return sends


for algorithm in ("none", "None", "NONE", "", "HS256", "ES256K", "RS1", "es256", "ES256 ", None, 256, ["ES256"], True):
    refused(ErrorCode.ALG_NOT_ALLOWED, f"alg {algorithm!r}", with_header(alg=algorithm))
refused(ErrorCode.ALG_NOT_ALLOWED, "no alg", without_header("alg"))
refused(ErrorCode.ALG_NOT_ALLOWED, "not the issuer's", lambda i: i.token(), algorithms=["ES384", "RS256"])
admitted("the issuer's only algorithm", lambda i: i.token(), algorithms="ES256")


def public_bytes(encoding: Encoding, layout: PublicFormat) -> bytes:
    return rsa_private().public_key().public_bytes(encoding, layout)


SERIALISED: dict[str, bytes] = {
    "PEM": public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "PEM without its last line break": public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
    "DER": public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "PKCS 1, PEM": public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "PKCS 1, DER": public_bytes(Encoding.DER, PublicFormat.PKCS1),
    "OpenSSH": public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "JWK": json.dumps(rsa_key().jwk()).encode(),
    "JWK, compact": json.dumps(rsa_key().jwk(), separators=(",", ":")).encode(),
    "JWK Set": json.dumps({"keys": [rsa_key().jwk()]}).encode(),
    "the modulus": rsa_private().public_key().public_numbers().n.to_bytes(256, "big"),
    "the modulus, encoded": str(rsa_key().jwk()["n"]).encode(),
    "nothing": b"",
}


def hmac_signed(algorithm: str, secret: bytes) -> Callable[[Publisher], str]:
    """Sign with a public value as the secret (CVE-2022-29217)."""

    def sends(issuer: Publisher) -> str:
        issuer.keys = [rsa_key()]
        header, payload = header_of(issuer, alg=algorithm), claims_of(issuer)
        text = f"{encode_base64url(json_text(header))}.{encode_base64url(json_text(payload))}"
        digest = hmac.new(secret, text.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        return f"{text}.{encode_base64url(digest)}"

    return sends


for algorithm in ("HS256", "HS384", "HS512"):
    for name, secret in SERIALISED.items():
        refused(ErrorCode.ALG_NOT_ALLOWED, f"{algorithm}, its secret {name}", hmac_signed(algorithm, secret))

refused(ErrorCode.CRIT_NOT_SUPPORTED, "crit", with_header(crit=["exp"], exp=NOON))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "an empty crit", with_header(crit=[]))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "crit null", with_header(crit=None))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "b64 false", with_header(b64=False, crit=["b64"]))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "b64 true", with_header(b64=True))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "zip", with_header(zip="DEF"))
admitted("unknown members of the header", with_header(cty="JWT", x5t="AAAA", nonce="n", exp=1))

for kid in ("", "k" * 257, 1, True, 1.5, ["key-1"], {"key-1": 1}):
    refused(ErrorCode.KID_INVALID, f"kid {str(kid)[:9]!r} of type {type(kid).__name__}", with_header(kid=kid))


def with_long_kid(issuer: Publisher) -> str:
    issuer.keys = [SigningKey.make("k" * 256, "ES256")]
    return issuer.token()


admitted("a kid of 256 characters", with_long_kid)
admitted("no kid, and one key", without_header("kid"))

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


# The issuer and its key -----------------------------------------------------------------------------------------------


def with_claims(**claims: Any) -> Callable[[Publisher], str]:
    return lambda i: sign_token(i, **claims)


def without_claim(*names: str, **claims: Any) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        kept = {name: value for name, value in claims_of(issuer, **claims).items() if name not in names}
        return compact(header_of(issuer), kept, issuer.keys[0])

    return sends


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

refused(ErrorCode.KEY_NOT_FOUND, "another kid", with_header(kid="key-2"))
refused(ErrorCode.KEY_NOT_FOUND, "a longer kid", with_header(kid="key-11"))
refused(ErrorCode.KEY_NOT_FOUND, "a kid in another case", with_header(kid="KEY-1"))


def with_embedded_key(issuer: Publisher, kid: str) -> str:
    """Sign with a key from the token's own header (CVE-2026-27962)."""
    own = SigningKey.make(kid, "ES256")
    header = {"jwk": own.jwk(), "jku": "https://evil.test/keys", "x5u": "https://evil.test/x", "x5c": ["AAAA"]}
    return issuer.token(header=header, key=own)


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

# The claims -----------------------------------------------------------------------------------------------------------

for kind in ("ID", "Refresh", "Offline", "Logout"):
    refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, f"payload typ {kind}", with_claims(typ=kind))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "token_use id", with_claims(token_use="id"))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "token_use refresh", with_claims(token_use="refresh"))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "an ID token issued with a code", with_claims(c_hash="h"))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "c_hash null, with typ Bearer", with_claims(c_hash=None, typ="Bearer"))
refused(
    ErrorCode.TOKEN_USE_NOT_ALLOWED, "a Bearer that is used as an ID token", with_claims(typ="Bearer", token_use="id")
)
refused(
    ErrorCode.TOKEN_USE_NOT_ALLOWED,
    "a logout token",
    with_claims(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
)
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "events null", with_claims(events=None))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "a session that is not finished (Clerk)", with_claims(sts="pending"))
admitted("a session that is", with_claims(sts="active"))


def as_id_token(**claims: Any) -> Callable[[Publisher], str]:
    return lambda i: sign_token(i, {"typ": "JWT"}, **claims)


for claims in ({"typ": "Bearer"}, {"typ": "Refresh"}, {"token_use": "access"}, {"typ": "ID", "events": {}}):
    refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, f"{claims} where ID tokens are wanted", as_id_token(**claims), **ID_TOKENS)
for claims in ({}, {"typ": "ID"}, {"token_use": "id"}, {"c_hash": "h"}):
    admitted(f"{claims} where ID tokens are wanted", as_id_token(**claims), **ID_TOKENS)
admitted("payload typ Bearer", with_claims(typ="Bearer"))
admitted("token_use access", with_claims(token_use="access"))
admitted("nonce and at_hash, which access tokens of some providers carry", with_claims(nonce="n", at_hash="h"))

for audience in ("agent", "agents2", "Agents", " agents", "agents other", "", "account", None, 1, True, {"agents": 1}):
    refused(ErrorCode.AUDIENCE_MISMATCH, f"aud {audience!r}", with_claims(aud=audience))
for audiences in ([], ["other"], ["account", "other"], ["agents", 1], [["agents"]], [None], ["agents", {}], ["*"]):
    refused(ErrorCode.AUDIENCE_MISMATCH, f"aud {audiences!r}", with_claims(aud=audiences))
refused(ErrorCode.AUDIENCE_MISMATCH, "no aud", without_claim("aud"))
refused(ErrorCode.AUDIENCE_MISMATCH, "azp instead of aud", without_claim("aud", azp="agents", client_id="agents"))
refused(ErrorCode.AUDIENCE_MISMATCH, "a pattern", with_claims(aud="agents"), audience=["agent*"])
for audiences in (["agents"], ["other", "agents"]):
    admitted(f"aud {audiences}", with_claims(aud=audiences))
admitted("the second configured audience", with_claims(aud="agents"), audience=["others", "agents"])
admitted("no aud, where the check is skipped by name", without_claim("aud"), audience=None, insecure_skip_audience=True)

SEVERAL = ["agents", "other"]
for azp in ("other", "Agents", "agents ", "agent*", "", None, 1, True, ["agents"], [], {"agents": 1}):
    for aud in ("agents", ["agents"], SEVERAL):
        refused(ErrorCode.AZP_NOT_ALLOWED, f"aud {aud}, azp {azp!r}", as_id_token(aud=aud, azp=azp), **ID_TOKENS)
for aud in (SEVERAL, ["agents", "agents"], ["agents", "agents-2"]):
    both = {**ID_TOKENS, "audience": ["agents", "agents-2"]}
    refused(ErrorCode.AZP_NOT_ALLOWED, f"aud {aud}, no azp", as_id_token(aud=aud), **both)
refused(ErrorCode.AZP_NOT_ALLOWED, "client_id for azp", as_id_token(aud=SEVERAL, client_id="agents"), **ID_TOKENS)
APP: dict[str, Any] = {**ID_TOKENS, "allowed_clients": ["app"]}
refused(ErrorCode.AZP_NOT_ALLOWED, "azp of an unlisted app", as_id_token(aud=SEVERAL, azp="other"), **APP)
refused(ErrorCode.CLIENT_NOT_ALLOWED, "azp of the audience, app listed", as_id_token(azp="agents"), **APP)
for aud in ("agents", SEVERAL):
    admitted(f"aud {aud}, azp of a listed app", as_id_token(aud=aud, azp="app"), **APP)
    admitted(f"aud {aud}, azp of the audience", as_id_token(aud=aud, azp="agents"), **ID_TOKENS)
    admitted(f"aud {aud}, azp of another client, an access token", with_claims(aud=aud, azp="other"))
admitted("aud of one member, no azp", as_id_token(aud=["agents"]), **ID_TOKENS)
admitted(
    "another azp, where the audience check is skipped by name",
    as_id_token(aud=SEVERAL, azp="other"),
    **{**ID_TOKENS, "audience": None, "insecure_skip_audience": True},
)

BINDING: dict[str, Any] = {
    "client_claim": {"claim": "client_id", "values": ["web", "ci-*"]},
    "require": {"org": "acme"},
}
for client in ("we", "web2", "ci", "", None, 1, [], [1], {"web": 1}, True):
    refused(ErrorCode.CLIENT_NOT_ALLOWED, f"client {client!r}", with_claims(client_id=client, org="acme"), **BINDING)
refused(ErrorCode.CLIENT_NOT_ALLOWED, "no client", with_claims(org="acme"), **BINDING)
refused(
    ErrorCode.CLIENT_NOT_ALLOWED,
    "no aud and another client",
    without_claim("aud", client_id="x", org="acme"),
    audience=None,
    **BINDING,
)
for known in ("web", "ci-1", ["x", "web"]):
    admitted(f"client {known!r}", with_claims(client_id=known, org="acme"), **BINDING)
admitted("no aud and a known client", without_claim("aud", client_id="web", org="acme"), audience=None, **BINDING)
refused(
    ErrorCode.AUDIENCE_MISMATCH,
    "a known client and another aud",
    with_claims(aud="x", client_id="web", org="acme"),
    **BINDING,
)

NO_TIMES = ("1800000300", "", None, True, False, [NOON + 300], {"t": 1}, 1e308, -1e308, 253_402_300_800, 2**64 - 1)
for claim, code in (
    ("exp", ErrorCode.TOKEN_EXPIRED),
    ("nbf", ErrorCode.TOKEN_NOT_YET_VALID),
    ("iat", ErrorCode.TOKEN_ISSUED_IN_FUTURE),
):
    for no_time in NO_TIMES:
        refused(code, f"{claim} {no_time!r}", with_claims(**{claim: no_time}))
refused(ErrorCode.TOKEN_EXPIRED, "no exp", without_claim("exp"))
refused(ErrorCode.TOKEN_EXPIRED, "exp at the leeway's end", lambda i: i.token(), later=300 + LEEWAY)
refused(ErrorCode.TOKEN_EXPIRED, "exp, without leeway", lambda i: i.token(), later=300, leeway=0)
refused(ErrorCode.TOKEN_EXPIRED, "exp 0", with_claims(exp=0))
refused(ErrorCode.TOKEN_EXPIRED, "exp negative", with_claims(exp=-1))
refused(ErrorCode.TOKEN_NOT_YET_VALID, "nbf a second before the leeway", with_claims(nbf=NOON + 31))
refused(ErrorCode.TOKEN_NOT_YET_VALID, "nbf, without leeway", with_claims(nbf=NOON + 1), leeway=0)
refused(ErrorCode.TOKEN_ISSUED_IN_FUTURE, "iat a second before the leeway", with_claims(iat=NOON + 31))
refused(ErrorCode.TOKEN_ISSUED_IN_FUTURE, "iat in milliseconds", with_claims(iat=NOON * 100))
admitted("exp a second before the leeway's end", lambda i: i.token(), later=300 + LEEWAY - 1)
admitted("exp a second before, without leeway", lambda i: i.token(), later=299, leeway=0)
admitted("exp at the end of the year 9999", with_claims(exp=253_402_300_799))
admitted("exp with a fraction", with_claims(exp=NOON + 0.5))
for claim in ("nbf", "iat"):
    admitted(f"{claim} at the leeway", with_claims(**{claim: NOON + LEEWAY}))
    admitted(f"{claim} a second too early, a second later", with_claims(**{claim: NOON + 31}), later=1)
    admitted(f"{claim} now, without leeway", with_claims(**{claim: NOON}), leeway=0)
admitted("neither nbf nor iat", without_claim("iat"))

refused(
    ErrorCode.TOKEN_TOO_OLD,
    "at max_token_age and leeway",
    with_claims(exp=NOON + LONG),
    later=60 + LEEWAY,
    max_token_age=60,
)
refused(
    ErrorCode.TOKEN_TOO_OLD,
    "at max_token_age, without leeway",
    with_claims(exp=NOON + LONG),
    later=60,
    max_token_age=60,
    leeway=0,
)
refused(ErrorCode.TOKEN_TOO_OLD, "no iat", without_claim("iat"), max_token_age=60)
admitted(
    "a second before max_token_age and leeway", with_claims(exp=NOON + LONG), later=60 + LEEWAY - 1, max_token_age=60
)
admitted("years later, without max_token_age", with_claims(exp=NOON + LONG), later=LONG)

SHORT_LIVES = {"store": "memory", "max_token_lifetime": 600}
for lifetime in (601, 86_400, LONG):
    refused(
        ErrorCode.TOKEN_LIFETIME_TOO_LONG, f"{lifetime} s", with_claims(exp=NOON + lifetime), revocation=SHORT_LIVES
    )
# When its end is near, a revocation of such a token could have expired already.
refused(
    ErrorCode.TOKEN_LIFETIME_TOO_LONG,
    "near its end",
    with_claims(exp=NOON + 601),
    later=600,
    revocation=SHORT_LIVES,
)
refused(ErrorCode.TOKEN_LIFETIME_TOO_LONG, "no iat", without_claim("iat"), revocation=SHORT_LIVES)
refused(
    ErrorCode.TOKEN_LIFETIME_TOO_LONG,
    "a day and a second by default",
    with_claims(exp=NOON + 86_401),
    revocation={"store": "memory"},
)
admitted("the longest lifetime", with_claims(exp=NOON + 600), revocation=SHORT_LIVES)
admitted("a lifetime of a day by default", with_claims(exp=NOON + 86_400), revocation={"store": "memory"})

WANTED: dict[str, Any] = {"require": {"org.id": "*", '"a.b"': "*", "https://acme.test/x": ["*"]}}
GIVEN: dict[str, Any] = {"org": {"id": "acme"}, "a.b": 0, "https://acme.test/x": "x"}
for missing in GIVEN:
    refused(ErrorCode.CLAIM_MISSING, f"{missing} is absent", without_claim(missing, **GIVEN), **WANTED)
    refused(ErrorCode.CLAIM_MISSING, f"{missing} is null", with_claims(**{**GIVEN, missing: None}), **WANTED)
refused(ErrorCode.CLAIM_MISSING, "half a path", with_claims(**{**GIVEN, "org": {}}), **WANTED)
refused(ErrorCode.CLAIM_MISSING, "a path through a string", with_claims(**{**GIVEN, "org": "id"}), **WANTED)
refused(
    ErrorCode.CLAIM_MISSING, "a path spelled as one name", without_claim("org", **GIVEN, **{"org.id": "acme"}), **WANTED
)
admitted("every required claim, with any value", with_claims(**GIVEN), **WANTED)

CLIENTS: dict[str, Any] = {"allowed_clients": ["web", "cli"]}
for clients in (
    {},
    {"azp": "x"},
    {"client_id": "x"},
    {"azp": "x", "client_id": "web"},
    {"azp": None, "client_id": "web"},
):
    refused(ErrorCode.CLIENT_NOT_ALLOWED, f"{clients}", with_claims(**clients), **CLIENTS)
for other in ("", "we", "web2", 1, True, ["web"], {"web": 1}):
    refused(ErrorCode.CLIENT_NOT_ALLOWED, f"azp {other!r}", with_claims(azp=other), **CLIENTS)
for clients in ({"azp": "web"}, {"client_id": "cli"}, {"azp": "web", "client_id": "x"}):
    admitted(f"{clients}", with_claims(**clients), **CLIENTS)
admitted("any client, where none is listed", with_claims(azp="x"))

for confirmation in ({"jkt": "x"}, {"x5t#S256": "x"}, {}, None, "x"):
    refused(ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, f"cnf {confirmation!r}", with_claims(cnf=confirmation))

DEMANDS: dict[str, Any] = {"require": {"org": ["acme", "beta-*"], "realm.level": "gold"}}
for org in ("acm", "acme2", "beta", "ACME", "beta", "", None, 1, True, [], [1], {"acme": 1}, ["other"], "acme gold"):
    refused(ErrorCode.REQUIREMENT_NOT_MET, f"org {org!r}", with_claims(org=org, realm={"level": "gold"}), **DEMANDS)
refused(ErrorCode.REQUIREMENT_NOT_MET, "no org", with_claims(realm={"level": "gold"}), **DEMANDS)
refused(ErrorCode.REQUIREMENT_NOT_MET, "only one of two", with_claims(org="acme", realm={"level": "silver"}), **DEMANDS)
for flag in (False, 1, "True", "TRUE", "yes", None):
    refused(ErrorCode.REQUIREMENT_NOT_MET, f"flag {flag!r}", with_claims(flag=flag), require={"flag": "true"})
for set_flag in (True, "true", [True]):
    admitted(f"flag {set_flag!r}", with_claims(flag=set_flag), require={"flag": "true"})
admitted("flag False", with_claims(flag=False), require={"flag": "false"})
WRONG: tuple[tuple[Any, list[Any]], ...] = (
    (7, [70, "70", 7.0, -7, True, "07"]),
    (1, [True, 1.0]),
    ("7.0", [7]),
    (True, [1, "True"]),
)
for number, wrong in WRONG:
    for unequal in wrong:
        refused(
            ErrorCode.REQUIREMENT_NOT_MET, f"{number!r}: {unequal!r}", with_claims(n=unequal), require={"n": number}
        )
NUMBERS: dict[Any, list[object]] = {
    7: [7, "7", [7], ["x", 7]],
    0: [0],
    -1: [-1],
    "7.0": [7.0],
    1.5: [1.5],
    2**63: [2**63],
}
for number, same in NUMBERS.items():
    for equal in same:
        admitted(f"{number!r}: {equal!r}", with_claims(n=equal), require={"n": number})
PRESENT: tuple[Any, ...] = (False, 0, "x", [False], ["", "x"], {"x": None}, 1.5)
for anything in PRESENT:
    admitted(f"any value, {anything!r}", with_claims(n=anything), require={"n": "*"})
EMPTY: tuple[Any, ...] = (None, "", " ", "\u3000", [], {}, [None], ["", []])
for empty in EMPTY:
    refused(ErrorCode.CLAIM_MISSING, f"any value, {empty!r}", with_claims(n=empty), require={"n": "*"})
refused(ErrorCode.CLAIM_MISSING, "any value, absent", without_claim("n"), require={"n": "*"})
refused(ErrorCode.REQUIREMENT_NOT_MET, "a dot is literal", with_claims(org="axb"), require={"org": "a.b"})
refused(ErrorCode.REQUIREMENT_NOT_MET, "a star in the token is literal", with_claims(org="*"), require={"org": "acme"})
for right in ("acme", "beta-", "beta-1", ["other", "acme"], [1, "beta-x"]):
    admitted(f"org {right!r}", with_claims(org=right, realm={"level": "gold"}), **DEMANDS)

for unusable in ("", " ", "\u00a0", "\t", None, 0, 42, True, 1.5, [], ["alice"], {"alice": 1}):
    refused(ErrorCode.IDENTITY_INVALID, f"sub {unusable!r}", with_claims(sub=unusable))
for control in ("\0", "\n", "\r", "\x1f", "\x7f", "\x80", "\x85", "\x9f"):
    refused(ErrorCode.IDENTITY_INVALID, f"sub with {control!r}", with_claims(sub=f"al{control}ice"))
for reserved in sorted(RESERVED_IDENTITIES):
    refused(ErrorCode.IDENTITY_INVALID, f"sub {reserved}", with_claims(sub=reserved))
refused(ErrorCode.IDENTITY_INVALID, "a reserved name by its prefix", with_claims(sub="tem"), identity_prefix="sys")
refused(ErrorCode.IDENTITY_INVALID, "no sub", without_claim("sub"))
refused(ErrorCode.IDENTITY_INVALID, "256 characters", with_claims(sub="é" * 256))
refused(ErrorCode.IDENTITY_INVALID, "256 with its prefix", with_claims(sub="x" * 253), identity_prefix="ci:")
ORDERED: dict[str, Any] = {
    "identity": [{"claim": "oid"}, {"claim": "user.id", "prefix": "u:"}, {"claim": "sub", "prefix": "s:"}]
}
for first in ("", None, 1, ["alice"], "anonymous"):
    refused(ErrorCode.IDENTITY_INVALID, f"the first claim is {first!r}", with_claims(oid=first), **ORDERED)
for second in ("", None, 1, ["alice"]):
    refused(ErrorCode.IDENTITY_INVALID, f"the second claim is {second!r}", with_claims(user={"id": second}), **ORDERED)
for other_user in ("u:7", "s:alice", "u:"):
    refused(ErrorCode.IDENTITY_INVALID, f"the first claim is {other_user!r}", with_claims(oid=other_user), **ORDERED)
refused(ErrorCode.IDENTITY_INVALID, "none of the claims", without_claim("sub"), **ORDERED)
admitted("an identity of 255 characters", with_claims(sub="é" * 255))
admitted("a reserved name, kept apart by a prefix", with_claims(sub="system"), identity_prefix="ci:")
admitted("a reserved name in another case", with_claims(sub="System"))

TENANT: dict[str, Any] = {"tenant": "org"}
TENANT_KEYS: dict[str, Any] = {"tenant": {"claim": "org", "object_keys": True}}
NO_TENANTS: tuple[Any, ...] = (1.5, 7.0, {"acme": {}}, {}, " ", "\t", "ac\nme", "a\x85", "x" * 256)
NO_TENANTS += ([1.5], [None], [""], [["acme"]], ["a", 1.5], ["a", None])
for tenant in NO_TENANTS:
    refused(ErrorCode.TENANT_INVALID, f"tenant {str(tenant)[:20]!r}", with_claims(org=tenant), **TENANT)
for tenant_keys in (1.5, {" ": 1}, {"ac\nme": 1}, {"x" * 256: 1}, [{"acme": 1}]):
    refused(
        ErrorCode.TENANT_INVALID, f"tenant {str(tenant_keys)[:20]!r}, keys", with_claims(org=tenant_keys), **TENANT_KEYS
    )
for usable in ("acme", "", None, ["acme"], [], ["acme", "other"], "x" * 255, 7, True, [7], ["a", 1]):
    admitted(f"tenant {str(usable)[:20]!r}", with_claims(org=usable), **TENANT)
    admitted(f"tenant {str(usable)[:20]!r}, keys", with_claims(org=usable), **TENANT_KEYS)
for memberships in ({"acme": 1}, {}, {"acme": 1, "other": 2}):
    admitted(f"tenant {memberships}, keys", with_claims(org=memberships), **TENANT_KEYS)
admitted("no tenant", lambda i: i.token(), **TENANT)
admitted("any org without a tenant setting", with_claims(org=1))

# The signature --------------------------------------------------------------------------------------------------------


def bit_flipped(bit: int) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        token, _, _ = (whole := issuer.token()).rpartition(".")
        header, payload, _ = whole.split(".")
        raw = bytearray(issuer.keys[0].sign(f"{header}.{payload}".encode()))
        raw[bit // 8] ^= 1 << bit % 8
        return f"{token}.{encode_base64url(bytes(raw))}"

    return sends


def with_signature(change: Callable[[bytes], bytes], algorithm: str = "ES256") -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        issuer.keys = [rsa_key() if algorithm == "RS256" else SigningKey.make("key-1", algorithm)]
        token, _, _ = issuer.token().rpartition(".")
        return f"{token}.{encode_base64url(change(issuer.keys[0].sign(token.encode())))}"

    return sends


for bit in (0, 1, 7, 8, 255, 256, 300, 511):
    refused(ErrorCode.SIGNATURE_INVALID, f"bit {bit} flipped", bit_flipped(bit))
for algorithm in ("ES256", "ES512", "EdDSA", "RS256"):
    for name, resign in {
        "truncated": lambda raw: raw[:-1],
        "one byte": lambda raw: raw[:1],
        "longer": lambda raw: raw + b"\0",
        "zeros": lambda raw: bytes(len(raw)),
        "ones": lambda raw: b"\xff" * len(raw),
        "swapped halves": lambda raw: raw[len(raw) // 2 :] + raw[: len(raw) // 2],
        "empty DER": lambda _: b"\x30\x06\x02\x01\x00\x02\x01\x00",
    }.items():
        refused(ErrorCode.SIGNATURE_INVALID, f"{algorithm}, {name}", with_signature(resign, algorithm))
    admitted(f"{algorithm}, untouched", with_signature(lambda raw: raw, algorithm))
refused(
    ErrorCode.SIGNATURE_INVALID,
    "another key with the same kid",
    lambda i: i.token(key=SigningKey.make("key-1", "ES256")),
)
refused(ErrorCode.SIGNATURE_INVALID, "a key brought along with a known kid", lambda i: with_embedded_key(i, "key-1"))
refused(
    ErrorCode.SIGNATURE_INVALID,
    "the signature of another token",
    lambda i: ".".join([*i.token("alice").split(".")[:2], i.token("bob").split(".")[2]]),
)
refused(
    ErrorCode.SIGNATURE_INVALID,
    "the payload of another token",
    lambda i: "{0[0]}.{1[1]}.{0[2]}".format(i.token("alice").split("."), i.token("bob").split(".")),
)


@pytest.mark.parametrize(("code", "case"), REFUSED)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    harness = AuthHarness(**case.settings)
    sent = case.sends(harness.issuer)
    harness.clock.advance(case.later)
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate(bearer(sent) if isinstance(sent, str) else sent))
    assert refusal.value.code is code
    said = refusal.value.challenge()
    heard = ErrorCode.TOKEN_INVALID if code is ErrorCode.SIGNATURE_INVALID else code
    assert (said.status, said.detail) == (401, f"{heard}: {ERROR_DETAILS[heard].client_message}")
    codes = "".join([said.detail, *said.headers().values(), str(refusal.value), repr(refusal.value)])
    assert all(part not in codes for part in str(sent).split(".") if len(part) > LONG_ENOUGH)


@pytest.mark.parametrize("case", ADMITTED)
def test_token_at_limit_is_accepted(case: Case) -> None:
    harness = AuthHarness(**case.settings)
    sent = case.sends(harness.issuer)
    harness.clock.advance(case.later)
    assert harness.authenticate(sent) is None


def test_every_check_has_cases() -> None:
    assert {parameters.values[0] for parameters in REFUSED} == {check.code for check in CHECKS}
    assert len({check.code for check in CHECKS}) == len(CHECKS)


def test_every_check_names_its_source() -> None:
    assert all(check.source and callable(check.rule) for check in CHECKS)


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


def test_signature_is_verified_before_claims() -> None:
    harness = AuthHarness()
    expired = harness.issuer.token(key=SigningKey.make("key-1", "ES256"), lifetime=-100)
    assert harness.authenticate(expired) is ErrorCode.SIGNATURE_INVALID
    assert harness.cached == []


def test_first_present_identity_claim_is_used() -> None:
    harness = AuthHarness(**ORDERED)
    who = [
        asyncio.run(harness.admit(harness.issuer.token("s", **claims))).identity
        for claims in ({}, {"user": {"id": "7"}}, {"user": {"id": "7"}, "oid": "o"}, {"user": "7"})
    ]
    assert who == ["s:s", "u:7", "o", "s:s"]


def test_unrepresentable_number_is_still_explained() -> None:
    harness = AuthHarness()
    explained = harness.oidc.explain({"sub": "alice", "aud": "agents", "exp": 10**400})
    assert "found int" in {check.code: check.detail for check in explained.checks}[ErrorCode.TOKEN_EXPIRED]


def test_unclosed_string_is_rejected_cheaply() -> None:
    harness = AuthHarness(limits={"token_bytes": 60_000})
    # Each quote may start a string that never ends: work in the square of the length, before anything is known.
    text = b"{" * 33 + b'"' + b'\\"' * 20_000
    before = process_time()
    assert harness.authenticate(f"{encode_base64url(text)}.e30.AA") is ErrorCode.TOKEN_JSON_INVALID
    assert process_time() - before < 1
