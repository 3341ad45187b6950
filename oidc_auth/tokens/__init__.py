"""Is it genuine? Tokens: found in a request, parsed strictly, checked row by row, and remembered."""
