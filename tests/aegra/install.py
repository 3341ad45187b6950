"""Aegra, installed once into the cache folder: ``python tests/aegra/install.py``.

Aegra needs Python 3.12 or newer and its own virtual environment. The library itself is not installed there. The server
imports it from this repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from kit.node_packages import digest, exclusive, is_installed, packages_folder

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
PROJECT = HERE.parents[1] / "pyproject.toml"
COMMAND = f"python {HERE.relative_to(HERE.parents[1])}/install.py"
OLDEST = (3, 12)
NAMES = ("python3.12", "python3.13", "python3.14", "python3")
INSTALL_SECONDS = 400.0
VERSION_SECONDS = 20.0


def missing_server(*, may_download: bool) -> str | None:
    """Return why Aegra cannot run here, or None if it can.

    Args:
        may_download: Whether to install it now. It takes about half a minute.
    """
    if find_python() is None:
        return "Aegra needs Python 3.12 or newer on PATH, from pyenv or from uv"
    return None if may_download or is_installed(_environment()) else f"Aegra is not installed: run {COMMAND}"


def install_server() -> Path:
    """Install Aegra if it is missing, and return its interpreter."""
    folder = _environment()
    if not is_installed(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "lock.sqlite"):
            if not is_installed(folder):
                python = find_python()
                assert python is not None, missing_server(may_download=True)
                _run(python, "-m", "venv", "--clear", str(folder / "venv"))
                _run(str(_interpreter()), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS), *_dependencies())
                # Written last: an installation that was interrupted is repeated.
                (folder / "installed").touch()
    return _interpreter()


@cache
def find_python() -> str | None:
    """Return an interpreter that Aegra runs on, or None."""
    return next((path for path in _candidates() if _version(path) >= OLDEST), None)


def _candidates() -> list[str]:
    found = [sys.executable, *(shutil.which(name) for name in NAMES)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found += [str(path) for path in sorted(pyenv.glob("versions/3.*/bin/python"))]
    if (uv := shutil.which("uv")) is not None:
        found.append(_output(uv, "python", "find", ">=3.12"))
    return [path for path in found if path]


def _version(python: str) -> tuple[int, ...]:
    # A shim of pyenv is on PATH also for a version that is not selected, and then it fails.
    text = _output(python, "-c", "import sys, venv; print(*sys.version_info[:2])")
    return tuple(map(int, text.split())) if text else (0,)


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _dependencies() -> list[str]:
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["redis"]]


def _environment() -> Path:
    # A virtual environment works only with the Python that made it.
    content = f"{find_python()} {_dependencies()}".encode()
    return packages_folder("aegra", REQUIREMENTS) / digest(content)


def _interpreter() -> Path:
    return _environment() / "venv" / "bin" / "python"


def _run(*command: str) -> None:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, env=environment, check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    if (reason := missing_server(may_download=True)) is not None:
        raise SystemExit(reason)
    print(install_server())  # noqa: T201 - the result of the command
