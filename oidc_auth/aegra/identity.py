"""Encode tenant and identity as one name.

Aegra compares only the identity of a user with the owner of an object, and uses it as a part of the namespaces of the
store. So it must contain the tenant. A dot, a ``*`` or a LIKE wildcard in it would not work in the store.

=======================================  ============================
user                                     encoded
=======================================  ============================
``alice``                                ``alice``
``alice@example.com``                    ``alice@example~2Ecom``
``idp|5f7c`` in tenant ``acme``          ``acme/idp|5f7c``
``alice`` without a tenant               ``/alice``
more than 255 encoded characters         ``~~`` and a SHA-256
=======================================  ============================

Different pairs of tenant and identity never give the same name.
"""

from __future__ import annotations

import hashlib
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..permissions.caller import Tenancy

UNCHANGED = frozenset(string.ascii_letters + string.digits + "-@+:|=,")
"""Characters that stay as they are. The wildcards of LIKE (``_``, ``%``, ``\\``) are not among them."""
SEPARATOR = "/"
ESCAPE = "~"
RESERVED = frozenset({"system", "anonymous"})
"""Owners with a meaning for Aegra: its own assistants, and all users without authentication."""
MAX_PART = 255
"""The longest encoded tenant or identity. PostgreSQL refuses index entries of about 2700 characters."""


def encode_identity(identity: str, tenancy: Tenancy | None) -> str:
    """Return the name of a user. It is never a reserved name, and has at most 511 characters.

    Args:
        identity: The identity. It is not empty.
        tenancy: The tenant, or None if the issuer has no tenants.
    """
    encoded = _encode(identity)
    if tenancy is not None:
        tenant = "" if tenancy.tenant is None else encode_tenant(tenancy.tenant)
        return f"{tenant}{SEPARATOR}{encoded}"
    # The first letter is never escaped otherwise, so no other identity has this form.
    return _escape(encoded[0]) + encoded[1:] if encoded in RESERVED else encoded


def encode_tenant(tenant: str) -> str:
    """Return the name of a tenant, as it is in the identities of its users."""
    return _encode(tenant)


def _encode(text: str) -> str:
    # Not "", which means no tenant. Two digits or a second "~" follow each other "~".
    encoded = "".join([c if c in UNCHANGED else _escape(c) for c in text]) or ESCAPE
    if len(encoded) <= MAX_PART:
        return encoded
    return ESCAPE * 2 + hashlib.sha256(encoded.encode()).hexdigest()


def _escape(character: str) -> str:
    # Claims can contain a lone surrogate, which has no UTF-8 form.
    return "".join([f"{ESCAPE}{byte:02X}" for byte in character.encode("utf-8", "surrogatepass")])
