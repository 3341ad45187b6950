"""The command line: ``oidc-auth``. One file a command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say what to install for it."""
    try:
        from .app import app  # noqa: PLC0415 - click and rich are an extra
    except ModuleNotFoundError as error:
        sys.exit(f"oidc-auth needs {error.name}: pip install 'langgraph-oidc-auth[cli]'")
    app()
