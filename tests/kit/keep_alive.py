"""An HTTP connection with requests of several users, as a reverse proxy uses it."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

CONTENT_LENGTH = b"content-length"


@dataclass(frozen=True, slots=True)
class Request:
    """A request of one user."""

    method: str
    path: str
    token: str | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the request in HTTP/1.1."""
        content = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [f"{self.method} {self.path} HTTP/1.1", "host: test", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.token is not None:
            lines.append(f"authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "content-type: application/json", "", ""]).encode() + content


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of the server."""

    status: int
    body: Any


class Connection:
    """A keep-alive connection. It can send several requests before it reads responses."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=20)
        self._answers = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self.socket.close()

    def send(self, *requests: Request) -> list[Answer]:
        """Send all requests, then read all responses."""
        self.socket.sendall(b"".join(request.encode() for request in requests))
        return [self._read() for _ in requests]

    def _read(self) -> Answer:
        status = int(self._answers.readline().split()[1])
        length = 0
        while (line := self._answers.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == CONTENT_LENGTH else length
        return Answer(status, json.loads(self._answers.read(length)))
