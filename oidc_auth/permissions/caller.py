"""``Caller``: who it is and what they may do; and the user dict that servers store and hand to every handler."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast

from ..json_values import is_list, is_object
from .names import NAMES, Reach, UnknownPermissionError, format_permission, split_reach

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ABSENT: Final = object()
"""What an attribute that is not there reads as; distinct from None."""

LABEL_LENGTH = 32
"""Characters of a store label: 128 bits of SHA-256, in lower-case hexadecimal digits."""
_NO_TENANT = b"\xff" * 8


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The caller's issuer knows tenants: objects carry one, and filters ask for it.

    Attributes:
        tenant: the caller's tenant; None when the token has none, which is a tenant of its own and never "any".
    """

    tenant: str | None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is calling and what they may do: all that a decision may depend on.

    Attributes:
        identity: the name that owns objects, prefix included.
        issuer: the ``iss`` that vouches for it.
        display_name: a name for people.
        expires_at: until when the token is accepted (``exp``, or earlier where ``max_token_age`` ends first; without
            leeway),
            in seconds since the epoch.
        rights: each name the caller holds, and how far it reaches.
        tenancy: the tenant rule, or None where the issuer knows no tenants.
        graphs: the graphs, or assistant ids, the caller may start; None: any.
        claims: the allow-listed claims; never in a repr.
    """

    identity: str
    issuer: str = ""
    display_name: str = ""
    expires_at: float = 0
    rights: Mapping[str, Reach] = field(default_factory=dict[str, Reach])
    tenancy: Tenancy | None = None
    graphs: frozenset[str] | None = None
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    @property
    def permissions(self) -> list[str]:
        """Every name the caller holds; a wider one stands beside its plain name, so that plain checks find it."""
        return list(self._names)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        wider = (format_permission(name, reach) for name, reach in self.rights.items() if reach is not Reach.OWN)
        return tuple(sorted({*self.rights, *wider}))

    def user(self) -> dict[str, Any]:
        """Return a ``MinimalUserDict`` of JSON values, new each time: a handler may change what it gets.

        Servers store it in run records and post it to webhooks: it never holds the token.
        """
        return {
            "identity": self.identity,
            "display_name": self.display_name,
            "is_authenticated": True,
            "permissions": self.permissions,
            "issuer": self.issuer,
            "expires_at": int(self.expires_at),
            "graphs": None if self.graphs is None else sorted(self.graphs),
            "claims": _copy_json(self.claims),
            **tenant_fields(self.tenancy),
        }

    @classmethod
    def from_user(cls, user: object) -> Caller:
        """Return the caller that a server's user object stands for; read by attribute, which all servers offer.

        What cannot be read grants nothing: unknown permission names are dropped, graphs that are no list mean none.
        """
        # Our hook always sets graphs: where they are absent the user is not ours, and may start none.
        graphs = getattr(user, "graphs", ())
        return _caller(
            getattr(user, "identity"),  # noqa: B009 - the object's type is the server's
            tuple([name for name in _members(getattr(user, "permissions", ())) if isinstance(name, str)]),
            _tenancy_of(getattr(user, "tenant", ABSENT), getattr(user, "has_tenants", ABSENT)),
            None if graphs is None else tuple([str(graph) for graph in _members(graphs)]),
        )


@lru_cache(maxsize=1024)
def _caller(
    identity: str, permissions: tuple[str, ...], tenancy: Tenancy | None, graphs: tuple[str, ...] | None
) -> Caller:
    """Return a caller who cannot be changed; a request asks up to five handlers about the same one."""
    return Caller(
        identity=identity,
        rights=_rights(permissions),
        tenancy=tenancy,
        graphs=None if graphs is None else frozenset(graphs),
    )


def tenant_fields(tenancy: Tenancy | None) -> dict[str, Any]:
    """Return the part of a user dict that says which tenant it is, and whether there are tenants at all."""
    return {"has_tenants": False} if tenancy is None else {"has_tenants": True, "tenant": tenancy.tenant}


def _tenancy_of(tenant: object, has_tenants: object) -> Tenancy | None:
    # Without a tenant rule a filter covers every tenant: only a user that says so itself may get one.
    if tenant is ABSENT:
        return None if has_tenants is False else Tenancy(None)
    return Tenancy(tenant if isinstance(tenant, str) else None)


def _members(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else ()


def _rights(permissions: tuple[str, ...]) -> Mapping[str, Reach]:
    rights: dict[str, Reach] = {}
    for permission in permissions:
        try:
            name, reach = split_reach(permission)
        except UnknownPermissionError:
            continue
        if name in NAMES:
            rights[name] = max(reach, rights.get(name, Reach.OWN))
    return rights


def _copy_json(value: object) -> object:
    """Return a JSON value made of new containers."""
    if is_object(value):
        return {key: _copy_json(member) for key, member in value.items()}
    if is_list(value):
        return [_copy_json(member) for member in value]
    return value


@lru_cache(maxsize=1024)
def make_store_label(identity: str, tenancy: Tenancy | None) -> str:
    """Return the store label of one identity in one tenant: the first part of every namespace they own.

    A digest: every length and alphabet of identities is safe in it (LIKE wildcards, dots, prefixes of each other).
    The bytes never change, or memories would be lost: the first 32 lower-case hexadecimal characters of SHA-256 over,
    for tenant and then identity, the length in 8 big-endian bytes and the UTF-8 bytes; no tenant: length 2^64-1.
    """
    tenant = None if tenancy is None else tenancy.tenant
    return hashlib.sha256(_length_prefixed(tenant) + _length_prefixed(identity)).hexdigest()[:LABEL_LENGTH]


def _length_prefixed(text: str | None) -> bytes:
    if text is None:
        return _NO_TENANT
    raw = text.encode("utf-8")
    return len(raw).to_bytes(8, "big") + raw


def store_label(user: object) -> str:
    """Return a user's store label, for graph code that reads the store itself (it passes no handler).

    Args:
        user: the server's user object (``config["configurable"]["langgraph_auth_user"]``), the user dict, or a Caller.

    A user without a tenant has a label of its own. It is used only if the user says that there is no tenant: with
    ``tenant: None``, or with ``has_tenants: False`` where the issuer has no ``tenant`` setting.

    Raises:
        TypeError: there is no identity, or neither ``tenant`` nor ``has_tenants: False``.

    Example::

        namespace = (store_label(config["configurable"]["langgraph_auth_user"]), "memories")
    """
    if isinstance(user, Caller):
        user = {"identity": user.identity, **tenant_fields(user.tenancy)}
    read = user.get if is_object(user) else partial(getattr, user)
    identity, tenant = read("identity", None), read("tenant", ABSENT)
    if not isinstance(identity, str) or not identity:
        raise TypeError("store_label: expected a user with an identity")
    if tenant is ABSENT and read("has_tenants", ABSENT) is not False and not _is_studio(user, read("kind", None)):
        # The label without a tenant is the same for everybody of that identity: it must not be a fallback.
        raise TypeError("store_label: expected a user with tenant, or with has_tenants=False; found neither")
    return make_store_label(identity, Tenancy(tenant) if isinstance(tenant, str) else None)


def _is_studio(user: object, kind: object) -> bool:
    # LangGraph Studio's user has no token, so no tenant. By name: this package imports no SDK. A run record that was
    # stored in Postgres holds it as a dict (langgraph_api 0.16.7, auth/studio_user.py).
    return "StudioUser" in (type(user).__name__, kind)
