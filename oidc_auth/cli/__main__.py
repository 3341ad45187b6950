"""``python -m oidc_auth.cli``: the same as ``oidc-auth``."""

from . import main

main()
