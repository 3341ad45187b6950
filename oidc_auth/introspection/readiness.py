"""Readiness of an issuer with opaque tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UpstreamError

if TYPE_CHECKING:
    from ..keys.readiness import ReadinessSource
    from .introspector import Introspector


class OpaqueReadiness:
    """An issuer with opaque tokens. It is usable with its keys, or with its introspection endpoint alone.

    Args:
        keys: Its keys.
        introspector: Asks its provider about tokens.
    """

    def __init__(self, keys: ReadinessSource, introspector: Introspector) -> None:
        self._keys = keys
        self._introspector = introspector

    async def current_generation(self, now: float) -> int:
        """Return the generation of the keys, or 0 without keys.

        Raises:
            UpstreamError: There are no keys, and the endpoint is unknown.
        """
        try:
            return await self._keys.current_generation(now)
        except UpstreamError:
            # A provider of opaque tokens alone publishes no keys: jwks_uri is optional (RFC 8414 §2).
            if await self._introspector.knows_endpoint(now):
                return 0
            raise
