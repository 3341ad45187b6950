"""Aegra, installed once into the cache folder: ``python tests/aegra/install.py``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from kit.server_environment import ServerEnvironment

AEGRA = ServerEnvironment("aegra", Path(__file__).parent / "requirements.txt", "python tests/aegra/install.py")

if __name__ == "__main__":
    AEGRA.main()
