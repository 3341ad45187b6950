"""Refuse revoked tokens, and all tokens while the revocations are not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ErrorCode, TokenError, UpstreamError

if TYPE_CHECKING:
    from ..tokens.states import VerifiedToken
    from .store import RevocationStore

LONGEST_WAIT = 2.0
"""Seconds that a request waits for the first load. Then it is refused, and the client tries again."""


@dataclass(frozen=True, slots=True)
class RevocationCheck:
    """The check of one request against the live revocations.

    Attributes:
        store: The store.
    """

    store: RevocationStore

    def refuse_revoked(self, token: VerifiedToken) -> None:
        """Refuse a token if it, its session or its subject is revoked. The revocations must be known.

        Raises:
            TokenError: ``token_revoked``.
        """
        kind = self.store.live.find(token)
        if kind is not None:
            refusal = TokenError(ErrorCode.TOKEN_REVOKED, found=f"a revocation of its {kind.value.replace('_', ' ')}")
            refusal.issuer = token.issuer
            raise refusal

    async def require_known(self, now: float) -> None:
        """Refuse if the revocations are not known.

        Raises:
            UpstreamError: ``revocations_unavailable``.
        """
        if self.store.is_current(now):
            return
        # Servers start their workers before the web application. So the first request may have to wait. Later, this
        # starts to follow the store again if the event loop that did it has ended.
        await self.store.load(LONGEST_WAIT)
        state = self.store.state(now)
        if not (state.is_loaded and state.is_trusted):
            found = "not loaded" if not state.is_loaded else f"unknown for {state.lag:.0f} s"
            raise UpstreamError(ErrorCode.REVOCATIONS_UNAVAILABLE, found=found)

    async def wait_until_loaded(self, now: float) -> None:
        """Wait for the first load, for a limited time."""
        if not self.store.is_current(now):
            await self.store.load(LONGEST_WAIT)

    def find_cron_denial(self, subject_digest: str, authorized_at: float, now: float) -> ErrorCode | None:
        """Return why a cron may not run, or None.

        Args:
            subject_digest: The user who authorized the cron.
            authorized_at: When their token was issued, in seconds since the epoch.
            now: The time, in seconds since the epoch.
        """
        state = self.store.state(now)
        if not (state.is_loaded and state.is_trusted):
            return ErrorCode.REVOCATIONS_UNAVAILABLE
        return ErrorCode.CRON_REVOKED if self.store.live.is_user_revoked(subject_digest, authorized_at) else None
