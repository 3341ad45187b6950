"""Parts of the permission maps that ``oidc-auth init`` writes for several providers."""

from __future__ import annotations

ROLES = """
# assistants:read: own assistants, and one for each graph. To share those of an admin, add "assistants:read@all".
[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
admin = ["user", "*:read@all", "assistants:write@all"]
"""
TENANT_ROLES = """
# assistants:read: own assistants, and one for each graph. To share those of an admin, add "assistants:read@tenant".
[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
admin = ["user", "*@tenant"]
"""
EVERY_USER = """
[[issuer.permission_map]]
claim = "aud"                              # {everyone}
values = { "{audience}" = ["user"] }

# To give one account more permissions, map its number to the role admin.
# [[issuer.permission_map]]
# claim = "sub"
# values = { "<account>" = ["admin"] }

[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
# admin = ["user", "*:read@all", "assistants:write@all"]
"""
ACCEPTED_PERMISSIONS = 'accept = ["threads:read", "threads:write", "assistants:read", "crons:write", "store:write"]\n'
