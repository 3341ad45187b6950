"""Authenticate this server at the introspection endpoint (RFC 6749 §2.3, RFC 7523 §2.2)."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ..json_values import is_object
from ..keys.fetch import FetchError
from ..quoting import list_examples

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BASIC = "client_secret_basic"
POST = "client_secret_post"
PRIVATE_KEY_JWT = "private_key_jwt"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 60
"""Seconds that an assertion is valid. It is used immediately."""
MIN_RSA_BITS = 2048
RSA_ALGORITHMS = ("RS256", "PS256", "RS384", "PS384", "RS512", "PS512")
EC_ALGORITHMS: Mapping[str, str] = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
METHODS_HINT = "Enable one of them for the client at the provider, or use the other kind of credential."


class ClientKeyError(ValueError):
    """A file holds no private key that can sign assertions. The message contains no part of the key."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client with a secret."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A client with a private key.

    Attributes:
        client_id: The client.
        algorithms: The algorithms that the key can sign with, the usual one first.
        kid: The key id for the header, or None.
    """

    client_id: str
    key: Any = field(repr=False)
    algorithms: tuple[str, ...]
    kid: str | None = None


Client = ClientSecret | ClientKey


class Credentials(NamedTuple):
    """What a request carries to authenticate this server. It is in no repr."""

    headers: Mapping[str, str]
    form: Mapping[str, str]

    def __repr__(self) -> str:
        """Return no secret."""
        return "Credentials(...)"


def make_credentials(
    client: Client,
    *,
    methods: Collection[str] | None,
    algorithms: Collection[str] | None,
    audience: str,
    now: float,
) -> Credentials:
    """Return the credentials for one request.

    Args:
        client: This server's client.
        methods: The methods that the provider supports, or None if its metadata have no list.
        algorithms: The algorithms that it accepts for assertions, or None.
        audience: The audience of an assertion: the issuer.
        now: The time in seconds since the epoch.

    Raises:
        FetchError: The provider supports no method of this client.
    """
    # The provider says which methods it supports. A client without one of them can never introspect a token.
    if isinstance(client, ClientKey):
        _require_supported(methods, (PRIVATE_KEY_JWT,), "introspection_endpoint_auth_methods_supported")
        return _assertion(client, algorithms, audience, now)
    # Each provider must support Basic for clients with a secret (RFC 6749 §2.3.1), so it is the default.
    if _require_supported(methods, (BASIC, POST), "introspection_endpoint_auth_methods_supported") == BASIC:
        # Both parts are form-encoded first. Without that, a colon in the client id would end it.
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        return Credentials({"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {})
    return Credentials({}, {"client_id": client.client_id, "client_secret": client.secret})


def _require_supported(supported: Collection[str] | None, wanted: tuple[str, ...], name: str) -> str:
    """Return the first wanted value that the provider supports."""
    if supported is None:
        return wanted[0]
    found = next((each for each in wanted if each in supported), None)
    if found is None:
        listed = list_examples(wanted)
        raise FetchError(f"{name} in the metadata has none of {listed}", hint=METHODS_HINT)
    return found


def _assertion(client: ClientKey, algorithms: Collection[str] | None, audience: str, now: float) -> Credentials:
    algorithm = _require_supported(
        algorithms, client.algorithms, "introspection_endpoint_auth_signing_alg_values_supported"
    )
    # RFC 7523 §3 requires these claims. Without nbf, a clock that is slow does not matter.
    issued = int(now)
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        # The issuer and not the address of the endpoint: another endpoint must not be able to use the assertion.
        "aud": audience,
        "iat": issued,
        "exp": issued + ASSERTION_LIFETIME,
        # The provider refuses a second use (RFC 7523 §3).
        "jti": secrets.token_urlsafe(32),
    }
    header = {"kid": client.kid} if client.kid is not None else {}
    assertion = jwt.encode(claims, client.key, algorithm, headers=header)
    form = {"client_id": client.client_id, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return Credentials({}, form)


def read_client_key(client_id: str, file: str) -> ClientKey:
    """Return the client with the private key of a file, which is PEM or a JWK.

    Raises:
        ClientKeyError: The file holds no private key that can sign.
    """
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        # Only the type, because the path is already in the message of the caller.
        raise ClientKeyError(f"cannot be read: {type(error).__name__}") from None
    if content.lstrip().startswith(b"{"):
        return _read_jwk(client_id, content)
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The error of the library can contain parts of the file.
        raise ClientKeyError("is neither an unencrypted PEM private key nor a private JWK") from None
    return ClientKey(client_id, key, _algorithms_of(key))


def _read_jwk(client_id: str, content: bytes) -> ClientKey:
    members = _parse_jwk(content)
    try:
        # Without alg, the library takes the usual one of the key, and alg is compared below.
        key = jwt.PyJWK({name: value for name, value in members.items() if name != "alg"}).key
    except (ValueError, TypeError, jwt.PyJWTError):
        key = None
    algorithms, kid, named = _algorithms_of(key), members.get("kid"), members.get("alg")
    if named is not None and named not in algorithms:
        raise ClientKeyError(f"has an alg that its key cannot sign with; expected one of {', '.join(algorithms)}")
    return ClientKey(
        client_id, key, (named,) if isinstance(named, str) else algorithms, kid if isinstance(kid, str) else None
    )


def _parse_jwk(content: bytes) -> dict[str, object]:
    try:
        parsed: object = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return parsed if is_object(parsed) else {}


def _algorithms_of(key: object) -> tuple[str, ...]:
    # Only asymmetric keys (RFC 8725 §3.2). With a shared secret, the provider could also sign as this server.
    if isinstance(key, rsa.RSAPrivateKey):
        # Providers refuse shorter keys (RFC 7518 §3.3).
        if key.key_size < MIN_RSA_BITS:
            raise ClientKeyError(f"has an RSA key of {key.key_size} bits; expected at least {MIN_RSA_BITS}")
        return RSA_ALGORITHMS
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ("EdDSA",)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in EC_ALGORITHMS:
        return (EC_ALGORITHMS[key.curve.name],)
    raise ClientKeyError("has no private key for signatures; expected RSA, P-256, P-384, P-521 or Ed25519")
