# ruff: noqa: INP001 - a script, not a package
"""Fuzz the Authorization header, the segments of signed tokens, and key sets.

Run ``pip install atheris`` and ``python fuzz/fuzz_tokens.py -max_total_time=30``. It accepts the options of libFuzzer.
The first byte of an input selects where the other bytes go, see ``Target``. Two rules hold for every input:

- The library raises only its own errors.
- An accepted token has canonical base64url (RFC 7515 §2, RFC 4648 §3.5). The strictest ``jwt.decode`` accepts it too,
  and returns the same claims.

A crash writes a file, and ``python fuzz/fuzz_tokens.py FILE`` repeats it. The signing key is always the same. No test
runs this script, but ``.ci/run`` does for 30 seconds.
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
FAR_FUTURE = 4_102_444_800
"""The year 2100, so a saved corpus stays valid."""
LEEWAY = 30
STEP = 60
"""Seconds between two reads of the clock. So each token causes a new fetch of the key set."""
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = SigningKey("key-1", "EdDSA", PRIVATE)
HEADER: dict[str, Any] = {"alg": "EdDSA", "kid": "key-1", "typ": "at+jwt"}
CLAIMS: dict[str, Any] = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": FAR_FUTURE}
TOKEN = compact(HEADER, CLAIMS, KEY)
LIMITS = {"token_cache_entries": 0}
FRESH = {**LIMITS, "jwks_refresh_after": 0, "jwks_max_age": 0, "jwks_max_stale": 0, "retry_after_failure": 0}

# PyJWT has only the older name of this algorithm (RFC 9864).
jwt.register_algorithm("Ed25519", OKPAlgorithm())


class Target(IntEnum):
    """Where the bytes of an input go."""

    FIELD = 0
    """The value of the Authorization header."""
    TEXTS = 1
    """Header and payload of a signed token, separated by NUL, before encoding."""
    SEGMENTS = 2
    """Header and payload of a signed token, separated by NUL, after encoding."""
    SIGNATURE = 3
    """The signature of the valid token, before encoding."""
    LAST_SEGMENT = 4
    """The signature of the valid token, after encoding."""
    KEY_SET = 5
    """The key set document of the issuer."""


class Violation(Exception):  # noqa: N818 - not an error of the library
    """An input violates a rule."""


class TickingClock:
    """A clock that moves forward each time it is read."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Return the next time in seconds since the epoch."""
        self.now += STEP
        return self.now


class Publisher:
    """A fetcher that returns a given key set."""

    def __init__(self) -> None:
        self.body = b""

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Answer:
        """Return the key set."""
        del method, url, headers, body
        return Response(200, {}, self.body)


class ClaimsRecorder:
    """A mapper that records the claims of the last accepted token."""

    def __init__(self) -> None:
        self.claims: Mapping[str, object] = {}

    def __call__(self, claims: Mapping[str, object], caller: Caller) -> Caller:
        """Record the claims."""
        self.claims = claims
        return caller


RECORDER = ClaimsRecorder()
PUBLISHER = Publisher()
TABLE = {"preset": "generic", "issuer": ISSUER, "audience": AUDIENCE}
STATIC = OIDCAuth.from_dict(
    {"issuer": {**TABLE, "jwks": {"keys": [KEY.jwk()]}}, "limits": LIMITS}, mapper=RECORDER, fetcher=PUBLISHER
)
REMOTE = OIDCAuth.from_dict(
    {"issuer": {**TABLE, "jwks_uri": f"{ISSUER}/keys"}, "limits": FRESH},
    mapper=RECORDER,
    fetcher=PUBLISHER,
    clock=TickingClock(),
)
LOOP = asyncio.new_event_loop()


def is_accepted(oidc: OIDCAuth, value: bytes | str) -> bool:
    """Tell whether a value of the Authorization header is accepted."""
    # Any exception that is not caught here ends the fuzzer.
    try:
        LOOP.run_until_complete(oidc.authenticate([(b"authorization", value)]))
    except (TokenError, UpstreamError) as refusal:
        challenge = refusal.challenge()
        if challenge.status not in (401, 503) or not all(map(str.isprintable, challenge.headers().values())):
            raise Violation("the response has an invalid status or header") from refusal
        return False
    return True


def check_accepted(token: str, keys: list[Any]) -> None:
    """Check the encoding of an accepted token, and compare with PyJWT.

    Raises:
        Violation: the encoding is not canonical, or PyJWT rejects the token for all keys, or returns other claims.
    """
    for segment in token.split("."):
        if encode_base64url(urlsafe_b64decode(segment + "=" * (-len(segment) % 4))) != segment:
            raise Violation(f"accepted with an encoding that is not canonical: {segment!r}")
    options: Any = {
        "require": ["iss", "sub", "aud", "exp"],
        "verify_signature": True,
        "verify_sub": True,
        "enforce_minimum_key_length": True,
        # RFC 7519 §4.1.7 requires a string. The library does not use jti, so it does not check it.
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
        except Exception as error:  # noqa: BLE001 - PyJWT rejects the token
            reasons.append(repr(error))
            continue
        if claims != RECORDER.claims:
            raise Violation(f"PyJWT returns {claims!r}, the library returns {RECORDER.claims!r}")
        return
    raise Violation(f"accepted, but PyJWT rejects it: {reasons}")


def try_token(token: str) -> None:
    """Authenticate with a token of the issuer with static keys."""
    if is_accepted(STATIC, f"Bearer {token}"):
        check_accepted(token, [PRIVATE.public_key()])


def try_field(value: bytes) -> None:
    """Authenticate with any value of the header."""
    if is_accepted(STATIC, value):
        check_accepted(value.decode("latin-1").split()[-1], [PRIVATE.public_key()])


def keys_for_pyjwt(members: list[Any]) -> Iterator[object]:
    """Yield the keys that PyJWT can read for the valid token's algorithm."""
    for member in members:
        try:
            # PyJWT does not support Ed25519 as the alg of a key.
            yield jwt.PyJWK({**member, "alg": "EdDSA"}).key
        except Exception:  # noqa: BLE001, S112 - PyJWT cannot read this key
            continue


def try_key_set(document: bytes) -> None:
    """Publish a document, authenticate with the valid token, and read each key."""
    PUBLISHER.body = document
    accepted = is_accepted(REMOTE, f"Bearer {TOKEN}")
    try:
        published = json.loads(document)
    except (ValueError, RecursionError):
        published = None
    if accepted:
        check_accepted(TOKEN, list(keys_for_pyjwt(published["keys"])))
    try:
        keys = read_key_set(published).keys
    except UnusableKeyError:
        keys = ()
    for key in keys:
        for algorithm in key.algorithms:
            if algorithm not in ASYMMETRIC or key.verifies(algorithm, b"e30.e30", document[-64:]):
                raise Violation(f"a key verifies any signature with {algorithm}")


def try_one(data: bytes) -> None:
    """Send an input to the target that its first byte selects."""
    target, rest = Target(data[0] % len(Target)) if data else Target.FIELD, data[1:]
    first, _, second = rest.partition(b"\0")
    text, _, _ = TOKEN.rpartition(".")
    if target is Target.FIELD:
        try_field(rest)
    elif target is Target.TEXTS:
        try_token(compact(first, second, KEY))
    elif target is Target.SEGMENTS:
        signed = first + b"." + second
        try_token(f"{signed.decode('latin-1')}.{encode_base64url(KEY.sign(signed))}")
    elif target is Target.SIGNATURE:
        try_token(f"{text}.{encode_base64url(rest)}")
    elif target is Target.LAST_SEGMENT:
        try_token(f"{text}.{rest.decode('latin-1')}")
    else:
        try_key_set(rest)


# Seeds ----------------------------------------------------------------------------------------------------------------


def json_text(members: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(members, separators=(",", ":")).encode()


def join_texts(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    """Return the JSON header and payload of a token, separated by NUL."""
    return json_text(header) + b"\0" + json_text(claims)


def valid_seeds() -> Iterator[tuple[Target, bytes]]:
    """Yield inputs that must be accepted, so the fuzzer also explores valid tokens."""
    segments = TOKEN.split(".")
    yield Target.FIELD, f"Bearer {TOKEN}".encode()
    yield Target.FIELD, f"bearer   {TOKEN} ".encode()
    yield Target.TEXTS, join_texts(HEADER, CLAIMS)
    yield Target.TEXTS, join_texts({"alg": "Ed25519"}, CLAIMS)
    yield Target.TEXTS, join_texts({**HEADER, "typ": "JWT", "cty": "x", "jku": "https://x"}, CLAIMS)
    yield Target.TEXTS, join_texts(HEADER, {**CLAIMS, "aud": ["x", AUDIENCE], "nbf": 1, "iat": 1.5e9, "jti": "j"})
    yield (
        Target.TEXTS,
        join_texts(HEADER, {**CLAIMS, "scope": "threads:read", "org": {"id": [None, True, -1.5]}, "s": "é\\\n"}),
    )
    yield Target.SEGMENTS, f"{segments[0]}\0{segments[1]}".encode()
    yield Target.SIGNATURE, KEY.sign(f"{segments[0]}.{segments[1]}".encode())
    yield Target.LAST_SEGMENT, segments[2].encode()
    yield Target.KEY_SET, json_text({"keys": [KEY.jwk()]})
    yield Target.KEY_SET, json_text({"keys": [{"kty": "oct", "k": "AA"}, {**KEY.jwk(), "alg": "Ed25519"}]})


def invalid_seeds() -> Iterator[tuple[Target, bytes]]:
    """Yield inputs that are rejected, each for another reason."""
    for value in (b"", b"Bearer", b"Basic eDp5", b"Bearer a.b.c.d.e", b"Bearer ....", b'Bearer "x"', b"Bearer a,b"):
        yield Target.FIELD, value
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
        yield Target.TEXTS, join_texts(header, CLAIMS)
    changes: tuple[dict[str, Any], ...] = (
        {"iss": "https://issuer.test/"},
        {"aud": []},
        {"aud": [AUDIENCE, 1]},
        {"exp": "1"},
        {"exp": 1e308},
        {"nbf": FAR_FUTURE},
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
        yield Target.TEXTS, join_texts(HEADER, {**CLAIMS, **claims})
    for text in (b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b"\xef\xbb\xbf{}", b"[" * 99):
        yield Target.TEXTS, json_text(HEADER) + b"\0" + text
    for segments in (b"e30=\0e30", b"e3\0e30", b"e31\0e30", b"\0", b"e30\0", b"e+/\0e30"):
        yield Target.SEGMENTS, segments
    signature = TOKEN.rpartition(".")[2]
    for last in (signature[:-1] + chr(ord(signature[-1]) + 1), f"{signature}=", f"{signature}==", f"{signature}A"):
        yield Target.LAST_SEGMENT, last.encode()
    for kind in ("RS256", "PS256", "ES256", "ES384", "ES512"):
        yield Target.KEY_SET, json_text({"keys": [SigningKey.make("key-1", kind).jwk()]})
    documents: tuple[dict[str, Any], ...] = (
        {},
        {"keys": {}},
        {"keys": [None, 1, {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": ["x"]}]},
    )
    for document in documents:
        yield Target.KEY_SET, json_text(document)
    for change in ({"use": "enc"}, {"key_ops": ["sign"]}, {"d": "AA"}, {"x": "AA"}, {"crv": "X25519"}, {"kid": 1}):
        yield Target.KEY_SET, json_text({"keys": [{**KEY.jwk(), **change}]})


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
    """Write the seeds and return the dictionary file.

    Raises:
        Violation: a valid seed was rejected.
    """
    for target, rest in valid_seeds():
        RECORDER.claims = {}
        try_one(bytes([target]) + rest)
        if not RECORDER.claims:
            raise Violation(f"a valid seed was rejected: {target.name} {rest!r}")
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, (target, rest) in enumerate([*valid_seeds(), *invalid_seeds()]):
        (seeds / f"{number:03}-{target.name.lower()}").write_bytes(bytes([target]) + rest)
    words = folder / "words"
    words.write_text("".join('"{}"\n'.format(word.replace('"', '\\"')) for word in WORDS), encoding="ascii")
    return words


def main() -> None:
    """Start libFuzzer with the command-line arguments and our defaults."""
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
    sys.stderr.write(f"fuzz_tokens: seeds and results in {folder}\n")
    atheris.Setup([sys.argv[0], *given, *arguments, *corpus], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
