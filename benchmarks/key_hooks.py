"""The libraries that ``keys.py`` compares, each behind one function, in a process of its own.

Every one is used as its documentation shows, with its defaults. Each is imported after the clocks were replaced.
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
"""Takes a token and returns something true; None, or an exception, refuses it."""

AUDIENCE = "agents"
ALGORITHM = "RS256"
PAUSE = 0.005
"""Seconds between two valid requests beside a crowd."""


class Moved:
    """The clocks of this process, which can be set forward: lifetimes pass without anybody waiting."""

    seconds = 0.0

    @classmethod
    def install(cls) -> None:
        """Replace the clocks, before a library takes hold of one."""
        for name in ("time", "monotonic"):
            setattr(time, name, cls._moved(getattr(time, name)))

    @classmethod
    def _moved(cls, clock: Callable[[], float]) -> Callable[[], float]:
        return lambda: clock() + cls.seconds


def ours(issuer: str, keys: str) -> Hook:
    """Return our authenticator: it also reads the request's headers, maps claims to permissions and remembers."""
    grant = {"claim": "realm_access.roles", "values": {"agent-user": ["threads:write", "store:write"]}}
    named = {
        "issuer": issuer,
        "audience": AUDIENCE,
        "algorithms": [ALGORITHM],
        "jwks_uri": keys,
        "permission_map": grant,
    }
    oidc = import_module("oidc_auth").OIDCAuth.from_dict({"issuer": named})

    async def verify(token: str) -> object:
        # What a server does with a request; reading it is a part of ours, and none of the others'.
        return await oidc.authenticate([(b"authorization", b"Bearer " + token.encode())])

    return verify


def pyjwt(issuer: str, keys: str) -> Hook:
    """Return PyJWT's client, called on the event loop."""
    check = _pyjwt(issuer, keys)

    async def verify(token: str) -> object:
        return check(token)

    return verify


def pyjwt_in_a_thread(issuer: str, keys: str) -> Hook:
    """Return PyJWT's client, called in a thread."""
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
"""What must be installed for a hook; PyJWT is, with us."""


class Host:
    """Asks one library, and watches the event loop meanwhile."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    async def accepts(self, token: str) -> bool:
        """Tell whether the library accepts a token; whatever it raises refuses."""
        try:
            return bool(await self._hook(token))
        except Exception:  # noqa: BLE001 - each library has errors of its own
            return False

    async def concurrent(self, tokens: list[str], beside: list[str]) -> dict[str, Any]:
        """Let ``tokens`` come at once, and ``beside`` one after another; milliseconds."""
        gc.collect()
        waits = asyncio.ensure_future(self._one_by_one(beside))
        start = time.perf_counter()
        everybody = asyncio.gather(*(self.accepts(token) for token in tokens))
        block = await _longest_block(everybody)
        answered = (time.perf_counter() - start) * 1e3
        accepted, slowest = await waits
        return {
            "accepted": sum(await everybody), "answered": answered, "block": block,
            "beside": accepted, "slowest": slowest,
        }  # fmt: skip

    async def _one_by_one(self, tokens: list[str]) -> tuple[int, float]:
        # A request's wait counts from when it was due, whatever held the loop up.
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
    """Answer the driver's lines: a crowd, or that time has passed."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        Moved.seconds += asked["later"]
        answer = await host.concurrent(asked["tokens"], asked["beside"])
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Host one library: ``python key_hooks.py NAME ISSUER KEYS_URL``."""
    logging.disable(logging.CRITICAL)
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=HOOKS, help="the library")
    parser.add_argument("issuer", help="the issuer of the tokens")
    parser.add_argument("keys", metavar="KEYS_URL", help="the address of the key set")
    given = parser.parse_args()
    Moved.install()
    asyncio.run(serve(Host(HOOKS[given.name](given.issuer, given.keys))))


if __name__ == "__main__":
    main()
