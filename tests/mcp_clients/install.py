"""The MCP clients, installed once into the cache folder: ``python tests/mcp_clients/install.py``.

The Python clients are in another virtual environment, because the library does not depend on them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from real_providers.node_install import NodePackages, cache_folder, exclusive, missing_requirement

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
TYPESCRIPT = NodePackages("mcp-typescript", HERE / "typescript")
COMMAND = f"python {HERE.relative_to(HERE.parents[1])}/install.py"
INSTALL_SECONDS = 240.0


def missing_clients(*, may_download: bool) -> str | None:
    """Return why the clients cannot run here, or None if they can.

    Args:
        may_download: Whether to install them now. It takes about half a minute.
    """
    reason = missing_requirement() or missing_requirement(TYPESCRIPT)
    if reason is not None or may_download or (_is_installed() and TYPESCRIPT.is_installed()):
        return reason
    return f"the MCP clients are not installed: run {COMMAND}"


def install_python() -> Path:
    """Install the Python clients if they are missing, and return their interpreter."""
    folder = _environment()
    if not _is_installed():
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "lock.sqlite"):
            if not _is_installed():
                _run(sys.executable, "-m", "venv", "--clear", str(folder / "venv"))
                _run(str(_interpreter()), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS))
                # Written last: an installation that was interrupted is repeated.
                (folder / "installed").touch()
    return _interpreter()


def _environment() -> Path:
    # A virtual environment works only with the Python that made it.
    content = REQUIREMENTS.read_bytes() + f"{sys.version} {sys.base_prefix}".encode()
    return cache_folder() / "mcp-python" / hashlib.sha256(content).hexdigest()[:16]


def _is_installed() -> bool:
    return (_environment() / "installed").is_file()


def _interpreter() -> Path:
    return _environment() / "venv" / "bin" / "python"


def _run(*command: str) -> None:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, env=environment, check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    install_python()
    TYPESCRIPT.install()
