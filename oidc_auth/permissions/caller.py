"""The caller of a request, and the user dict that servers store and pass to every handler."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast

from ..json_values import is_list, is_object
from .names import NAMES, RESUME, Reach, UnknownPermissionError, format_permission, split_reach

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ABSENT: Final = object()
"""The value of an attribute that does not exist. It is not None."""

LABEL_LENGTH = 32
"""Characters of a store label: 128 bits of SHA-256, in lower-case hexadecimal digits."""
AEGRA_MODULE = "aegra_api.models.auth"
"""The module of the user class of Aegra."""

# No text has this length, so that a missing tenant never equals a tenant.
_NO_TENANT = b"\xff" * 8


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The tenant of a caller. It exists if the issuer has tenants.

    Attributes:
        tenant: The tenant, or None if the token has none. None is a separate tenant, and never means "any".
    """

    tenant: str | None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller, with everything that a decision may depend on.

    Attributes:
        identity: The identity that owns objects, with its prefix.
        issuer: The ``iss`` of the token.
        display_name: A name to show to people.
        expires_at: The end of the token in seconds since the epoch, without leeway. It is ``exp``, or earlier if
            ``max_token_age`` ends first.
        rights: Each name that the caller has, and its reach.
        tenancy: The tenant, or None if the issuer has no tenants.
        graphs: The graphs, or assistant ids, that the caller may start. None: any.
        resume_graphs: The graphs, or assistant ids, that ``threads:resume`` lets the caller resume. None: any.
        claims: The configured claims. They are not in the repr.
        subject_digest: Names the user for revocations: a digest of ``iss`` and ``sub``, or "" without ``sub``.
        issued_at: The claim ``iat``, in seconds since the epoch, or 0 without it.
    """

    identity: str
    issuer: str = ""
    display_name: str = ""
    expires_at: float = 0
    rights: Mapping[str, Reach] = field(default_factory=dict[str, Reach])
    tenancy: Tenancy | None = None
    graphs: frozenset[str] | None = None
    resume_graphs: frozenset[str] | None = None
    # Claims are personal data, and reprs get into logs.
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    subject_digest: str = ""
    issued_at: float = 0

    @property
    def permissions(self) -> list[str]:
        """Every name of the caller. A name with a reach is also listed without it, for simple checks."""
        return list(self._names)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        wider = (format_permission(name, reach) for name, reach in self.rights.items() if reach is not Reach.OWN)
        return tuple(sorted({*self.rights, *wider}))

    def user(self) -> dict[str, Any]:
        """Return a new ``MinimalUserDict`` of JSON values, which a handler may change.

        Servers store it in run records and send it to webhooks, so it never contains the token.
        """
        return {
            "identity": self.identity,
            "display_name": self.display_name,
            "is_authenticated": True,
            "permissions": self.permissions,
            "issuer": self.issuer,
            # Rounded down, so that the token never seems to be valid longer than it is.
            "expires_at": int(self.expires_at),
            "graphs": _sorted(self.graphs),
            # A copy, because a handler may change the dict, and the caller is cached.
            "claims": _copy_json(self.claims),
            "subject_digest": self.subject_digest,
            "issued_at": int(self.issued_at),
            **tenant_fields(self.tenancy),
            **({"resume_graphs": _sorted(self.resume_graphs)} if RESUME in self.rights else {}),
        }

    @classmethod
    def from_user(cls, user: object) -> Caller:
        """Return the caller of a server's user object. All servers provide its attributes.

        A malformed value grants nothing. Unknown permissions are dropped, and graphs that are not a list mean none.
        """
        return _caller(
            getattr(user, "identity"),  # noqa: B009 - the object's type is the server's
            tuple([name for name in _members(getattr(user, "permissions", ())) if isinstance(name, str)]),
            _tenancy_of(getattr(user, "tenant", ABSENT), getattr(user, "has_tenants", ABSENT)),
            # The hook always sets graphs. A user without them comes from elsewhere and may start none.
            _graphs(getattr(user, "graphs", ())),
            _graphs(getattr(user, "resume_graphs", ())),
            digest if isinstance(digest := getattr(user, "subject_digest", ""), str) else "",
            issued if isinstance(issued := getattr(user, "issued_at", 0), int) else 0,
        )


@lru_cache(maxsize=1024)
def _caller(
    identity: str,
    permissions: tuple[str, ...],
    tenancy: Tenancy | None,
    graphs: tuple[str, ...] | None,
    resume_graphs: tuple[str, ...] | None,
    subject_digest: str,
    issued_at: int,
) -> Caller:
    """Return a cached caller, because one request calls up to five handlers."""
    return Caller(
        identity=identity,
        rights=_rights(permissions),
        tenancy=tenancy,
        graphs=None if graphs is None else frozenset(graphs),
        resume_graphs=None if resume_graphs is None else frozenset(resume_graphs),
        subject_digest=subject_digest,
        issued_at=issued_at,
    )


def tenant_fields(tenancy: Tenancy | None) -> dict[str, Any]:
    """Return the part of a user dict about the tenant."""
    return {"has_tenants": False} if tenancy is None else {"has_tenants": True, "tenant": tenancy.tenant}


def _tenancy_of(tenant: object, has_tenants: object) -> Tenancy | None:
    # Without tenancy, a filter covers every tenant. Only has_tenants = False may cause that.
    if tenant is ABSENT:
        # Fail closed: without has_tenants the tenant is unknown, and not absent.
        return None if has_tenants is False else Tenancy(None)
    # A malformed tenant counts as no tenant, and never as all tenants.
    return Tenancy(tenant if isinstance(tenant, str) else None)


def _graphs(value: object) -> tuple[str, ...] | None:
    return None if value is None else tuple([str(graph) for graph in _members(value)])


def _sorted(graphs: frozenset[str] | None) -> list[str] | None:
    return None if graphs is None else sorted(graphs)


def _members(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else ()


def _rights(permissions: tuple[str, ...]) -> Mapping[str, Reach]:
    rights: dict[str, Reach] = {}
    for permission in permissions:
        try:
            name, reach = split_reach(permission)
        except UnknownPermissionError:
            continue
        # A run record can hold names of another version. They grant nothing.
        if name in NAMES:
            # The list has a name with and without its reach. Their order must not matter.
            rights[name] = max(reach, rights.get(name, Reach.OWN))
    return rights


def _copy_json(value: object) -> object:
    """Return a copy of a JSON value with new containers."""
    if is_object(value):
        return {key: _copy_json(member) for key, member in value.items()}
    if is_list(value):
        return [_copy_json(member) for member in value]
    return value


@lru_cache(maxsize=1024)
def make_store_label(identity: str, tenancy: Tenancy | None) -> str:
    """Return the store label of an identity in a tenant, the first part of its namespaces.

    The label is a digest, because an identity can contain LIKE wildcards or dots, or be a prefix of another one. It
    never changes, so that stored data stay reachable. It is the first 32 lower-case hexadecimal characters of a
    SHA-256. The input is the tenant and then the identity, each as its length in 8 big-endian bytes and its UTF-8
    bytes. A missing tenant has the length 2^64-1 and no bytes.
    """
    tenant = None if tenancy is None else tenancy.tenant
    # Each part starts with its length, so that two pairs of tenant and identity never give the same input.
    return hashlib.sha256(_length_prefixed(tenant) + _length_prefixed(identity)).hexdigest()[:LABEL_LENGTH]


def _length_prefixed(text: str | None) -> bytes:
    if text is None:
        return _NO_TENANT
    raw = text.encode("utf-8")
    return len(raw).to_bytes(8, "big") + raw


def store_label(user: object) -> str:
    """Return a user's store label, for graph code that reads the store without a handler.

    Args:
        user: The server's user object (``config["configurable"]["langgraph_auth_user"]``), the user dict, or a Caller.

    A user without a tenant has a separate label. It is used only with ``tenant: None``, or with
    ``has_tenants: False`` if the issuer has no ``tenant`` setting.

    Raises:
        TypeError: The identity is missing, or neither ``tenant`` nor ``has_tenants: False``.

    Example::

        namespace = (store_label(config["configurable"]["langgraph_auth_user"]), "memories")
    """
    if isinstance(user, Caller):
        user = {"identity": user.identity, **tenant_fields(user.tenancy)}
    read = user.get if is_object(user) else partial(getattr, user)
    identity, tenant = read("identity", None), read("tenant", ABSENT)
    # An empty identity would give one namespace to all such users.
    if not isinstance(identity, str) or not identity:
        raise TypeError("store_label: expected a user with an identity")
    if type(user).__module__ == AEGRA_MODULE:
        # There the identity contains the tenant, and the user of a cron's run has no other.
        return make_store_label(identity, None)
    if tenant is ABSENT and read("has_tenants", ABSENT) is not False and not _is_studio(user, read("kind", None)):
        # Users of several tenants with one identity would share the label without a tenant. It is never a fallback.
        raise TypeError("store_label: expected a user with tenant, or with has_tenants=False; found neither")
    return make_store_label(identity, Tenancy(tenant) if isinstance(tenant, str) else None)


def _is_studio(user: object, kind: object) -> bool:
    # The user of LangGraph Studio has no token and no tenant. Compare the name: this package imports no SDK.
    # A run record in Postgres contains the user as a dict (langgraph_api 0.16.7, auth/studio_user.py).
    return "StudioUser" in (type(user).__name__, kind)
