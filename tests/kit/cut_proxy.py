"""A proxy that loses one connection in the middle of a stream."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = b"event: values"
# A body does not end with a line break, so the next request does not start a line.
_HEAD = re.compile(rb"(GET|POST) (/\S*) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)
_AUTHORIZATION = re.compile(rb"^authorization: Bearer (\S+)", re.MULTILINE | re.IGNORECASE)


class CutProxy:
    """Forwards connections to a server, and closes the first one that carried a number of events.

    Attributes:
        url: The address of the proxy.
    """

    def __init__(self, listener: socket.socket, target: str, events: int) -> None:
        self.url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        self._listener = listener
        self._target = (urlsplit(target).hostname, urlsplit(target).port)
        self._sent: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._events = events
        self._has_cut = False

    def requests(self) -> list[tuple[str, str, str]]:
        """Return the method, path and token of all requests so far."""
        heads = [head for sent in list(self._sent) for head in _HEAD.findall(bytes(sent))]
        return [(method.decode(), path.decode(), _token(headers)) for method, path, headers in heads]

    def accept(self) -> None:
        """Forward connections until the listener closes."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                self._sent.append(bytearray())
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._return, args=(server, client), daemon=True).start()

    def close(self) -> None:
        """Close all connections."""
        for opened in self._sockets:
            _close(opened)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        sent = self._sent[-1]
        with suppress(OSError):
            while data := client.recv(65536):
                sent += data
                server.sendall(data)
        _close(server)

    def _return(self, server: socket.socket, client: socket.socket) -> None:
        received = b""
        with suppress(OSError):
            while data := server.recv(65536):
                received += data
                client.sendall(data)
                if not self._has_cut and received.count(EVENT) >= self._events:
                    self._has_cut = True
                    break
        _close(client)
        _close(server)


def _close(opened: socket.socket) -> None:
    # A shutdown also ends a `recv` in another thread.
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
    opened.close()


def _token(headers: bytes) -> str:
    found = _AUTHORIZATION.search(headers)
    return found[1].decode() if found else ""


@contextmanager
def running_cut_proxy(target: str, events: int = 2) -> Iterator[CutProxy]:
    """Run a proxy in front of a server, which closes a connection after a number of events."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        proxy = CutProxy(listener, target, events)
        thread = threading.Thread(target=proxy.accept)
        thread.start()
        try:
            yield proxy
        finally:
            _close(listener)
            thread.join()
            proxy.close()
