"""A PostgreSQL cluster and Aegra servers, for all tests of this folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import pytest
from aegra.install import AEGRA
from aegra.server import CONFIGURATION, AegraServer, running_aegra, write_configuration
from kit import postgres_server as kit_postgres
from kit.live_server import SampleUser
from kit.requirements import skip_or_fail

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROLES = {
    "editor": ["threads:write", "assistants:write", "crons:write", "store:write"],
    "viewer": ["threads:read", "assistants:read", "crons:read", "store:read"],
    "administrator": ["*"],
    "limited": {"permissions": ["threads:write", "assistants:write", "crons:write"], "graphs": ["agent"]},
}


def configuration_for(issuer: LocalIssuer, **tables: Any) -> dict[str, Any]:
    """Return a configuration with roles in the claim ``roles``, and the tenant in ``org``.

    The claim can also have the names of permissions.
    """
    return {
        "issuer": {
            "preset": "generic",
            "issuer": issuer.url,
            "audience": "agents",
            "tenant": "org",
            "claims": ["email"],
            "display_name": "name",
            # With inline keys, the server needs no provider.
            "jwks": issuer.key_set(),
            "permission_map": [
                {"claim": "roles", "values": {role: [role] for role in ROLES}},
                {"claim": "permissions", "accept": ["*"]},
                {"claim": "scope", "values": {"agents:write": ["editor"]}},
            ],
        },
        "roles": dict(ROLES),
        **tables,
    }


@pytest.fixture(scope="session")
def aegra_python() -> Path:
    """Return the interpreter of Aegra, which is installed once."""
    required = "aegra" in os.environ.get("OIDC_AUTH_REQUIRE", "").split(",")
    skip_or_fail("aegra", AEGRA.missing_requirement(may_download=required))
    return AEGRA.install()


@pytest.fixture(scope="session")
def postgres() -> Iterator[kit_postgres.PostgresServer]:
    skip_or_fail("postgres", kit_postgres.missing_requirement())
    with kit_postgres.running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def aegra_issuer() -> LocalIssuer:
    """Return a provider with keys that are fast to create."""
    return LocalIssuer(algorithm="ES256")


@pytest.fixture
def issuer(aegra_issuer: LocalIssuer) -> LocalIssuer:
    return aegra_issuer


@pytest.fixture(scope="session")
def aegra(
    aegra_python: Path,
    postgres: kit_postgres.PostgresServer,
    aegra_issuer: LocalIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AegraServer]:
    """Return a protected server for all tests that do not change its configuration."""
    folder = tmp_path_factory.mktemp("aegra")
    write_configuration(folder, configuration_for(aegra_issuer))
    database = postgres.create_database("aegra")
    with running_aegra(aegra_python, folder, database, {"OIDC_AUTH_CONFIG": CONFIGURATION}) as server:
        yield server


@pytest.fixture(scope="session")
def user(aegra: AegraServer, aegra_issuer: LocalIssuer) -> Callable[..., SampleUser]:
    """Return a function that makes a user with these roles."""

    def make(subject: str, /, *roles: str, tenant: str | None = "acme", **claims: Any) -> SampleUser:
        token = aegra_issuer.token(subject, roles=list(roles), org=tenant, **claims)
        return SampleUser(cast("Any", aegra), subject, token)

    return make


@pytest.fixture
def alice(user: Callable[..., SampleUser]) -> SampleUser:
    return user("alice", "editor")


@pytest.fixture
def bob(user: Callable[..., SampleUser]) -> SampleUser:
    return user("bob", "editor")
