"""The compose example as processes: its Redis command, its configuration and its variables, with a real Keycloak.

Not run here: the containers, PostgreSQL and the licensed image of the server. ``langgraph dev`` runs in its place.
"""

from __future__ import annotations

import shlex
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import yaml
from kit.examples import EXAMPLES
from kit.redis_server import running_redis
from real_providers.keycloak.realm import WEB_CLIENT, Realm, decoded

from oidc_auth.cli.dev_server import running_dev_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = EXAMPLES / "compose"


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((EXAMPLE / "compose.yaml").read_text("utf-8"))["services"]
    return found


def redis_options() -> list[str]:
    program, *options = shlex.split(services()["redis"]["command"])
    assert program == "redis-server"
    return options


@contextmanager
def running_example(folder: Path, realm: Realm) -> Iterator[httpx.Client]:
    """Run the server of the example. Addresses of containers are replaced by those of the processes."""
    copy = folder / "example"
    shutil.copytree(EXAMPLE, copy)
    toml = copy / "oidc-auth.toml"
    text = toml.read_text("utf-8")
    address = realm.issuer.removesuffix("/realms/acme")
    for name in ("http://localhost:8080", "http://keycloak:8080"):
        assert name in text
        text = text.replace(name, address)
    toml.write_text(text, "utf-8")
    with running_redis(folder / "redis", *redis_options()) as redis:
        environment = services()["server"]["environment"]
        assert environment["REVOCATION_STORE"] == "redis://redis:6379/1"
        variables = {**environment, "REVOCATION_STORE": f"{redis.address}/1"}
        # The server would use these two as its own database.
        del variables["DATABASE_URI"], variables["REDIS_URI"]
        (folder / "run").mkdir()
        with (
            running_dev_server(copy, folder / "run", variables) as server,
            httpx.Client(base_url=server.url, timeout=20) as client,
        ):
            yield client


def test_compose_example_works_as_processes(realm: Realm, tmp_path: Path) -> None:
    tokens = realm.login("alice")
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    with running_example(tmp_path, realm) as client:
        assert client.get("/auth/ready").status_code == 200
        metadata = client.get("/.well-known/oauth-protected-resource").json()
        assert metadata["resource"] == "http://localhost:8123"
        assert client.post("/threads", json={}).status_code == 401
        assert client.post("/threads", json={}, headers=headers).status_code == 200
        logout_token_receiver = f"{client.base_url}/auth/backchannel-logout"
        attributes = {"backchannel.logout.url": logout_token_receiver, "backchannel.logout.session.required": "true"}
        realm.change(realm.client(WEB_CLIENT), frontchannelLogout=False, attributes=attributes)
        try:
            realm.admin("DELETE", f"/sessions/{decoded(tokens['access_token'])[1]['sid']}")
            # Keycloak answers after it has sent the notice, and the store confirms the notice before.
            assert client.post("/threads", json={}, headers=headers).status_code == 401
        finally:
            realm.change(realm.client(WEB_CLIENT), attributes={"backchannel.logout.url": ""})
