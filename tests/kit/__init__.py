"""The made-up world of the tests: people with tokens, an issuer, and the real server."""
