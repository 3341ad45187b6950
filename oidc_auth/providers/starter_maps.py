"""Parts of the permission maps that ``oidc-auth init`` writes for several providers."""

from __future__ import annotations

ROLES = """
[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
admin = ["user", "*:read@all", "assistants:write@all"]
"""
TENANT_ROLES = """
[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
admin = ["user", "*@tenant"]
"""
EVERY_USER = """
[[issuer.grant]]
claim = "aud"                              # {everyone}
values = { "{audience}" = ["user"] }

# To give one account more permissions, map its number to the role admin.
# [[issuer.grant]]
# claim = "sub"
# values = { "<account>" = ["admin"] }

[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
# admin = ["user", "*:read@all", "assistants:write@all"]
"""
ACCEPTED_PERMISSIONS = 'accept = ["threads:read", "threads:write", "assistants:read", "crons:write", "store:write"]\n'
