"""Debian's package `glewlwyd` as a second real OpenID provider on the loopback address. It is written in C.

Example:

    with running_glewlwyd(folder) as provider:
        token = provider.client_credentials("threads:write")

Debian's database has the administrator `admin` with the password `password`. The administration API adds everything
else (/usr/share/doc/glewlwyd/API.md.gz).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from joserfc.jwk import JWKRegistry
from real_providers.relying_party import (
    AUDIENCE,
    MACHINE_CLIENT,
    OTHER_AUDIENCE,
    REDIRECT_URI,
    WEB_CLIENT,
    Login,
    http_client,
)

if TYPE_CHECKING:
    from collections.abc import Generator

PROGRAM = "glewlwyd"
INSTALL = "apt-get install --no-install-recommends glewlwyd"
MODULES = Path("/usr/lib/glewlwyd")
SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
ADMINISTRATOR = {"username": "admin", "password": "password"}
ALICE = {"username": "alice", "password": "wonderland"}
SCOPES = ("threads:read", "threads:write")

START_SECONDS = 10.0
STOP_SECONDS = 5.0
LOOK_EVERY = 0.02

KEY_TYPES: dict[str, tuple[str, int | str]] = {
    "RS256": ("RSA", 2048),
    "PS256": ("RSA", 2048),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}

# Only settings that differ from a default or have none. /etc/glewlwyd/glewlwyd.conf has the whole list.
CONFIGURATION = """
port = {port}
bind_address = "127.0.0.1"
external_url = "http://127.0.0.1:{port}/"
log_mode = "console"
log_level = "WARNING"
session_key = "GLEWLWYD2_SESSION_ID"
admin_scope = "g_admin"
profile_scope = "g_profile"
login_api_enabled = true
hash_algorithm = "SHA512"
user_module_path = "{modules}/user"
client_module_path = "{modules}/client"
user_auth_scheme_module_path = "{modules}/scheme"
plugin_module_path = "{modules}/plugin"
database = {{ type = "sqlite3"; path = "{database}"; }};
"""


class GlewlwydError(Exception):
    """The provider did not start, or it refused a request of a test."""


def missing_requirement() -> str | None:
    """Return why the provider cannot run on this machine, or `None`."""
    if shutil.which(PROGRAM) is None:
        return f"glewlwyd is not installed: {INSTALL}"
    absent = [str(path) for path in (MODULES, SCHEMA) if not path.exists()]
    return f"glewlwyd is not Debian's: {' and '.join(absent)} must exist ({INSTALL})" if absent else None


class Glewlwyd:
    """A running provider with the user `alice` and the clients `m2m` (a secret) and `web` (public, PKCE).

    Args:
        address: its address.
        admin: an HTTP client for its API. After `set_up`, it is logged in as the administrator.
    """

    def __init__(self, address: str, admin: httpx.Client) -> None:
        self.issuer = f"{address}/api/oidc"
        self._address = address
        self._admin = admin
        self._numbers = count(1)
        self._keys: list[dict[str, Any]] = []

    def set_up(self) -> None:
        """Log in as the administrator, and create scopes, clients, the user and the OpenID plugin."""
        self._request("POST", "auth/", ADMINISTRATOR)
        for scope in SCOPES:
            self._request("POST", "scope/", {"name": scope, "display_name": scope, "password_required": False})
        self._request("POST", "user/", {**ALICE, "enabled": True, "scope": ["openid", *SCOPES]})
        self._request("POST", "client/", _machine_client())
        self._request("POST", "client/", _web_client())
        self._keys = [_new_key("RS256", next(self._numbers))]
        self._request("POST", "mod/plugin/", {**self._plugin(), "enabled": True})

    def client_credentials(self, scope: str, *, resource: str = AUDIENCE) -> str:
        """Return an access token of the machine client."""
        name, secret = MACHINE_CLIENT
        form = {"grant_type": "client_credentials", "scope": scope, "client_id": name, "client_secret": secret}
        return str(self._token({**form, "resource": resource} if resource else form)["access_token"])

    def user_tokens(self, scope: str, *, resource: str = AUDIENCE) -> dict[str, Any]:
        """Return the answer of the token endpoint for alice, with `access_token` and `id_token`."""
        login = Login(scope, resource)
        with http_client(f"{self._address}/api/") as browser:
            _checked(browser.post("auth/", json=ALICE))
            _checked(browser.put(f"auth/grant/{WEB_CLIENT}", json={"scope": f"openid {scope}"}))
            # Its login page adds g_continue after login and consent.
            reply = browser.get("oidc/auth", params={**login.query(), "g_continue": ""})
        code = login.code(httpx.URL(reply.headers.get("location", "")))
        if not code:
            raise GlewlwydError(f"the authorization endpoint refused: {reply.status_code} {reply.headers}")
        return self._token(login.form(code))

    def rotate(self, alg: str, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on. The old keys stay published, or are removed."""
        self._keys = [_new_key(alg, next(self._numbers)), *(self._keys if keep_old else [])]
        self._request("PUT", "mod/plugin/oidc", self._plugin())
        self._request("PUT", "mod/plugin/oidc/reset")

    def _plugin(self) -> dict[str, Any]:
        parameters = {
            "iss": self.issuer,
            # The first key signs, and all keys are published.
            "jwks-private": json.dumps({"keys": self._keys}),
            "jwks-show": True,
            "access-token-duration": 300,
            "refresh-token-duration": 600,
            "code-duration": 60,
            "refresh-token-rolling": False,
            "subject-type": "public",
            # Client credentials are OAuth, not OpenID Connect.
            "allow-non-oidc": True,
            "auth-type-client-enabled": True,
            "auth-type-code-enabled": True,
            **dict.fromkeys(
                [f"auth-type-{kind}-enabled" for kind in ("token", "implicit", "password", "refresh")], False
            ),
            "pkce-allowed": True,
            # RFC 8707: without a resource, aud is the scope.
            "resource-allowed": True,
            "resource-scope": {},
            "resource-client-property": "resource",
            "resource-scope-and-client-property": False,
            "scope": [],
        }
        return {"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "parameters": parameters}

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        with http_client() as client:
            body: dict[str, Any] = _checked(client.post(f"{self.issuer}/token", data=form)).json()
        return body

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        _checked(self._admin.request(method, path, json=body))


@contextmanager
def running_glewlwyd(folder: Path) -> Generator[Glewlwyd]:
    """Run a provider within the context. Its database, configuration and log are in `folder`."""
    port = _free_port()
    database = folder / "glewlwyd.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SCHEMA.read_text("utf-8"))
    configuration = folder / "glewlwyd.conf"
    configuration.write_text(CONFIGURATION.format(port=port, modules=MODULES, database=database), "utf-8")
    log = folder / "glewlwyd.log"
    address = f"http://127.0.0.1:{port}"
    with (
        _running([PROGRAM, "--config-file", str(configuration)], log) as process,
        http_client(f"{address}/api/") as admin,
    ):
        _wait_until_ready(process, admin, log)
        provider = Glewlwyd(address, admin)
        provider.set_up()
        yield provider


@contextmanager
def _running(command: list[str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as output,
        # A separate group, so that all its processes end with it.
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as process,  # noqa: S603 - Debian's
    ):
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(process: subprocess.Popen[bytes], admin: httpx.Client, log: Path) -> None:
    for _ in range(round(START_SECONDS / LOOK_EVERY)):
        try:
            # This wait is also the pause between two attempts to connect.
            process.wait(LOOK_EVERY)
        except subprocess.TimeoutExpired:
            if _answers(admin):
                return
        else:
            break
    raise GlewlwydError(f"glewlwyd did not start:\n{log.read_text('utf-8', 'replace')}")


def _answers(admin: httpx.Client) -> bool:
    try:
        admin.get("auth/")
    except httpx.TransportError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _new_key(alg: str, number: int) -> dict[str, Any]:
    kind, size = KEY_TYPES[alg]
    key = JWKRegistry.generate_key(kind, size, {"kid": f"{alg}-{number}", "alg": alg}, private=True)
    return dict(key.as_dict(private=True))


def _machine_client() -> dict[str, Any]:
    name, secret = MACHINE_CLIENT
    return {
        "client_id": name,
        "client_secret": secret,
        "confidential": True,
        "enabled": True,
        "token_endpoint_auth_method": ["client_secret_post"],
        "authorization_type": ["client_credentials"],
        "scope": list(SCOPES),
        "resource": [AUDIENCE, OTHER_AUDIENCE],
        "redirect_uri": [],
    }


def _web_client() -> dict[str, Any]:
    return {
        "client_id": WEB_CLIENT,
        "confidential": False,
        "enabled": True,
        "token_endpoint_auth_method": ["none"],
        "authorization_type": ["code"],
        "scope": [],
        "resource": [AUDIENCE],
        "redirect_uri": [REDIRECT_URI],
    }


def _checked(reply: httpx.Response) -> httpx.Response:
    if reply.status_code != httpx.codes.OK:
        raise GlewlwydError(f"{reply.request.method} {reply.url} answered {reply.status_code}: {reply.text[:2000]}")
    return reply
