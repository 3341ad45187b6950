"""An image gets the packages that `dependencies` names, and those that the folders in it ask for.

In development this library is there because you installed it. An image without it does not start. It is looked for by
name in langgraph.json itself (`dependencies`, `dockerfile_lines`) and in requirements.txt, pyproject.toml, setup.cfg
and setup.py of each folder; where it comes with another package of yours, or with a base image, this warning may be
ignored.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ...config.raw_document import read_strings
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .environment import DoctorEnvironment

NAME = re.compile(r"langgraph[-_.]oidc[-_.]auth", re.IGNORECASE)
"""The distribution, as requirements and the file names of wheels spell it (PEP 503, PEP 427)."""
REQUIREMENT_FILES = ("requirements.txt", "pyproject.toml", "setup.cfg", "setup.py")
"""Where a folder says which packages it needs."""


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that nothing in the deployment names this library."""
    deployment = environment.deployment()
    listed = read_strings(deployment.get("dependencies"))
    folders = [environment.langgraph_file.parent / name for name in listed if name.startswith(".")]
    texts = [json.dumps(deployment), *(_text(folder / name) for folder in folders for name in REQUIREMENT_FILES)]
    if not any(NAME.search(text) for text in texts):
        yield Finding("no dependency names langgraph-oidc-auth", "add it to requirements.txt or pyproject.toml")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


CHECK = Check(Severity.WARNING, "a dependency of the image names this library", find)
