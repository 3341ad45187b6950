"""Extract a token from a request, parse it strictly, check it, and cache it."""
