"""Define where an issuer's keys come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .key_set import KeySet, select_key

if TYPE_CHECKING:
    from .jwk import Key


class SelectedKey(NamedTuple):
    """The key for a token's header.

    Attributes:
        key: the key.
        generation: the generation of the key set that has it.
    """

    key: Key
    generation: int


class KeySource(Protocol):
    """The keys of one issuer.

    ``now`` is the time in seconds since the epoch. A request reads the clock once.
    """

    @property
    def has_keys(self) -> bool:
        """Whether there are keys, of any age."""
        ...

    async def current_generation(self, now: float) -> int:
        """Refresh the keys if necessary and return their generation.

        The generation changes with each change of the keys. Tokens that were verified with an older generation must be
        verified again.

        Raises:
            UpstreamError: no keys may be used.
        """
        ...

    async def find(self, algorithm: str, kid: str | None, now: float) -> SelectedKey:
        """Return the key for a token's header.

        Raises:
            TokenError: no key matches, or several do.
            UpstreamError: no keys may be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """The keys of the configuration, which never change."""

    # A change of the configuration needs a restart, so there is only one generation.

    key_set: KeySet

    @property
    def has_keys(self) -> bool:
        """Always True."""
        return True

    async def current_generation(self, now: float) -> int:
        """Return the only generation."""
        del now
        return 0

    async def find(self, algorithm: str, kid: str | None, now: float) -> SelectedKey:
        """Return the key for a token's header."""
        del now
        return SelectedKey(select_key(self.key_set, algorithm, kid), 0)
