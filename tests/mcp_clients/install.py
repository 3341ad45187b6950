"""The MCP clients, installed once into the cache folder: ``python tests/mcp_clients/install.py``.

The Python clients are in another virtual environment, because the library does not depend on them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from kit.node_packages import digest, exclusive, install_packages, is_installed, missing_node, packages_folder
from real_providers.node_install import missing_requirement

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
TYPESCRIPT = ("mcp-typescript", HERE / "typescript" / "package.json")
COMMAND = f"python {HERE.relative_to(HERE.parents[1])}/install.py"
INSTALL_SECONDS = 240.0


def missing_clients(*, may_download: bool) -> str | None:
    """Return why the clients cannot run here, or None if they can.

    Args:
        may_download: Whether to install them now. It takes about half a minute.
    """
    reason = missing_requirement() or missing_node(*TYPESCRIPT)
    if reason is not None or may_download:
        return reason
    if is_installed(_environment()) and is_installed(packages_folder(*TYPESCRIPT)):
        return None
    return f"the MCP clients are not installed: run {COMMAND}"


def install_python() -> Path:
    """Install the Python clients if they are missing, and return their interpreter."""
    folder = _environment()
    if not is_installed(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "lock.sqlite"):
            if not is_installed(folder):
                _run(sys.executable, "-m", "venv", "--clear", str(folder / "venv"))
                _run(str(_interpreter()), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS))
                # Written last: an installation that was interrupted is repeated.
                (folder / "installed").touch()
    return _interpreter()


def _environment() -> Path:
    # A virtual environment works only with the Python that made it.
    python = digest(f"{sys.version} {sys.base_prefix}".encode())
    return packages_folder("mcp-python", REQUIREMENTS) / python


def _interpreter() -> Path:
    return _environment() / "venv" / "bin" / "python"


def _run(*command: str) -> None:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, env=environment, check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    install_python()
    install_packages(*TYPESCRIPT)
