"""A real Redis server on a free loopback port. A test can kill it, start it again, and pause the network to it.

Example:

    with running_redis(folder) as server:
        server.kill()
        server.start(keep_data=False)
"""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kit.blocking import blocking_allowed
from kit.requirements import skip_or_fail
from oidc_auth.cli.dev_server import _free_port
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = "redis-server"
INSTALL = "apt-get install --no-install-recommends redis-server"
START_SECONDS = 10.0
LOOK_EVERY = 0.01


def missing_requirement() -> str | None:
    """Return why the tests cannot run, or None."""
    if importlib.util.find_spec("redis") is None:
        return "redis-py is missing"
    return None if shutil.which(PROGRAM) else f"{PROGRAM} is not installed ({INSTALL})"


class RedisServer:
    """One server. Its port stays the same after a restart.

    Args:
        folder: Keeps the data.
        options: More options of ``redis-server``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self.address = f"redis://{LOOPBACK}:{self.port}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, keep_data: bool = True) -> None:
        """Start the server and wait until it answers."""
        if not keep_data:
            for path in sorted(self.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        # Each write reaches the disk, so a kill loses nothing.
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        command = [PROGRAM, "--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder), *durable]
        self._process = subprocess.Popen([*command, *self._options], stdout=subprocess.DEVNULL)  # noqa: S603
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < end, "redis-server did not start"
            assert self._process.poll() is None, "redis-server ended"
            time.sleep(LOOK_EVERY)

    def kill(self) -> None:
        """End the server as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Any:
        """Return a client for the test. Close it, or use it as a context manager."""
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return Redis(host=LOOPBACK, port=self.port, retry=Retry(NoBackoff(), 0))

    def call(self, *command: str | bytes | float) -> Any:
        """Run one command."""
        with self.client() as client:
            return client.execute_command(*command)

    def _answers(self) -> bool:
        from redis.exceptions import AuthenticationError, RedisError

        try:
            with self.client() as client:
                return bool(client.ping())
        except AuthenticationError:
            return True
        except RedisError:
            return False


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server until the end of the block. Without redis-server, the test is skipped or fails."""
    skip_or_fail("redis", missing_requirement())
    folder.mkdir(parents=True, exist_ok=True)
    with blocking_allowed():
        server = RedisServer(folder, *options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


class Wire:
    """A TCP proxy. After ``cut`` its connections stay open and carry nothing, as with a dead network."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._carries = threading.Event()
        self._carries.set()
        self.address = f"redis://{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def cut(self) -> None:
        """Carry nothing more."""
        self._carries.clear()

    def mend(self) -> None:
        """Carry everything again."""
        self._carries.set()

    def close(self) -> None:
        """Close all connections."""
        self._carries.set()
        for each in self._sockets:
            # shutdown() wakes the threads, close() alone does not.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _start(self, target: Any, *arguments: Any) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._target))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            self._sockets += [client, server]
            self._start(self._carry, client, server)
            self._start(self._carry, server, client)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                self._carries.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def wire_to(server: RedisServer) -> Iterator[Wire]:
    """Run a proxy in front of a server until the end of the block."""
    wire = Wire(server.port)
    try:
        yield wire
    finally:
        wire.close()
