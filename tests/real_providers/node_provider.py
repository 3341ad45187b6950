"""The certified npm package `oidc-provider` as a real OpenID provider on the loopback address.

Example:

    with NodeProvider() as provider:
        token = provider.user_token("alice", "threads:read")
"""

from __future__ import annotations

import html
import json
import queue
import re
import subprocess
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

import httpx
from real_providers.node_install import NodeProviderError, missing_requirement, node_executable, prepare
from real_providers.relying_party import AUDIENCE, MACHINE_CLIENT, REDIRECT_URI, Login, http_client

from oidc_auth.keys.fetch import Response

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

Alg = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
Shape = Literal["auth0", "auth0_rfc9068", "okta", "entra_v1", "entra_v2", "cognito"]

TENANT_CLAIM = "https://agents.example/tenant"

START_SECONDS = 20.0
STOP_SECONDS = 5.0
# A login has six requests: redirect, form, redirect, form, redirect, callback.
MOST_STEPS = 12


class Options(TypedDict, total=False):
    """The settings of a provider.

    Attributes:
        issuer: Its issuer, such as `https://acme.eu.auth0.com/`. The default is its address.
        path: The path of that address, such as `/` or `/realms/agents`.
        alg: The algorithm of the first key.
        ttl: The lifetime of an access token in seconds.
        shape: The provider whose access tokens it imitates (shapes.mjs).
        scopes: Additional scopes, separated by spaces.
        audiences: The name of each resource in `aud`.
        resources: Additional resources.
        registration: Whether clients may register, by RFC 7591 or with a client metadata document.
        documents: The client metadata documents by their URL, which is the client ID.
        refresh: Whether a login gives a refresh token without `offline_access`.
        client_keys: The public keys of the client `api-key`, which may introspect tokens.
        secret_method: The one way in which clients with a secret authenticate, instead of all of them.
        accounts: The claims in the access tokens of each user or client. They replace the default ones.
        logout: The address at which `web` receives logout tokens.
    """

    issuer: str
    path: str
    alg: Alg
    ttl: int
    shape: Shape
    scopes: str
    audiences: Mapping[str, str]
    resources: Sequence[str]
    registration: bool
    documents: Mapping[str, Mapping[str, object]]
    refresh: bool
    client_keys: list[dict[str, Any]]
    secret_method: str
    accounts: Mapping[str, Mapping[str, object]]
    logout: str


@dataclass(frozen=True)
class Detour:
    """A `Fetcher` that finds the public name of an issuer on the loopback address, as DNS would."""

    issuer: str
    address: str

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Send one request and return its answer."""
        found = url.replace(self.issuer, self.address, 1)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(method, found, headers=dict(headers), content=body)
        # The address of its keys then has the public name too.
        public = answer.content.replace(self.address.encode(), self.issuer.encode())
        return Response(answer.status_code, answer.headers, public)


class NodeProvider:
    """A context manager that starts and stops a provider.

    It has two clients: `m2m` with a secret, and `web`, which is public and uses PKCE. Any name can log in. `accounts`
    has the claims of each user's access tokens. Its default has alice, bob and victor.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self._options = options
        self._exit = ExitStack()
        self._http: httpx.Client
        self._log: IO[bytes]
        self._control = ""
        self.issuer = ""
        self.address = ""
        self.metadata: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Install the provider if necessary, and start it."""
        reason = missing_requirement()
        if reason is not None:
            raise NodeProviderError(reason)
        script = prepare()
        with ExitStack() as undo:
            # A file, because a full pipe without a reader would stop the provider. Opened for appending, because the
            # provider shares the position of the file, and reading moves it.
            self._log = undo.enter_context(tempfile.TemporaryFile("a+b"))
            ready = undo.enter_context(_running(script, self._options, self._log))
            try:
                hello = json.loads(ready.get(timeout=START_SECONDS))
            except (queue.Empty, ValueError) as error:
                raise self._error("the provider did not start") from error
            self.issuer, self.address, self._control = hello["issuer"], hello["address"], hello["control"]
            self._http = undo.enter_context(http_client())
            self.metadata = self._json(self._http.get(f"{self.address.rstrip('/')}/.well-known/openid-configuration"))
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the provider."""
        self._exit.close()

    def fetcher(self) -> Detour:
        """Return a fetcher that finds this provider at the address of its issuer."""
        return Detour(self.issuer, self.address)

    def client_credentials(self, scope: str, *, resource: str = AUDIENCE) -> str:
        """Return an access token of the machine client."""
        form = {"grant_type": "client_credentials", "scope": scope, "resource": resource}
        reply = self._http.post(self.metadata["token_endpoint"], data=form, auth=MACHINE_CLIENT)
        return str(self._granted(reply, scope)["access_token"])

    def user_token(self, username: str, scope: str, *, resource: str = AUDIENCE) -> str:
        """Return an access token of a user who logged in and consented."""
        return str(self.user_tokens(username, scope, resource=resource)["access_token"])

    def user_tokens(self, username: str, scope: str, *, resource: str = AUDIENCE) -> dict[str, Any]:
        """Return the answer of the token endpoint for such a user, with `access_token` and `id_token`."""
        # A new cookie jar, because the session of the previous user would log in.
        with http_client() as browser:
            return self.log_in(browser, username, scope, resource=resource)

    def log_in(self, browser: httpx.Client, username: str, scope: str, *, resource: str = AUDIENCE) -> dict[str, Any]:
        """Return the same for a browser, which keeps the session."""
        login = Login(scope, resource)
        form = login.form(self._code(browser, username, login))
        return self._granted(self._http.post(self.metadata["token_endpoint"], data=form), scope)

    def revoke(self, token: str, client: tuple[str, str] = MACHINE_CLIENT) -> None:
        """Revoke a token, as the client that received it. A public client has no secret."""
        name, secret = client
        form = {"token": token, "client_id": name, **({"client_secret": secret} if secret else {})}
        reply = self._http.post(self.metadata["revocation_endpoint"], data=form)
        if reply.status_code != 200:
            raise self._refusal(reply)

    def log_out(self, browser: httpx.Client, id_token: str) -> None:
        """End the session of a browser (OpenID Connect RP-Initiated Logout 1.0)."""
        page = browser.get(self.metadata["end_session_endpoint"], params={"id_token_hint": id_token})
        action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        secret = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        if action is None or secret is None:
            raise self._refusal(page)
        reply = browser.post(html.unescape(action[1]), data={"xsrf": secret[1], "logout": "yes"})
        if reply.is_error:
            raise self._refusal(reply)

    def rotate(self, alg: Alg, *, keep_old: bool = True) -> list[str]:
        """Sign with a new key from now on, and return the published kids, the new one first."""
        reply = self._http.post(f"{self._control}rotate", json={"alg": alg, "keep_old": keep_old})
        return [str(kid) for kid in self._json(reply)["kids"]]

    def set_ttl(self, ttl: int) -> None:
        """Set the lifetime of later access tokens in seconds."""
        self._json(self._http.post(f"{self._control}ttl", json={"ttl": ttl}))

    def kids(self) -> list[str]:
        """Return the published kids. The first one signs."""
        return [str(kid) for kid in self._json(self._http.get(f"{self._control}kids"))["kids"]]

    def _code(self, browser: httpx.Client, username: str, login: Login) -> str:
        """Log in and consent as a browser would, and return the authorization code."""
        reply = browser.get(self.metadata["authorization_endpoint"], params=login.query())
        for _ in range(MOST_STEPS):
            if not reply.is_redirect:
                reply = self._submit(browser, reply, username)
                continue
            target = reply.url.join(reply.headers["location"])
            if str(target).startswith(f"{REDIRECT_URI}?"):
                return self._callback(target, login)
            reply = browser.get(target)
        raise self._error(f"the login of {username} did not end: {reply.url}")

    def _submit(self, browser: httpx.Client, page: httpx.Response, username: str) -> httpx.Response:
        """Submit the form of a page, which is the login or the consent."""
        action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="(login|consent)"', page.text)
        if page.status_code != 200 or action is None or prompt is None:
            raise self._refusal(page)
        form = {"prompt": prompt[1]}
        if prompt[1] == "login":
            form |= {"login": username, "password": "any"}
        return browser.post(page.url.join(html.unescape(action[1])), data=form)

    def _callback(self, target: httpx.URL, login: Login) -> str:
        """Return the code in the address of the redirect to the client."""
        code = login.code(target)
        if not code:
            raise self._error(f"the authorization endpoint refused: {target.params}")
        return code

    def _granted(self, reply: httpx.Response, scope: str) -> dict[str, Any]:
        body = self._json(reply)
        # oidc-provider ignores unknown scopes, so a typing error would weaken a test.
        missing = set(scope.split()) - set(str(body.get("scope", "")).split())
        if missing:
            raise self._error(f"the provider did not grant {' '.join(sorted(missing))}")
        return body

    def _json(self, reply: httpx.Response) -> dict[str, Any]:
        if reply.status_code != 200:
            raise self._refusal(reply)
        body: dict[str, Any] = reply.json()
        return body

    def _refusal(self, reply: httpx.Response) -> NodeProviderError:
        return self._error(f"{reply.request.method} {reply.url} answered {reply.status_code}: {reply.text[:2000]}")

    def _error(self, message: str) -> NodeProviderError:
        # Only the log of the provider has the reason of a "server_error".
        self._log.seek(0)
        return NodeProviderError(f"{message}\n{self._log.read()[-4000:].decode(errors='replace')}")


@contextmanager
def _running(script: Path, options: Options, log: IO[bytes]) -> Generator[queue.Queue[str]]:
    """Run the provider, and return a queue with its first line. If it ends without one, the line is empty."""
    command = [node_executable() or "node", str(script), json.dumps(options)]
    with subprocess.Popen(  # noqa: S603 - the developer's own node
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        lines: queue.Queue[str] = queue.Queue()
        # A queue has a read with a timeout. A pipe does not have one on every system.
        reader = threading.Thread(target=_read_line, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            _stop(process)
            reader.join(STOP_SECONDS)


def _read_line(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    if process.stdout is not None:
        lines.put(process.stdout.readline())


def _stop(process: subprocess.Popen[str]) -> None:
    # The provider ends when this closes.
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
