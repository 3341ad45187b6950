"""Which tokens, sessions and users are revoked: the live set in memory, and the stores that share it."""
