"""``python -m oidc_auth.cli`` is the command ``oidc-auth``."""

from . import main

main()
