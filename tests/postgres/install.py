"""langhost, installed once into the cache folder: ``python tests/postgres/install.py``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from kit.server_environment import ServerEnvironment

LANGHOST = ServerEnvironment("langhost", Path(__file__).parent / "requirements.txt", "python tests/postgres/install.py")

if __name__ == "__main__":
    LANGHOST.main()
