"""The command line ``oidc-auth``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from .app import app  # noqa: PLC0415 - click and rich are in the extra "cli"
    except ModuleNotFoundError as error:
        sys.exit(f"oidc-auth needs {error.name}: pip install 'langgraph-oidc-auth[cli]'")
    app()
