"""Ask the provider whether a token is active, and what it grants (token introspection, RFC 7662)."""
