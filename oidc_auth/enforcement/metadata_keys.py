"""The metadata keys that this library reserves."""

from __future__ import annotations

OWNER = "owner"
"""The identity that owns an object."""
TENANT = "tenant"
"""The tenant of the owner; null if the token has none."""
AUTHORIZED_UNTIL = "authorized_until"
"""Until when a cron may run, in whole seconds since the epoch."""
TEMPORARY = "oidc_auth_temporary"
"""Marks a thread that the server deletes when its run ends."""
RESERVED = (OWNER, TENANT, AUTHORIZED_UNTIL, TEMPORARY)
"""The keys that clients cannot write."""

CREATED_BY = "created_by"
SYSTEM = "system"
"""``created_by: "system"`` marks the server's own assistants. Clients cannot write this value."""
