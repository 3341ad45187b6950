"""A real OpenID provider for the tests: the certified npm package `oidc-provider`, on the loopback address.

Use it like this:

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
    from collections.abc import Generator, Mapping
    from pathlib import Path
    from types import TracebackType

Alg = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
Shape = Literal["auth0", "auth0_rfc9068", "okta", "entra_v1", "entra_v2", "cognito"]

TENANT_CLAIM = "https://agents.example/tenant"

START_SECONDS = 20.0
STOP_SECONDS = 5.0
# A login takes six: redirect, form, redirect, form, redirect, callback.
MOST_STEPS = 12


class Options(TypedDict, total=False):
    """What a provider is like.

    Attributes:
        issuer: What it calls itself, such as `https://acme.eu.auth0.com/`; its address by default.
        path: What follows the port in that address, such as `/` or `/realms/agents`.
        alg: Signs until the first rotation.
        ttl: The life of an access token in seconds.
        shape: The provider that its access tokens imitate; see shapes.mjs.
        scopes: More scopes than those it has, space-separated.
        audiences: What a resource is called in `aud`.
        client_keys: The public keys of the client `api-key`, which may introspect tokens.
        secret_method: The one way in which clients with a secret authenticate, instead of all of them.
        accounts: The claims of each user's or client's access tokens, instead of the default ones.
    """

    issuer: str
    path: str
    alg: Alg
    ttl: int
    shape: Shape
    scopes: str
    audiences: Mapping[str, str]
    client_keys: list[dict[str, Any]]
    secret_method: str
    accounts: Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Detour:
    """Finds an issuer's public name on the loopback address, as DNS would; a `Fetcher`."""

    issuer: str
    address: str

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Send one request and return its answer."""
        found = url.replace(self.issuer, self.address, 1)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(method, found, headers=dict(headers), content=body)
        # A provider with a public name names its keys by it, too.
        public = answer.content.replace(self.address.encode(), self.issuer.encode())
        return Response(answer.status_code, answer.headers, public)


class NodeProvider:
    """One running provider; a context manager that starts and stops it.

    It knows two clients: `m2m`, which has a secret, and `web`, which is public and uses PKCE. Any name can log in;
    `accounts` says which claims a name's access tokens carry, and has alice, bob and victor by default.
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
        """Install if need be, and start."""
        reason = missing_requirement()
        if reason is not None:
            raise NodeProviderError(reason)
        script = prepare()
        with ExitStack() as undo:
            # A file: no process reads a pipe while the tests run, and a full pipe would stop the provider. Opened
            # for appending, because the provider shares its position, which moves when we read.
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
        """Stop."""
        self._exit.close()

    def fetcher(self) -> Detour:
        """A fetcher for which this provider is where its issuer says."""
        return Detour(self.issuer, self.address)

    def client_credentials(self, scope: str, *, resource: str = AUDIENCE) -> str:
        """An access token of the machine client."""
        form = {"grant_type": "client_credentials", "scope": scope, "resource": resource}
        reply = self._http.post(self.metadata["token_endpoint"], data=form, auth=MACHINE_CLIENT)
        return str(self._granted(reply, scope)["access_token"])

    def user_token(self, username: str, scope: str, *, resource: str = AUDIENCE) -> str:
        """An access token of a user who logged in and consented."""
        return str(self.user_tokens(username, scope, resource=resource)["access_token"])

    def user_tokens(self, username: str, scope: str, *, resource: str = AUDIENCE) -> dict[str, Any]:
        """The whole answer of the token endpoint to such a user, with `access_token` and `id_token`."""
        login = Login(scope, resource)
        form = login.form(self._code(username, login))
        return self._granted(self._http.post(self.metadata["token_endpoint"], data=form), scope)

    def revoke(self, token: str, client: tuple[str, str] = MACHINE_CLIENT) -> None:
        """Revoke a token, as the client that received it. A public client has no secret."""
        name, secret = client
        form = {"token": token, "client_id": name, **({"client_secret": secret} if secret else {})}
        reply = self._http.post(self.metadata["revocation_endpoint"], data=form)
        if reply.status_code != 200:
            raise self._refusal(reply)

    def rotate(self, alg: Alg, *, keep_old: bool = True) -> list[str]:
        """Sign with a new key from now on, and publish the old ones or drop them; the published kids, new one first."""
        reply = self._http.post(f"{self._control}rotate", json={"alg": alg, "keep_old": keep_old})
        return [str(kid) for kid in self._json(reply)["kids"]]

    def kids(self) -> list[str]:
        """The published kids; the first one signs."""
        return [str(kid) for kid in self._json(self._http.get(f"{self._control}kids"))["kids"]]

    def _code(self, username: str, login: Login) -> str:
        """Log in and consent as a browser would; the authorization code."""
        # Its own cookies: the last user's session would answer for this one.
        with http_client() as browser:
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
        """Fill in the form of a page: the login, or the consent that follows it."""
        action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="(login|consent)"', page.text)
        if page.status_code != 200 or action is None or prompt is None:
            raise self._refusal(page)
        form = {"prompt": prompt[1]}
        if prompt[1] == "login":
            form |= {"login": username, "password": "any"}
        return browser.post(page.url.join(html.unescape(action[1])), data=form)

    def _callback(self, target: httpx.URL, login: Login) -> str:
        """Take the code out of the address that the browser was sent back to."""
        code = login.code(target)
        if not code:
            raise self._error(f"the authorization endpoint refused: {target.params}")
        return code

    def _granted(self, reply: httpx.Response, scope: str) -> dict[str, Any]:
        body = self._json(reply)
        # The library drops a scope it does not know without a word, and a typing error would weaken a test.
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
        # Only the output of the provider has the reason for a "server_error".
        self._log.seek(0)
        return NodeProviderError(f"{message}\n{self._log.read()[-4000:].decode(errors='replace')}")


@contextmanager
def _running(script: Path, options: Options, log: IO[bytes]) -> Generator[queue.Queue[str]]:
    """Run the provider; a queue that gets its first line, or an empty one if it ends without."""
    command = [node_executable() or "node", str(script), json.dumps(options)]
    with subprocess.Popen(  # noqa: S603 - the developer's own node
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        lines: queue.Queue[str] = queue.Queue()
        # A pipe has no read with a timeout that works on every system; a queue has.
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
