# ruff: noqa: INP001 - a script, not a package
"""Any bytes as a header, as a signed token's segments, as a key set: refused in our own words, or rightly accepted.

``python fuzz/fuzz_tokens.py -max_total_time=30`` (libFuzzer's options; ``pip install atheris``). The first byte of an
input says where the rest of it stands, see ``Place``. Two rules are held against every input:

- nothing but the library's own errors comes out;
- whatever is accepted is spelled in the one way there is (RFC 7515 section 2, RFC 4648 section 3.5), and ``jwt.decode``
  accepts it too, asked as strictly as it can be, and reads the same claims.

A crash leaves a file behind; ``python fuzz/fuzz_tokens.py <file>`` plays it again. The key is always the same, so that
it does. Never run by the tests; ``.ci/run`` gives it half a minute.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import time
from base64 import urlsafe_b64decode
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidc_auth import Caller
    from oidc_auth.keys.fetch import Response as Answer

try:
    atheris = import_module("atheris")
except ImportError:
    sys.exit("fuzz_tokens: atheris is not installed here: pip install atheris (wheels for Linux, CPython 3.11 to 3.13)")

with atheris.instrument_imports(include=["oidc_auth", "jwt"]):
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from jwt.algorithms import OKPAlgorithm

    from oidc_auth import OIDCAuth, TokenError, UpstreamError
    from oidc_auth.keys.fetch import Response
    from oidc_auth.keys.jwk import ASYMMETRIC, UnusableKeyError
    from oidc_auth.keys.key_set import read_key_set
    from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

ISSUER = "https://issuer.test"
AUDIENCE = "agents"
LATE = 4_102_444_800
"""The year 2100: a corpus that is kept stays valid."""
LEEWAY = 30
STEP = 60
"""Seconds between two fetches of a key set, by its own clock: each is a fresh one."""
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = SigningKey("key-1", "EdDSA", PRIVATE)
HEADER: dict[str, Any] = {"alg": "EdDSA", "kid": "key-1", "typ": "at+jwt"}
CLAIMS: dict[str, Any] = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": LATE}
TOKEN = compact(HEADER, CLAIMS, KEY)
LIMITS = {"token_cache_entries": 0}
FRESH = {**LIMITS, "jwks_refresh_after": 0, "jwks_max_age": 0, "jwks_max_stale": 0, "retry_after_failure": 0}

# RFC 9864's name, which PyJWT knows by its older one only; it must judge tokens that say either.
jwt.register_algorithm("Ed25519", OKPAlgorithm())


class Place(IntEnum):
    """Where the bytes of an input stand."""

    FIELD = 0
    """The value of the Authorization field."""
    TEXTS = 1
    """Header and payload of a signed token, NUL between them, before they are encoded."""
    SEGMENTS = 2
    """Header and payload of a signed token, NUL between them, as they are spelled."""
    SIGNATURE = 3
    """The signature of the right token, before it is encoded."""
    LAST_SEGMENT = 4
    """The signature of the right token, as it is spelled."""
    KEY_SET = 5
    """The document that the issuer publishes."""


class Disagreement(Exception):  # noqa: N818 - what a fuzzer finds is no error of the library's own
    """Something was accepted that must not be."""


class Ticking:
    """A clock that moves on with each look at it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Return a later time than before."""
        self.now += STEP
        return self.now


class Publisher:
    """A fetcher that brings whatever key set was put into it."""

    def __init__(self) -> None:
        self.body = b""

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Answer:
        """Answer with the key set."""
        del method, url, headers, body
        return Response(200, {}, self.body)


class Accepted:
    """A mapper that keeps the claims of the last token that was accepted."""

    def __init__(self) -> None:
        self.claims: Mapping[str, object] = {}

    def __call__(self, claims: Mapping[str, object], caller: Caller) -> Caller:
        """Keep the claims."""
        self.claims = claims
        return caller


ACCEPTED = Accepted()
PUBLISHER = Publisher()
TABLE = {"preset": "generic", "issuer": ISSUER, "audience": AUDIENCE}
AT_REST = OIDCAuth.from_dict(
    {"issuer": {**TABLE, "jwks": {"keys": [KEY.jwk()]}}, "limits": LIMITS}, mapper=ACCEPTED, fetcher=PUBLISHER
)
FETCHING = OIDCAuth.from_dict(
    {"issuer": {**TABLE, "jwks_uri": f"{ISSUER}/keys"}, "limits": FRESH},
    mapper=ACCEPTED,
    fetcher=PUBLISHER,
    clock=Ticking(),
)
LOOP = asyncio.new_event_loop()


def admitted(oidc: OIDCAuth, value: bytes | str) -> bool:
    """Tell whether a value of the Authorization field is accepted; any other exception ends the fuzzer."""
    try:
        LOOP.run_until_complete(oidc.authenticate([(b"authorization", value)]))
    except (TokenError, UpstreamError) as refusal:
        said = refusal.challenge()
        if said.status not in (401, 503) or any(not line.isprintable() for line in said.headers().values()):
            raise Disagreement("the refusal cannot be sent") from refusal
        return False
    return True


def judge(token: str, keys: list[Any]) -> None:
    """Look at the spelling of a token that was accepted, and ask PyJWT about it.

    Raises:
        Disagreement: PyJWT does not accept it under any of the keys, or reads other claims; or it has another spelling.
    """
    for segment in token.split("."):
        if encode_base64url(urlsafe_b64decode(segment + "=" * (-len(segment) % 4))) != segment:
            raise Disagreement(f"accepted, and not spelled as it must be: {segment!r}")
    options: Any = {
        "require": ["iss", "sub", "aud", "exp"],
        "verify_signature": True,
        "verify_sub": True,
        "enforce_minimum_key_length": True,
        # A jti that is no string is no string here either; nothing reads it (RFC 7519 section 4.1.7 says: a string).
        "verify_jti": False,
    }
    reasons: list[str] = []
    for key in keys:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA", "Ed25519"],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY,
                options=options,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, PyJWT says no
            reasons.append(repr(error))
            continue
        if claims != ACCEPTED.claims:
            raise Disagreement(f"PyJWT reads {claims!r}, we read {ACCEPTED.claims!r}")
        return
    raise Disagreement(f"we accept what PyJWT does not: {reasons}")


def try_token(token: str) -> None:
    """Present a token to the issuer whose key is known."""
    if admitted(AT_REST, f"Bearer {token}"):
        judge(token, [PRIVATE.public_key()])


def try_field(value: bytes) -> None:
    """Present any value of the field."""
    if admitted(AT_REST, value):
        judge(value.decode("latin-1").split()[-1], [PRIVATE.public_key()])


def keys_for_pyjwt(members: list[Any]) -> Iterator[object]:
    """Yield the keys of a set that PyJWT can read for the right token's algorithm."""
    for member in members:
        try:
            # It does not know Ed25519 as the alg of a key.
            yield jwt.PyJWK({**member, "alg": "EdDSA"}).key
        except Exception:  # noqa: BLE001, S112 - then it is not this one
            continue


def try_key_set(document: bytes) -> None:
    """Publish any document, and present the right token; then read each of its keys."""
    PUBLISHER.body = document
    accepted = admitted(FETCHING, f"Bearer {TOKEN}")
    try:
        published = json.loads(document)
    except (ValueError, RecursionError):
        published = None
    if accepted:
        judge(TOKEN, list(keys_for_pyjwt(published["keys"])))
    try:
        keys = read_key_set(published).keys
    except UnusableKeyError:
        keys = ()
    for key in keys:
        for algorithm in key.algorithms:
            if algorithm not in ASYMMETRIC or key.verifies(algorithm, b"e30.e30", document[-64:]):
                raise Disagreement(f"a key verifies {algorithm} over anything")


def try_one(data: bytes) -> None:
    """Put an input where its first byte says."""
    place, rest = Place(data[0] % len(Place)) if data else Place.FIELD, data[1:]
    first, _, second = rest.partition(b"\0")
    text, _, _ = TOKEN.rpartition(".")
    if place is Place.FIELD:
        try_field(rest)
    elif place is Place.TEXTS:
        try_token(compact(first, second, KEY))
    elif place is Place.SEGMENTS:
        signed = first + b"." + second
        try_token(f"{signed.decode('latin-1')}.{encode_base64url(KEY.sign(signed))}")
    elif place is Place.SIGNATURE:
        try_token(f"{text}.{encode_base64url(rest)}")
    elif place is Place.LAST_SEGMENT:
        try_token(f"{text}.{rest.decode('latin-1')}")
    else:
        try_key_set(rest)


# Seeds ----------------------------------------------------------------------------------------------------------------


def json_text(members: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(members, separators=(",", ":")).encode()


def pair(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    """Return the two texts of a token."""
    return json_text(header) + b"\0" + json_text(claims)


def right_seeds() -> Iterator[tuple[Place, bytes]]:
    """Yield inputs that must be accepted: without them, the fuzzer looks at refusals only."""
    segments = TOKEN.split(".")
    yield Place.FIELD, f"Bearer {TOKEN}".encode()
    yield Place.FIELD, f"bearer   {TOKEN} ".encode()
    yield Place.TEXTS, pair(HEADER, CLAIMS)
    yield Place.TEXTS, pair({"alg": "Ed25519"}, CLAIMS)
    yield Place.TEXTS, pair({**HEADER, "typ": "JWT", "cty": "x", "jku": "https://x"}, CLAIMS)
    yield Place.TEXTS, pair(HEADER, {**CLAIMS, "aud": ["x", AUDIENCE], "nbf": 1, "iat": 1.5e9, "jti": "j"})
    yield (
        Place.TEXTS,
        pair(HEADER, {**CLAIMS, "scope": "threads:read", "org": {"id": [None, True, -1.5]}, "s": "é\\\n"}),
    )
    yield Place.SEGMENTS, f"{segments[0]}\0{segments[1]}".encode()
    yield Place.SIGNATURE, KEY.sign(f"{segments[0]}.{segments[1]}".encode())
    yield Place.LAST_SEGMENT, segments[2].encode()
    yield Place.KEY_SET, json_text({"keys": [KEY.jwk()]})
    yield Place.KEY_SET, json_text({"keys": [{"kty": "oct", "k": "AA"}, {**KEY.jwk(), "alg": "Ed25519"}]})


def wrong_seeds() -> Iterator[tuple[Place, bytes]]:
    """Yield inputs that are refused, each for another reason."""
    for value in (b"", b"Bearer", b"Basic eDp5", b"Bearer a.b.c.d.e", b"Bearer ....", b'Bearer "x"', b"Bearer a,b"):
        yield Place.FIELD, value
    headers: tuple[dict[str, Any], ...] = (
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "HS256"},
        {**HEADER, "crit": ["b64"], "b64": False},
        {**HEADER, "zip": "DEF"},
        {**HEADER, "kid": "other"},
        {**HEADER, "kid": 1},
        {**HEADER, "typ": "logout+jwt"},
        {**HEADER, "typ": ["JWT"]},
    )
    for header in headers:
        yield Place.TEXTS, pair(header, CLAIMS)
    changes: tuple[dict[str, Any], ...] = (
        {"iss": "https://issuer.test/"},
        {"aud": []},
        {"aud": [AUDIENCE, 1]},
        {"exp": "1"},
        {"exp": 1e308},
        {"nbf": LATE},
        {"iat": True},
        {"sub": ""},
        {"sub": "*"},
        {"cnf": {"jkt": "x"}},
        {"events": {}},
        {"typ": "ID"},
        {"token_use": "refresh"},
        {"x": [[[[{}]]]]},
    )
    for claims in changes:
        yield Place.TEXTS, pair(HEADER, {**CLAIMS, **claims})
    for text in (b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b"\xef\xbb\xbf{}", b"[" * 99):
        yield Place.TEXTS, json_text(HEADER) + b"\0" + text
    for segments in (b"e30=\0e30", b"e3\0e30", b"e31\0e30", b"\0", b"e30\0", b"e+/\0e30"):
        yield Place.SEGMENTS, segments
    signature = TOKEN.rpartition(".")[2]
    for last in (signature[:-1] + chr(ord(signature[-1]) + 1), f"{signature}=", f"{signature}==", f"{signature}A"):
        yield Place.LAST_SEGMENT, last.encode()
    for kind in ("RS256", "PS256", "ES256", "ES384", "ES512"):
        yield Place.KEY_SET, json_text({"keys": [SigningKey.make("key-1", kind).jwk()]})
    documents: tuple[dict[str, Any], ...] = (
        {},
        {"keys": {}},
        {"keys": [None, 1, {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": ["x"]}]},
    )
    for document in documents:
        yield Place.KEY_SET, json_text(document)
    for change in ({"use": "enc"}, {"key_ops": ["sign"]}, {"d": "AA"}, {"x": "AA"}, {"crv": "X25519"}, {"kid": 1}):
        yield Place.KEY_SET, json_text({"keys": [{**KEY.jwk(), **change}]})


WORDS = (
    *("Bearer ", '"alg":', '"kid":"key-1"', '"typ":"at+jwt"', '"JWT"', '"crit":["b64"]', '"b64":false', '"EdDSA"'),
    *('"Ed25519"', '"none"', '"iss":"https://issuer.test"', '"sub":"alice"', '"aud":"agents"', '["agents"]', '"exp":'),
    *(
        "4102444800",
        '"nbf":',
        '"iat":',
        '"azp":',
        '"scope":"threads:read"',
        '"cnf":{}',
        '"events":{}',
        '"jti":',
        "1e308",
    ),
    *("NaN", "null", "true", '\\"', "\\\\ud800", "[[[[", "]]]]", "{}", '"keys":[', '"kty":"OKP"', '"crv":"Ed25519"'),
    *('"kty":"RSA"', '"n":"', '"e":"AQAB"', '"kty":"EC"', '"crv":"P-256"', '"x":"', '"y":"', '"use":"sig"', '"k":"'),
    *('"key_ops":["verify"]', "\\x00", "...", "e30", "=", "-_", "+/"),
)


def write_corpus(folder: Path) -> Path:
    """Write the seeds, and return the file of words.

    Raises:
        Disagreement: a seed that is right was not accepted.
    """
    for place, rest in right_seeds():
        ACCEPTED.claims = {}
        try_one(bytes([place]) + rest)
        if not ACCEPTED.claims:
            raise Disagreement(f"not accepted: {place.name} {rest!r}")
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, (place, rest) in enumerate([*right_seeds(), *wrong_seeds()]):
        (seeds / f"{number:03}-{place.name.lower()}").write_bytes(bytes([place]) + rest)
    words = folder / "words"
    words.write_text("".join('"{}"\n'.format(word.replace('"', '\\"')) for word in WORDS), encoding="ascii")
    return words


def main() -> None:
    """Start libFuzzer with the arguments of the command line, and with what they leave out."""
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="fuzz_tokens_"))
    words = write_corpus(folder)
    given = sys.argv[1:]
    options = {"-max_len": "8192", "-timeout": "10", "-dict": str(words)}
    arguments = [
        f"{name}={value}" for name, value in options.items() if not any(a.startswith(f"{name}=") for a in given)
    ]
    files = [argument for argument in given if not argument.startswith("-")]
    replays = bool(files) and all(Path(name).is_file() for name in files)
    corpus = [] if replays else [str(folder / "seeds")]
    sys.stderr.write(f"fuzz_tokens: seeds and finds in {folder}\n")
    atheris.Setup([sys.argv[0], *given, *arguments, *corpus], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
