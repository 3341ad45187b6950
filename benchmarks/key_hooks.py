"""Run one library for ``keys.py``, in a separate process.

Each library is used as its documentation shows, with its defaults. It is imported after the clocks are replaced.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, cast

Hook = Callable[[str], Awaitable[object]]
"""Returns a true value for a valid token. A false value or an exception rejects the token."""

AUDIENCE = "agents"
ALGORITHM = "RS256"
PAUSE = 0.005
"""Seconds between two valid requests during a burst."""


class ShiftedClocks:
    """The clocks of this process, which the benchmark moves forward."""

    seconds = 0.0

    @classmethod
    def install(cls) -> None:
        """Replace the clocks before a library is imported."""
        for name in ("time", "monotonic"):
            setattr(time, name, cls._shift(getattr(time, name)))

    @classmethod
    def _shift(cls, clock: Callable[[], float]) -> Callable[[], float]:
        return lambda: clock() + cls.seconds


def ours(issuer: str, keys: str) -> Hook:
    """Return our verification, which also reads headers, maps claims and caches tokens."""
    permission_map = {"claim": "realm_access.roles", "values": {"agent-user": ["threads:write", "store:write"]}}
    table = {
        "issuer": issuer,
        "audience": AUDIENCE,
        "algorithms": [ALGORITHM],
        "jwks_uri": keys,
        "permission_map": permission_map,
    }
    oidc = import_module("oidc_auth").OIDCAuth.from_dict({"issuer": table})

    async def verify(token: str) -> object:
        # The other libraries take the token, ours reads it from the headers.
        return await oidc.authenticate([(b"authorization", b"Bearer " + token.encode())])

    return verify


def pyjwt(issuer: str, keys: str) -> Hook:
    """Return PyJWT's client, which blocks the event loop."""
    check = _pyjwt(issuer, keys)

    async def verify(token: str) -> object:
        return check(token)

    return verify


def pyjwt_in_a_thread(issuer: str, keys: str) -> Hook:
    """Return PyJWT's client in a thread."""
    check = _pyjwt(issuer, keys)
    return lambda token: asyncio.to_thread(check, token)


def _pyjwt(issuer: str, keys: str) -> Callable[[str], object]:
    jwt = import_module("jwt")
    client = jwt.PyJWKClient(keys)

    def check(token: str) -> object:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=issuer)

    return check


def ryjwt(issuer: str, keys: str) -> Hook:
    """Return ryjwt's client (Rust)."""
    client = import_module("ryjwt").JWKSClient(keys, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=issuer)
    return cast("Hook", client.adecode)


def fastmcp(issuer: str, keys: str) -> Hook:
    """Return FastMCP's verifier."""
    library = import_module("fastmcp.server.auth.providers.jwt")
    verifier = library.JWTVerifier(jwks_uri=keys, issuer=issuer, audience=AUDIENCE, algorithm=ALGORITHM)
    return cast("Hook", verifier.verify_token)


def jwks_client(issuer: str, keys: str) -> Hook:
    """Return jwks-client's verifier."""
    library = import_module("jwks_client")
    client = library.JWKSClient(keys)
    verifier = library.JWTVerifier(client, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=issuer)
    return cast("Hook", verifier.verify)


def auth_jwks(issuer: str, keys: str) -> Hook:
    """Return auth-jwks's verifier."""
    library = import_module("auth_jwks.jwt_validation")
    verifier = library.JWKS(jwks_uri=keys, issuer=issuer, aud=AUDIENCE, allowed_algorithms={ALGORITHM})
    return cast("Hook", verifier.verify_token)


HOOKS: dict[str, Callable[[str, str], Hook]] = {
    "ours": ours,
    "ryjwt": ryjwt,
    "fastmcp": fastmcp,
    "jwks-client": jwks_client,
    "auth-jwks": auth_jwks,
    "PyJWT": pyjwt,
    "PyJWT in a thread": pyjwt_in_a_thread,
}
MODULES = {"ryjwt": "ryjwt", "fastmcp": "fastmcp", "jwks-client": "jwks_client", "auth-jwks": "auth_jwks"}
"""The module that a hook needs. PyJWT is a dependency of this library."""


class Host:
    """Runs one library and measures how long it blocks the event loop."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    async def accepts(self, token: str) -> bool:
        """Tell whether the library accepts a token."""
        try:
            return bool(await self._hook(token))
        except Exception:  # noqa: BLE001 - each library has its own errors
            return False

    async def run_burst(self, tokens: list[str], valid: list[str]) -> dict[str, Any]:
        """Verify ``tokens`` concurrently and ``valid`` one after another. Times are in milliseconds."""
        # A garbage collection during the burst would change the result by chance.
        gc.collect()
        sequence = asyncio.ensure_future(self._one_by_one(valid))
        start = time.perf_counter()
        burst = asyncio.gather(*(self.accepts(token) for token in tokens))
        block = await _longest_block(burst)
        answered = (time.perf_counter() - start) * 1e3
        accepted, slowest = await sequence
        return {
            "accepted": sum(await burst), "answered": answered, "block": block,
            "valid": accepted, "slowest": slowest,
        }  # fmt: skip

    async def _one_by_one(self, tokens: list[str]) -> tuple[int, float]:
        # A request's time counts from its due time, so a blocked event loop counts too.
        start, accepted, slowest = time.perf_counter(), 0, 0.0
        for number, token in enumerate(tokens, 1):
            due = start + PAUSE * number
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            accepted += await self.accepts(token)
            slowest = max(slowest, time.perf_counter() - due)
        return accepted, slowest * 1e3


async def _longest_block(work: asyncio.Future[Any]) -> float:
    longest, woken = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0.001)
        longest, woken = max(longest, time.perf_counter() - woken - 0.001), time.perf_counter()
    return longest * 1e3


async def serve(host: Host) -> None:
    """Read one burst per line of stdin, and write its result to stdout."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        burst = json.loads(line)
        ShiftedClocks.seconds += burst["later"]
        answer = await host.run_burst(burst["tokens"], burst["valid"])
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Run ``python key_hooks.py NAME ISSUER KEYS_URL``."""
    logging.disable(logging.CRITICAL)
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=HOOKS, help="the library")
    parser.add_argument("issuer", help="the issuer of the tokens")
    parser.add_argument("keys", metavar="KEYS_URL", help="the address of the key set")
    arguments = parser.parse_args()
    ShiftedClocks.install()
    asyncio.run(serve(Host(HOOKS[arguments.name](arguments.issuer, arguments.keys))))


if __name__ == "__main__":
    main()
