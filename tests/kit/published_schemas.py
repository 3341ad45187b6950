"""Check files against published JSON Schemas, which check-jsonschema contains."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def validate(schema: str, *files: Path) -> str:
    """Return the errors of files, or "".

    Args:
        schema: The name of the schema in check-jsonschema, such as ``github-workflows``.
        files: YAML or JSON files.
    """
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)  # noqa: S603 - our own arguments
    return "" if done.returncode == 0 else done.stdout + done.stderr or "failed"
