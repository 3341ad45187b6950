"""The web server of a browser application, at another origin than the LangGraph server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class PageServer:
    """A folder of files, and ``/token``, which answers with an access token.

    Attributes:
        origin: The address without a path.
        folder: The files.
        issue_token: Returns a token for each request of ``/token``.
        issued: The tokens so far.
    """

    origin: str
    folder: Path
    issue_token: Callable[[], str]
    issued: list[str] = field(default_factory=list)


class Handler(SimpleHTTPRequestHandler):
    """Serves the folder and the tokens."""

    def __init__(self, *arguments: Any, page_server: list[PageServer], **options: Any) -> None:
        self.page_server = page_server
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if self.path != "/token":
            super().do_GET()
            return
        (pages,) = self.page_server
        pages.issued.append(pages.issue_token())
        self.send_response(200)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(pages.issued[-1].encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def running_page_server(folder: Path, issue_token: Callable[[], str]) -> Iterator[PageServer]:
    """Serve a folder on a free port."""
    pages: list[PageServer] = []
    handler = partial(Handler, page_server=pages, directory=str(folder))
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        pages.append(PageServer(f"http://{LOOPBACK}:{server.server_port}", folder, issue_token))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield pages[0]
        finally:
            server.shutdown()
            thread.join()
