"""The real LangGraph server with `protect`. The HTTP client of the library fetches the keys of a real provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidc_auth import OIDCAuth
from oidc_auth.config.load import load_mapping
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from kit.server import Server

    from oidc_auth.authentication import AuthOptions


class ProtectedServer:
    """The server, and its HTTP clients, which are closed in their own event loop."""

    def __init__(self, server: Server) -> None:
        self.request = server.request
        self._server = server
        self._open: list[OIDCAuth] = []

    def install(self, document: Mapping[str, Any], **options: Unpack[AuthOptions]) -> None:
        """Protect the server with a configuration."""
        # Not from_dict(), which would return the object of an earlier test with the same configuration, with its keys.
        oidc = OIDCAuth(load_mapping(document), **options)
        self._open.append(oidc)
        self._server.install(protect(oidc))

    def close(self) -> None:
        """Close the clients."""
        for oidc in self._open:
            self._server.run(oidc.aclose)
