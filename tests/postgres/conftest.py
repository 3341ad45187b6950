"""Two replicas of a server on one PostgreSQL and one Redis."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from kit import postgres_server as kit_postgres
from kit.live_server import SampleUser
from kit.redis_server import running_redis
from kit.requirements import skip_or_fail
from postgres.install import LANGHOST
from postgres.replica import Replica, running_replica

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = "agents-web"
ROLES = {
    "editor": ["threads:write", "assistants:read", "crons:write", "store:write"],
    "administrator": ["*@all"],
}


class Deployment(NamedTuple):
    """Two replicas and their provider."""

    first: Replica
    second: Replica
    issuer: LocalIssuer

    def user(self, subject: str, role: str = "editor", tenant: str = "acme", **claims: Any) -> tuple[SampleUser, ...]:
        """Return a user at the first replica, and the same user at the second one."""
        token = self.issuer.token(subject, roles=[role], org=tenant, **claims)
        return tuple(SampleUser(cast("Any", replica), subject, token) for replica in (self.first, self.second))


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start PostgreSQL, Redis and two replicas."""
    # Never installed by a test, because the tests of this folder are optional.
    skip_or_fail("langhost", LANGHOST.missing_requirement(may_download=False))
    skip_or_fail("langhost", kit_postgres.missing_requirement())
    issuer, folder = LocalIssuer(algorithm="ES256"), tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        postgres = stack.enter_context(kit_postgres.running_postgres())
        redis = stack.enter_context(running_redis(folder / "redis"))
        environ = {
            "DATABASE_URI": f"{postgres.create_database('replicas')}?sslmode=disable",
            "REDIS_URI": f"{redis.address}/0",
        }
        configuration = configuration_for(issuer, f"{redis.address}/1")
        first, second = (
            stack.enter_context(running_replica(LANGHOST.install(), folder / name, configuration, environ))
            for name in ("first", "second")
        )
        yield Deployment(first, second, issuer)


def configuration_for(issuer: LocalIssuer, revocations: str) -> dict[str, Any]:
    """Return the configuration of both replicas."""
    return {
        "issuer": {
            "preset": "generic",
            "issuer": issuer.url,
            "audience": "agents",
            "tenant": "org",
            # With inline keys, the servers need no provider.
            "jwks": issuer.key_set(),
            "logout_clients": [CLIENT],
            "permission_map": [{"claim": "roles", "values": {role: [role] for role in ROLES}}],
        },
        "roles": ROLES,
        "web": {"public_url": "http://localhost:2024"},
        "revocation": {"store": revocations},
    }
