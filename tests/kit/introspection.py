"""An OIDCAuth with introspection at a local issuer, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidc_auth.observability import TokenIntrospected
from oidc_auth.testing.introspection import CLIENT

from .auth_harness import AuthHarness

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = {"client_id": CLIENT[0], "client_secret": CLIENT[1]}


class IntrospectionHarness(AuthHarness):
    """An OIDCAuth that introspects tokens, with its issuer, clock and events."""

    def __init__(
        self, mode: str = "opaque", *, introspection: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        table = {"mode": mode, **SECRET, **(introspection or {})}
        super().__init__(introspection={name: value for name, value in table.items() if value is not None}, **settings)

    @property
    def asked(self) -> list[str]:
        """The tokens that the provider was asked about, in order."""
        return [form["token"] for form in self.issuer.introspection.requests]

    @property
    def outcomes(self) -> list[str]:
        """The outcome of each request to the introspection endpoint."""
        return [event.outcome for event in self.events if isinstance(event, TokenIntrospected)]
