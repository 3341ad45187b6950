"""Read a JWK Set, and select the key for a token's header.

``KeySource`` is where the keys of an issuer come from: the configuration or the provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..errors import ErrorCode, TokenError
from ..json_values import is_list, is_object
from ..quoting import quote
from .jwk import Key, UnusableKeyError, exposed_thumbprint, read_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MAX_KEYS = 200
"""Members of a key set that are read. Reading one blocks the event loop for up to 0.3 ms."""

MAX_KIDS_LENGTH = 500
"""Characters of the known key ids in a message. Every token with an unknown key id causes such a message."""


class NoUsableKeyError(UnusableKeyError):
    """A JWK Set has no usable key. The provider has withdrawn its keys."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer.

    Attributes:
        keys: the usable keys. A key that is published under two key ids is in it twice.
        skipped: why each other member of the set is not used.
        by_kid: the keys of each key id.
        distinct: each key once, also if it has several key ids. A token without ``kid`` can use these keys.
    """

    keys: tuple[Key, ...]
    skipped: tuple[str, ...] = ()
    by_kid: Mapping[str | None, tuple[Key, ...]] = field(init=False, repr=False, compare=False)
    distinct: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the keys by key id and by value."""
        by_kid: dict[str | None, tuple[Key, ...]] = {}
        distinct: dict[str, Key] = {}
        for key in self.keys:
            by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)
            first = distinct.get(key.thumbprint, key)
            distinct[key.thumbprint] = replace(first, algorithms=first.algorithms | key.algorithms)
        object.__setattr__(self, "by_kid", by_kid)
        object.__setattr__(self, "distinct", tuple(distinct.values()))

    def has_kid(self, kid: str) -> bool:
        """Tell whether a key has this key id."""
        return kid in self.by_kid

    def describe_kids(self) -> str:
        """Return the known key ids for a message, on one bounded line."""
        text = ", ".join(quote(kid) for kid in self.by_kid if kid is not None)
        known = text if len(text) <= MAX_KIDS_LENGTH else f"{text[:MAX_KIDS_LENGTH]} ..."
        unnamed = len(self.by_kid.get(None, ()))
        more = [f"{unnamed} {'key' if unnamed == 1 else 'keys'} without kid"] if unnamed else []
        return " and ".join([known, *more] if known else more) or "none"


def read_key_set(document: object) -> KeySet:
    """Return the usable keys of a JWK Set (RFC 7517 §5).

    Unusable members are skipped, and so are all after the first ``MAX_KEYS``.

    Raises:
        NoUsableKeyError: a JWK Set without a usable key.
        UnusableKeyError: not a JWK Set (an object with an array ``keys``).
    """
    members = document.get("keys") if is_object(document) else None
    if not is_list(members):
        raise UnusableKeyError("it is not a JWK Set: no array 'keys'")
    keys, skipped = _read_members(members)
    if not keys:
        raise NoUsableKeyError(f"the key set has no usable key ({'; '.join(skipped) or 'it is empty'})")
    return KeySet(keys, skipped)


def _read_members(members: Sequence[object]) -> tuple[tuple[Key, ...], tuple[str, ...]]:
    """Return the usable keys, and why each other member is skipped."""
    read: list[tuple[int, Key]] = []
    skipped: list[str] = []
    exposed: set[str | None] = set()
    # The provider controls the number of keys, and reading them blocks the event loop.
    for position, member in enumerate(members[:MAX_KEYS]):
        try:
            read.append((position, read_key(member)))
        except UnusableKeyError as reason:
            skipped.append(f"key {position}: {reason}")
            exposed.add(exposed_thumbprint(member))
    # The same key may be published as a private key and as a public key. Then anyone can sign with it.
    safe = [key for _, key in read if key.thumbprint not in exposed]
    why = "its private key is in the same set: anyone could sign with it"
    skipped += [f"key {position}: {why}" for position, key in read if key.thumbprint in exposed]
    if (more := len(members) - MAX_KEYS) > 0:
        skipped.append(f"{more} more: only the first {MAX_KEYS} are read")
    return _merge_entries(safe), tuple(skipped)


def _merge_entries(published: Sequence[Key]) -> tuple[Key, ...]:
    """Return each key once per key id, with the algorithms that it may verify."""
    # ``alg`` names the algorithm that a key is intended for (RFC 7517 §4.4, RFC 8725 §3.1). A second entry for the
    # same key, without ``alg``, must not undo that.
    named: dict[str, frozenset[str]] = {}
    entries: dict[tuple[str | None, str], list[Key]] = {}
    for key in published:
        entries.setdefault((key.kid, key.thumbprint), []).append(key)
        if key.names_algorithm:
            named[key.thumbprint] = named.get(key.thumbprint, frozenset()) | key.algorithms
    return tuple([_merge_same_key(same, named.get(value)) for (_, value), same in entries.items()])


def _merge_same_key(same: Sequence[Key], named: frozenset[str] | None) -> Key:
    # The algorithms that these entries name, else those that the key's other entries name, else all of its type.
    own = frozenset[str]().union(*(key.algorithms for key in same if key.names_algorithm))
    return replace(same[0], algorithms=own or named or same[0].algorithms, names_algorithm=named is not None)


def select_key(key_set: KeySet, algorithm: str, kid: str | None) -> Key:
    """Return the key for a token's header (RFC 7515 §4.1.4, RFC 8725 §3.1).

    Raises:
        TokenError: ``key_not_found``, ``key_alg_mismatch`` or ``key_ambiguous``.
    """
    return require_single_key(keys_for_algorithm(find_keys(key_set, kid), algorithm), algorithm)


def find_keys(key_set: KeySet, kid: str | None) -> tuple[Key, ...]:
    """Return the keys with a key id, or all keys (RFC 7515 §4.1.4).

    Raises:
        TokenError: ``key_not_found``.
    """
    # kid is optional (RFC 7515 §4.1.4). Without it, the algorithm must leave a single key.
    known = key_set.distinct if kid is None else key_set.by_kid.get(kid)
    if not known:
        expected = f"a published key id: {key_set.describe_kids()}"
        raise TokenError(ErrorCode.KEY_NOT_FOUND, expected=expected, found=quote(kid))
    return known


def keys_for_algorithm(keys: tuple[Key, ...], algorithm: str) -> tuple[Key, ...]:
    """Return the keys that may verify an algorithm.

    Raises:
        TokenError: ``key_alg_mismatch``.
    """
    # RFC 8725 §3.1: each key belongs to one algorithm. The header alone must not choose it.
    fitting = tuple([key for key in keys if algorithm in key.algorithms])
    if not fitting:
        fits = sorted({name for key in keys for name in key.algorithms})
        raise TokenError(ErrorCode.KEY_ALG_MISMATCH, expected=f"one of {', '.join(fits)}", found=algorithm)
    return fitting


def require_single_key(keys: tuple[Key, ...], algorithm: str) -> Key:
    """Return the only key that is left.

    Raises:
        TokenError: ``key_ambiguous``, if several keys match.
    """
    # Trying one key after another would let the token choose its key, and each attempt costs a verification.
    if len(keys) != 1:
        raise TokenError(ErrorCode.KEY_AMBIGUOUS, expected="one key", found=f"{len(keys)} that fit {algorithm}")
    return keys[0]


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
