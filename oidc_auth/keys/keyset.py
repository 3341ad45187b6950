"""The one key for a header: by kid, by algorithm, and never by guessing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import Code, TokenError
from ..json_values import is_list, is_object
from .jwk import Key, UnusableKeyError, exposed_thumbprint, read_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MOST_MEMBERS = 200
"""Members of a key set that are read, usable or not: reading one holds the event loop for up to 0.3 ms."""


LONGEST_KIDS = 500
"""Characters of the known ids in a message: each token with another one would be refused with all of them."""


class NoUsableKeyError(UnusableKeyError):
    """The document is a JWK Set, but no key of it can be used: the provider has withdrawn the keys it had."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer that may verify, and why the others may not.

    Attributes:
        keys: the usable keys: each value once for each id under which it is published.
        skipped: why the other members of the set are not used.
        by_kid: the keys of each id.
        distinct: each value once, whatever its ids: the candidates for a token without ``kid``.
    """

    keys: tuple[Key, ...]
    skipped: tuple[str, ...] = ()
    by_kid: Mapping[str | None, tuple[Key, ...]] = field(init=False, repr=False, compare=False)
    distinct: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the keys by id and by value."""
        by_kid: dict[str | None, tuple[Key, ...]] = {}
        distinct: dict[str, Key] = {}
        for key in self.keys:
            by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)
            first = distinct.get(key.thumbprint, key)
            distinct[key.thumbprint] = replace(first, algorithms=first.algorithms | key.algorithms)
        object.__setattr__(self, "by_kid", by_kid)
        object.__setattr__(self, "distinct", tuple(distinct.values()))

    def holds(self, kid: str) -> bool:
        """Tell whether a key has this id."""
        return kid in self.by_kid

    def kids(self) -> str:
        """Return the known ids, for a message: as many as one line bears."""
        text = ", ".join(str(key.kid) for key in self.keys) or "none"
        return text if len(text) <= LONGEST_KIDS else f"{text[:LONGEST_KIDS]} ..."


def read_key_set(document: object) -> KeySet:
    """Return the usable keys of a JWK Set (RFC 7517 §5); members we cannot use are skipped, with their reason.

    So are those after the first ``MOST_MEMBERS``.

    Raises:
        NoUsableKeyError: a JWK Set (an object with an array ``keys``) without one usable key.
        UnusableKeyError: not a JWK Set.
    """
    members = document.get("keys") if is_object(document) else None
    if not is_list(members):
        raise UnusableKeyError("it is not a JWK Set: no array 'keys'")
    keys, skipped = _sort(members)
    if not keys:
        raise NoUsableKeyError(f"it holds no usable key ({'; '.join(skipped) or 'it is empty'})")
    return KeySet(keys, skipped)


def _sort(members: Sequence[object]) -> tuple[tuple[Key, ...], tuple[str, ...]]:
    read: list[tuple[int, Key]] = []
    skipped: list[str] = []
    exposed: set[str | None] = set()
    for position, member in enumerate(members[:MOST_MEMBERS]):
        try:
            read.append((position, read_key(member)))
        except UnusableKeyError as reason:
            skipped.append(f"key {position}: {reason}")
            exposed.add(exposed_thumbprint(member))
    # The same value may be published once as a private key and once as a public one.
    safe = [key for _, key in read if key.thumbprint not in exposed]
    why = "its private key is in the same set: anybody could sign with it"
    skipped += [f"key {position}: {why}" for position, key in read if key.thumbprint in exposed]
    if (more := len(members) - MOST_MEMBERS) > 0:
        skipped.append(f"{more} more: only the first {MOST_MEMBERS} are read")
    return _merge(safe), tuple(skipped)


def _merge(published: Sequence[Key]) -> tuple[Key, ...]:
    """Return each key once for each of its ids, with the algorithms that it may verify there.

    ``alg`` names the algorithm that a key is intended for (RFC 7517 §4.4, RFC 8725 §3.1). A second entry for the same
    key, without ``alg``, must not undo that.
    """
    named: dict[str, frozenset[str]] = {}
    entries: dict[tuple[str | None, str], list[Key]] = {}
    for key in published:
        entries.setdefault((key.kid, key.thumbprint), []).append(key)
        if key.names_algorithm:
            named[key.thumbprint] = named.get(key.thumbprint, frozenset()) | key.algorithms
    return tuple([_merge_entries(same, named.get(value)) for (_, value), same in entries.items()])


def _merge_entries(same: Sequence[Key], named: frozenset[str] | None) -> Key:
    """Return one key for the entries of one id and value: what they name, else what others name, else all."""
    own = frozenset[str]().union(*(key.algorithms for key in same if key.names_algorithm))
    return replace(same[0], algorithms=own or named or same[0].algorithms, names_algorithm=named is not None)


def select_key(key_set: KeySet, algorithm: str, kid: str | None) -> Key:
    """Return the one key that may verify a token with this header (RFC 7515 §4.1.4, RFC 8725 §3.1).

    Raises:
        TokenError: ``key_unknown``, ``key_unfit`` or ``key_ambiguous``.
    """
    return the_only_key(fitting_keys(known_keys(key_set, kid), algorithm), algorithm)


def known_keys(key_set: KeySet, kid: str | None) -> tuple[Key, ...]:
    """Return the keys with this id, or all when the token names none (RFC 7515 §4.1.4).

    Raises:
        TokenError: ``key_unknown``.
    """
    known = key_set.distinct if kid is None else key_set.by_kid.get(kid)
    if not known:
        raise TokenError(Code.KEY_UNKNOWN, expected=f"a kid among {key_set.kids()}", found=repr(kid)[:80])
    return known


def fitting_keys(keys: tuple[Key, ...], algorithm: str) -> tuple[Key, ...]:
    """Return those that may verify this algorithm: it is bound to the key, not only to the header (RFC 8725 §3.1).

    Raises:
        TokenError: ``key_unfit``.
    """
    fitting = tuple([key for key in keys if algorithm in key.algorithms])
    if not fitting:
        fits = sorted({name for key in keys for name in key.algorithms})
        raise TokenError(Code.KEY_UNFIT, expected=f"one of {', '.join(fits)}", found=algorithm)
    return fitting


def the_only_key(keys: tuple[Key, ...], algorithm: str) -> Key:
    """Return the one that is left; two that fit are no choice to make for the token.

    Raises:
        TokenError: ``key_ambiguous``.
    """
    if len(keys) != 1:
        raise TokenError(Code.KEY_AMBIGUOUS, expected="one key", found=f"{len(keys)} that fit {algorithm}")
    return keys[0]
