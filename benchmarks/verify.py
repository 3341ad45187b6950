"""Measure the time to verify a token, compared with ``jwt.decode`` and with the signature check alone.

Run ``python benchmarks/verify.py``. Each figure is a median of all rounds. Ratios are computed within a round, so a
change of the machine's speed does not affect them. No test runs this script.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import time
from argparse import ArgumentParser
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from oidc_auth import OIDCAuth, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import encode_base64url
from oidc_auth.tokens.states import PresentedToken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 15
TOKENS = 200
"""New tokens in each round."""
BATCH = 16
"""Calls per event-loop iteration."""
AUDIENCE = "agents"

CLAIMS: dict[str, Any] = {
    "typ": "Bearer",
    "azp": "web",
    "scope": "openid email profile",
    "sid": "0f1c3b4a-7a9a-4c2e-9d1b-6f7c8d9e0a1b",
    "name": "Alice Example",
    "preferred_username": "alice",
    "email": "alice@acme.example",
    "realm_access": {"roles": ["agent-user", "default-roles-acme", "offline_access", "uma_authorization"]},
    "resource_access": {f"client-{n}": {"roles": ["view-profile", "manage-account", "reader"]} for n in range(10)},
    "groups": [f"/department-{n}/team" for n in range(12)],
}
"""Claims of a token of the usual Keycloak size, about 2.2 kB."""


def table(issuer: LocalIssuer) -> dict[str, Any]:
    """Return a configuration with one permission map."""
    permission_map = {"claim": "realm_access.roles", "values": {"agent-user": ["threads:write", "store:write"]}}
    return {"issuer": {"issuer": issuer.url, "audience": AUDIENCE, "permission_map": permission_map}}


def headers(token: str) -> list[tuple[bytes, bytes]]:
    """Return request headers as a server passes them to the hook."""
    return [(b"host", b"agents.example"), (b"accept", b"*/*"), (b"authorization", f"Bearer {token}".encode())]


def segment(header: dict[str, Any]) -> str:
    """Return an encoded token header."""
    return encode_base64url(json.dumps(header, separators=(",", ":")).encode())


def unknown_kid_header(number: int) -> str:
    """Return an encoded token header with an unknown key id."""
    return segment({"alg": "RS256", "kid": f"unknown-{number}"})


async def authenticate_refused(oidc: OIDCAuth, sent: list[tuple[bytes, bytes]]) -> None:
    """Authenticate with a token that must be rejected."""
    try:
        await oidc.authenticate(sent)
    except TokenError:
        return
    raise AssertionError


async def time_calls(call: Callable[[Any], Awaitable[object]], inputs: list[Any]) -> float:
    """Return the time of one call, in microseconds."""
    # After each batch, the event loop runs other tasks, as in a server. That time does not count.
    spent = 0.0
    for first in range(0, len(inputs), BATCH):
        start = time.perf_counter()
        for each in inputs[first : first + BATCH]:
            await call(each)
        spent += time.perf_counter() - start
        await asyncio.sleep(0)
    return spent / len(inputs) * 1e6


class Bench:
    """The measured operations."""

    def __init__(self) -> None:
        self.issuer = LocalIssuer()
        self.key = jwt.PyJWK(self.issuer.keys[0].jwk())
        self.oidc = OIDCAuth.from_dict(table(self.issuer), fetcher=self.issuer)
        self.repeated = headers(self.issuer.token(**CLAIMS))
        self._number = 0

    def fresh(self) -> list[str]:
        """Return new tokens."""
        self._number += TOKENS
        return [self.issuer.token(jti=f"jti-{self._number + n:08d}-4c2e-9d1b", **CLAIMS) for n in range(TOKENS)]

    async def check_signature(self, token: str) -> None:
        """Split and decode the token, and verify only the signature."""
        signed, _, signature = token.rpartition(".")
        self.key.key.verify(urlsafe_b64decode(signature + "=="), signed.encode(), PKCS1v15(), SHA256())

    async def pyjwt(self, token: str) -> None:
        """Verify with PyJWT and a given key."""
        jwt.decode(token, self.key, algorithms=["RS256"], audience=AUDIENCE, issuer=self.issuer.url)

    async def verification(self, presented: PresentedToken) -> None:
        """Verify one token: what comes between its text and its claims, in our library."""
        await self.oidc._verifier.verify(presented, time.time())  # noqa: SLF001 - only this part of the public call

    async def cached(self, presented: PresentedToken) -> None:
        """Find a token among those seen before, its keys unchanged."""
        await self.oidc._find_cached(presented, time.time())  # noqa: SLF001 - as above

    async def refusal(self, sent: list[tuple[bytes, bytes]]) -> None:
        """Authenticate with a token that must be rejected."""
        await authenticate_refused(self.oidc, sent)

    async def round(self) -> dict[str, float]:
        """Measure everything once."""
        tokens = self.fresh()
        presented = [PresentedToken(scheme="bearer", token=token) for token in tokens]
        _, payload, signature = tokens[0].split(".")
        for n in range(3):
            # Use up the fetches for unknown key ids.
            await self.refusal(headers(f"{unknown_kid_header(n)}.{payload}.{signature}"))
        return {
            "signature check": await time_calls(self.check_signature, tokens),
            "jwt.decode with a given key": await time_calls(self.pyjwt, tokens),
            "new token: verification alone": await time_calls(self.verification, presented),
            "new token: authenticate": await time_calls(self.oidc.authenticate, [headers(t) for t in tokens]),
            "cached token: cache alone": await time_calls(self.cached, [presented[-1]] * 2000),
            "cached token: authenticate": await time_calls(self.oidc.authenticate, [self.repeated] * 2000),
            "rejecting 200 kB": await time_calls(self.refusal, [headers("A" * 200_000)] * 200),
            "rejecting alg HS256, 16 kB": await time_calls(
                self.refusal, [headers(f"{segment({'alg': 'HS256'})}.{'A' * 16_000}.AAAA")] * 200
            ),
            "rejecting an unknown kid, 16 kB": await time_calls(
                self.refusal, [headers(f"{unknown_kid_header(0)}.{'A' * 16_000}.AAAA")] * 200
            ),
        }


async def main() -> None:
    """Print the table."""
    ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    bench = Bench()
    await bench.oidc.authenticate(bench.repeated)
    rounds = [await bench.round() for _ in range(ROUNDS)]
    print(f"token of {len(bench.repeated[-1][1])} bytes, {ROUNDS} rounds, medians\n")
    print(f"{'':36}{'us':>8}{'x sign.':>9}{'x PyJWT':>9}")
    for name in rounds[0]:
        us = statistics.median(r[name] for r in rounds)
        bare = statistics.median(r[name] / r["signature check"] for r in rounds)
        pyjwt = statistics.median(r[name] / r["jwt.decode with a given key"] for r in rounds)
        print(f"{name:36}{us:8.1f}{bare:9.2f}{pyjwt:9.2f}")


if __name__ == "__main__":
    asyncio.run(main())
