"""A real OpenID provider for the tests: the certified npm package `oidc-provider`, on the loopback address.

Use it like this:

    with NodeProvider() as provider:
        token = provider.user_token("alice", "threads:read")
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import queue
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from providers.relying_party import AUDIENCE, MACHINE_CLIENT, REDIRECT_URI, Login, http_client

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from types import TracebackType

    import httpx

Alg = Literal["RS256", "ES256", "PS256", "EdDSA"]

TENANT_CLAIM = "https://agents.example/tenant"

INSTALL_SECONDS = 120.0
START_SECONDS = 20.0
STOP_SECONDS = 5.0
# A login takes six: redirect, form, redirect, form, redirect, callback.
MOST_STEPS = 12

_SOURCE = Path(__file__).parent / "oidc_provider"
_REPOSITORY = Path(__file__).parents[2]


class NodeProviderError(Exception):
    """The provider could not be installed or started, or it refused what a test asked of it."""


def missing_requirement() -> str | None:
    """Why the provider cannot run on this machine, or `None` if it can."""
    node = _node()
    if node is None:
        return f"node is not installed: {os.environ.get('NODE') or 'node'} is not an executable on PATH"
    command = [node, "--print", "[process.version, 'parse' in URL && 'hash' in crypto].join(' ')"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"node does not run: {error}"
    answer = done.stdout.split()
    if len(answer) != 2:
        return f"node does not run: {node} said {(done.stdout + done.stderr).strip()[:200]!r}"
    # Asked for by name, because both came in the middle of a release line, and more than one line got them.
    if answer[1] != "true":
        return f"node is too old: {answer[0]} has no URL.parse or no crypto.hash, and oidc-provider uses both"
    if not _is_installed(_folder()) and _npm(node) is None:
        return "npm is not installed: it is needed once, to fetch oidc-provider"
    return None


def prepare() -> Path:
    """Install the provider into the cache folder unless it is there already; the path of its script."""
    folder = _folder()
    source = (_SOURCE / "provider.mjs").read_bytes()
    # Named by its content: two checkouts can share one cache and never overwrite each other's script.
    script = folder / f"provider-{_digest(source)}.mjs"
    if _is_installed(folder) and script.is_file():
        return script
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder / "lock.sqlite"):
        if not _is_installed(folder):
            _install(folder)
        if not script.is_file():
            # Whoever sees the file without holding the lock must see all of it.
            unfinished = script.with_suffix(".tmp")
            unfinished.write_bytes(source)
            unfinished.replace(script)
    return script


class NodeProvider:
    """One running provider; a context manager that starts and stops it.

    It knows two clients: `m2m`, which has a secret, and `web`, which is public and uses PKCE. Any name can log in;
    `accounts` says which claims a name's access tokens carry, and has alice, bob and victor by default.

    Args:
        path: What follows the port in the issuer, such as `/` or `/realms/agents`.
        alg: Signs until the first rotation.
        ttl: The life of an access token in seconds.
        accounts: The claims of each username, instead of the default ones.
    """

    def __init__(
        self,
        *,
        path: str = "",
        alg: Alg = "RS256",
        ttl: int = 300,
        accounts: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self._options: dict[str, object] = {"path": path, "alg": alg, "ttl": ttl}
        if accounts is not None:
            self._options["accounts"] = {name: dict(claims) for name, claims in accounts.items()}
        self._exit = ExitStack()
        self._http: httpx.Client
        self._log: IO[bytes]
        self._control = ""
        self.issuer = ""
        self.metadata: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Install if need be, and start."""
        reason = missing_requirement()
        if reason is not None:
            raise NodeProviderError(reason)
        script = prepare()
        with ExitStack() as undo:
            # A file, because nobody reads a pipe while the tests run, and a full pipe would stop the provider. Opened
            # for appending, because the provider shares its position, which moves when we read.
            self._log = undo.enter_context(tempfile.TemporaryFile("a+b"))
            ready = undo.enter_context(_running(script, self._options, self._log))
            try:
                hello = json.loads(ready.get(timeout=START_SECONDS))
            except (queue.Empty, ValueError) as error:
                raise self._error("the provider did not start") from error
            self.issuer, self._control = hello["issuer"], hello["control"]
            self._http = undo.enter_context(http_client())
            self.metadata = self._json(self._http.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._exit.close()

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
        # The reason for a "server_error" stands only in the provider's own output.
        self._log.seek(0)
        return NodeProviderError(f"{message}\n{self._log.read()[-4000:].decode(errors='replace')}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _node() -> str | None:
    return shutil.which(os.environ.get("NODE") or "node")


def _npm(node: str) -> str | None:
    # The npm that came with this node is certain to run on it.
    return shutil.which("npm", path=f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def _folder() -> Path:
    cache = Path(os.environ.get("OIDC_AUTH_CACHE") or _REPOSITORY / ".cache").resolve()
    return cache / "oidc-provider" / _digest((_SOURCE / "package.json").read_bytes())


def _is_installed(folder: Path) -> bool:
    return (folder / "installed").is_file()


def _install(folder: Path) -> None:
    node = _node()
    npm = node and _npm(node)
    if not node or not npm:
        raise NodeProviderError("node and npm are needed to install oidc-provider")
    shutil.copyfile(_SOURCE / "package.json", folder / "package.json")
    command = [npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    # npm is a script that asks PATH for node, and NODE may name one that is not there.
    environment = os.environ | {"PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    try:
        done = subprocess.run(  # noqa: S603 - no part of it comes from outside
            [*command, "--no-update-notifier"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeProviderError(f"npm did not install oidc-provider within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise NodeProviderError(f"npm could not install oidc-provider:\n{(done.stdout + done.stderr)[-4000:]}")
    # Written last: an installation that was interrupted is repeated.
    (folder / "installed").touch()


@contextmanager
def _exclusive(path: Path) -> Generator[None]:
    """Let one process at a time do what follows.

    SQLite is the lock of the standard library that waits for a bounded time, works on every system, and is released
    when its holder is killed.
    """
    with closing(sqlite3.connect(path, timeout=INSTALL_SECONDS + 10, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise NodeProviderError(f"another process keeps {path} locked") from error
        yield


@contextmanager
def _running(script: Path, options: Mapping[str, object], log: IO[bytes]) -> Generator[queue.Queue[str]]:
    """Run the provider; a queue that gets its first line, or an empty one if it ends without."""
    command = [_node() or "node", str(script), json.dumps(options)]
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
