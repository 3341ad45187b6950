"""Map claims to an identity, a tenant and permissions, without server, network or clock."""
