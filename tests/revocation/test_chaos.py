"""Two real servers on one Redis that is killed again and again while users are revoked.

OIDC_AUTH_CHAOS_ROUNDS=10 pytest tests/revocation/test_chaos.py is the long version.
"""

from __future__ import annotations

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.sample_users import user_token

from oidc_auth.revocation.security_events import SESSION_REVOKED
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from kit.redis_server import RedisServer

ROUNDS = int(os.environ.get("OIDC_AUTH_CHAOS_ROUNDS", "3"))
REVOKED_PER_ROUND = 6
SPARED = 15
HOUR = 3_600


class Deployment:
    """Two servers with one provider and one Redis."""

    def __init__(self, folder: Path, redis: RedisServer, stack: ExitStack) -> None:
        # They need a server, which the test of the lowest versions does not have.
        from kit.uvicorn_server import environment, running_uvicorn
        from kit.web_server import PUBLIC_URL, WEB_APP

        self.issuer = LocalIssuer("https://issuer.test", algorithm="ES256")

        def start(name: str) -> httpx.Client:
            place = folder / name
            place.mkdir()
            environ = environment(place, self.issuer, app=WEB_APP)
            file = Path(environ["OIDC_AUTH_CONFIG"])
            tables = json.loads(file.read_text("utf-8"))
            tables |= {"web": {"public_url": PUBLIC_URL}, "revocation": {"store": redis.address}}
            file.write_text(json.dumps(tables), "utf-8")
            host, port = stack.enter_context(running_uvicorn(place, environ, "asyncio"))
            return stack.enter_context(httpx.Client(base_url=f"http://{host}:{port}", timeout=20))

        with ThreadPoolExecutor(2) as pool:
            self.servers = [*pool.map(start, ("one", "two"))]

    def token(self, name: str) -> str:
        return user_token(self.issuer, name, "editor", exp=int(time.time()) + HOUR)

    def revoke(self, server: httpx.Client, name: str) -> int:
        """Send a security event to one server."""
        claims: dict[str, Any] = {
            "jti": f"{name}-{random.random()}",  # noqa: S311 - no secret
            "exp": None,
            "events": {SESSION_REVOKED: {}},
            "sub_id": {"format": "iss_sub", "iss": self.issuer.url, "sub": name},
        }
        event = self.issuer.token(None, header={"typ": "secevent+jwt"}, **claims)
        headers = {"content-type": "application/secevent+jwt"}
        return server.post("/auth/security-events", content=event, headers=headers).status_code

    def statuses(self, tokens: dict[str, str]) -> list[dict[str, int]]:
        """Return the answers of both servers to each token."""

        def status(server: httpx.Client, token: str) -> int:
            return server.get("/auth/whoami", headers={"authorization": f"Bearer {token}"}).status_code

        return [{name: status(server, token) for name, token in tokens.items()} for server in self.servers]


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_killed_redis_loses_no_revocation(redis_server: RedisServer, tmp_path: Path) -> None:
    pytest.importorskip("langgraph_api")
    choose = random.Random(7)  # noqa: S311 - no secret
    with ExitStack() as stack:
        deployment = Deployment(tmp_path, redis_server, stack)
        revoked = [f"revoked-{number}" for number in range(ROUNDS * REVOKED_PER_ROUND)]
        spared = [f"spared-{number}" for number in range(SPARED)]
        tokens = {name: deployment.token(name) for name in (*revoked, *spared)}
        assert {*deployment.statuses(tokens)[0].values()} == {200}
        answers: set[int] = set()
        for start in range(0, len(revoked), REVOKED_PER_ROUND):
            names = revoked[start : start + REVOKED_PER_ROUND]
            kill_at, start_at = sorted(choose.sample(range(REVOKED_PER_ROUND + 1), 2))
            for step, name in enumerate(names):
                if step == kill_at:
                    redis_server.kill()
                if step == start_at:
                    redis_server.start(keep_data=choose.random() < 0.5)
                answers.add(deployment.revoke(choose.choice(deployment.servers), name))
            # Other users are not affected.
            known = {name: tokens[name] for name in choose.sample(spared, 3)}
            assert all({*each.values()} == {200} for each in deployment.statuses(known))
            if start_at == REVOKED_PER_ROUND:
                redis_server.start(keep_data=choose.random() < 0.5)
        expected = {**dict.fromkeys(revoked, 401), **dict.fromkeys(spared, 200)}
        end = time.monotonic() + 15
        while deployment.statuses(tokens) != [expected, expected]:
            assert time.monotonic() < end, [
                {name: status for name, status in each.items() if status != expected[name]}
                for each in deployment.statuses(tokens)
            ]
    # The provider hears which notices the store has not confirmed.
    assert answers <= {202, 503}
    assert 202 in answers
