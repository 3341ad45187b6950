"""Users and clients for a start without a file. They fit the roles and tenants of ``examples/quickstart``."""

from __future__ import annotations

from .accounts import Client, User

PUBLIC_CLIENT = "spa"
"""A public client for applications in a browser."""

SAMPLE_USERS = (
    User("alice", {"roles": ["editor"], "org": "acme"}),
    User("bob", {"roles": ["editor"], "org": "globex"}),
    User("ada", {"roles": ["admin"], "org": "acme"}),
    User("victor", {"roles": ["viewer"], "org": "acme"}),
)
SAMPLE_CLIENTS = (Client(PUBLIC_CLIENT),)
