"""Requests to Keycloak: tokens for clients, and calls of the administrator."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any

import httpx
from real_providers.keycloak.login import logged_in
from real_providers.keycloak.process import KeycloakError

AUDIENCE = "langgraph-api"
WORKER = ("agents-worker", "worker-secret")
WEB_CLIENT = "agents-web"
CLI_CLIENT = "agents-cli"
REDIRECT_URI = "http://127.0.0.1:3000/callback"

# The token of the administrator is valid for one minute.
ADMIN_SECONDS = 40.0

AUDIENCE_MAPPER = {
    "name": "audience",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {"included.client.audience": AUDIENCE, "access.token.claim": "true", "id.token.claim": "false"},
}


class Realm:
    """The realm ``acme`` of a running Keycloak.

    Args:
        url: the address of Keycloak.
    """

    def __init__(self, url: str) -> None:
        self.issuer = f"{url}/realms/acme"
        self.endpoints = f"{self.issuer}/protocol/openid-connect"
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._admin: tuple[float, str] = (0.0, "")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Requests of clients.

    def tokens(self, **form: str) -> dict[str, Any]:
        """Send a form to the token endpoint, and return the answer."""
        return self._ok(self._http.post(f"{self.endpoints}/token", data=form)).json()  # type: ignore[no-any-return]

    def machine(self, client: str = WORKER[0]) -> str:
        """Return the access token of a service account."""
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": WORKER[1]}
        return str(self.tokens(**form)["access_token"])

    def direct(self, username: str, client: str = CLI_CLIENT, scope: str = "openid") -> dict[str, Any]:
        """Return the tokens of a user who gave the password to the client."""
        form = {"client_id": client, "username": username, "password": username, "scope": scope}
        return self.tokens(grant_type="password", **form)

    def user(self, username: str, client: str = CLI_CLIENT, scope: str = "openid") -> str:
        """Return the access token of such a user."""
        return str(self.direct(username, client, scope)["access_token"])

    def login(self, username: str, client: str = WEB_CLIENT, scope: str = "openid") -> dict[str, Any]:
        """Return the tokens of a user who logged in with authorization code and PKCE."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": REDIRECT_URI,
            "scope": scope,
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        code = logged_in(f"{self.endpoints}/auth", query, username)
        form = {"client_id": client, "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": verifier}
        return self.tokens(grant_type="authorization_code", **form)

    # Requests of the administrator.

    def admin(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        """Send one request of the admin API about this realm."""
        taken, token = self._admin
        if time.monotonic() > taken + ADMIN_SECONDS:
            form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
            reply = self._ok(self._http.post("/realms/master/protocol/openid-connect/token", data=form))
            token = reply.json()["access_token"]
            self._admin = (time.monotonic(), token)
        headers = {"authorization": f"Bearer {token}"}
        return self._ok(
            self._http.request(method, f"/admin/realms/acme{path}", json=body, params=query, headers=headers)
        )

    def change(self, path: str, **members: Any) -> None:
        """Change members of the object at a path. ``config`` and ``attributes`` are merged, and others are replaced."""
        now = self.admin("GET", path).json()
        for name, value in members.items():
            now[name] = {**now.get(name, {}), **value} if name in {"config", "attributes"} else value
        self.admin("PUT", path, now)

    def add_client(self, name: str, *mappers: Any, **settings: Any) -> str:
        """Create a confidential client with a service account, mappers and other settings, and return its path."""
        client = {"clientId": name, "secret": WORKER[1], "serviceAccountsEnabled": True, "protocolMappers": [*mappers]}
        return f"/clients/{created(self.admin('POST', '/clients', {**client, **settings}))}"

    def add_user(self, username: str) -> str:
        """Create a user with the permissions of alice, and return its path. The password is the user's name."""
        user = {
            "username": username,
            "enabled": True,
            "email": f"{username}@acme.test",
            "firstName": username.title(),
            "lastName": "Acme",
            "credentials": [{"type": "password", "value": username}],
        }
        path = f"/users/{created(self.admin('POST', '/users', user))}"
        self.admin("POST", f"{path}/role-mappings/realm", [self.admin("GET", "/roles/agent-user").json()])
        return path

    def log_out(self, **parameters: str) -> None:
        """Log a user out at the end session endpoint (OpenID Connect RP-Initiated Logout 1.0)."""
        self._ok(self._http.post(f"{self.endpoints}/logout", data=parameters))

    def revoke(self, token: str, client: str = WEB_CLIENT) -> None:
        """Revoke a token (RFC 7009)."""
        self._ok(self._http.post(f"{self.endpoints}/revoke", data={"token": token, "client_id": client}))

    def client(self, name: str) -> str:
        """Return the path of a client."""
        (found,) = self.admin("GET", "/clients", clientId=name).json()
        return f"/clients/{found['id']}"

    def scope(self, name: str) -> dict[str, Any]:
        """Return a client scope."""
        (found,) = [scope for scope in self.admin("GET", "/client-scopes").json() if scope["name"] == name]
        return found  # type: ignore[no-any-return]

    def person(self, username: str) -> str:
        """Return the path of a user."""
        (found,) = self.admin("GET", "/users", username=username, exact="true").json()
        return f"/users/{found['id']}"

    def kids(self) -> list[str]:
        """Return the ids of the published keys."""
        return [key["kid"] for key in self._ok(self._http.get(f"{self.endpoints}/certs")).json()["keys"]]

    def _ok(self, reply: httpx.Response) -> httpx.Response:
        if reply.is_success:
            return reply
        raise KeycloakError(f"{reply.request.method} {reply.url} answered {reply.status_code}: {reply.text[:1000]}")


def created(reply: httpx.Response) -> str:
    """Return the ID of the object that a POST of the admin API created."""
    return reply.headers["location"].rpartition("/")[2]


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a token's header and claims."""
    header, claims, _ = token.split(".")
    return _part(header), _part(claims)


def _part(segment: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))  # type: ignore[no-any-return]
