"""An OIDCAuth with revocations in memory, for tests of logout tokens and security event tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, OIDCAuthError
from oidc_auth.testing import Clock, LocalIssuer

from .auth_harness import IssuerRouter, bearer
from .clock import NOON

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from oidc_auth.observability import Event
    from oidc_auth.revocation.notices import NoticeReceiver
    from oidc_auth.revocation.store import RevocationStore

WEB_CLIENT = "agents-web"
PUBLIC_URL = "https://agents.test"


class NoticeHarness:
    """A server that receives notices of ``issuer``, and trusts ``other`` too."""

    def __init__(self, store: str = "memory", **settings: Any) -> None:
        self.clock = Clock(NOON)
        self.events: list[Event] = []
        self.issuer = LocalIssuer("https://issuer.test", algorithm="ES256", clock=self.clock)
        self.other = LocalIssuer("https://other.test", algorithm="ES256", clock=self.clock)
        self.oidc = OIDCAuth.from_dict(
            {
                "issuer": [
                    issuer_table(self.issuer, "a:", logout_clients=[WEB_CLIENT], **settings),
                    issuer_table(self.other, "b:"),
                ],
                "web": {"public_url": PUBLIC_URL},
                "revocation": {"store": store},
            },
            observer=self.events.append,
            fetcher=IssuerRouter(self.issuer, self.other),
            clock=self.clock,
        )

    @property
    def notices(self) -> NoticeReceiver:
        assert self.oidc.revocation is not None
        return self.oidc.revocation.notices

    @property
    def store(self) -> RevocationStore:
        assert self.oidc.revocation is not None
        return self.oidc.revocation.store

    def logout(self, token: str) -> ErrorCode | None:
        """Receive a logout token, and return the error code or None."""
        return asyncio.run(code_of(self.notices.receive_logout(token)))

    def event(self, token: str) -> ErrorCode | None:
        """Receive a security event token, and return the error code or None."""
        return asyncio.run(code_of(self.notices.receive_event(token)))

    def authenticate(self, token: str) -> ErrorCode | None:
        """Send a request with an access token, and return the error code or None."""
        return asyncio.run(code_of(self.oidc.authenticate(bearer(token))))

    def entries(self) -> set[tuple[str, str, str, float]]:
        """Return the live revocations: issuer, kind, value and seconds since noon."""
        live = self.store.live
        return {
            (each.issuer, each.kind.value, each.value, each.time - NOON)
            # At the beginning, so that expired entries are in it.
            for each in live.entries(NOON)
        }


def issuer_table(issuer: LocalIssuer, prefix: str, **settings: Any) -> dict[str, Any]:
    """Return the configuration of an issuer."""
    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": prefix}
    return {**table, "permission_map": {"claim": "scope", "accept": ["threads:read"]}, **settings}


async def code_of(action: Awaitable[object]) -> ErrorCode | None:
    """Return the error code of an action, or None."""
    try:
        await action
    except OIDCAuthError as refusal:
        return refusal.code
    return None
