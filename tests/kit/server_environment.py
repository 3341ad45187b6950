"""A virtual environment in the cache folder, for a server that needs another Python or other versions.

The library itself is not installed there. The server imports it from this repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

from kit.node_packages import digest, exclusive, is_installed, packages_folder

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
OLDEST = (3, 12)
COMMANDS = ("python3.12", "python3.13", "python3.14", "python3")
INSTALL_SECONDS = 400.0
VERSION_SECONDS = 20.0


class ServerEnvironment:
    """The environment of one server.

    Args:
        name: The name of the server.
        requirements: Its requirements.txt. The dependencies of the library are added.
        command: The command that installs it.
    """

    def __init__(self, name: str, requirements: Path, command: str) -> None:
        self._name = name
        self._requirements = requirements
        self._command = command

    def missing_requirement(self, *, may_download: bool) -> str | None:
        """Return why the server cannot run here, or None if it can.

        Args:
            may_download: Whether to install it now. It takes about half a minute.
        """
        if find_python() is None:
            return f"{self._name.capitalize()} needs Python 3.12 or newer on PATH, from pyenv or from uv"
        is_ready = may_download or is_installed(self._folder())
        return None if is_ready else f"{self._name.capitalize()} is not installed: run {self._command}"

    def install(self) -> Path:
        """Install the server if it is missing, and return its interpreter."""
        folder = self._folder()
        interpreter = folder / "venv" / "bin" / "python"
        if not is_installed(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with exclusive(folder / "lock.sqlite"):
                if not is_installed(folder):
                    python = find_python()
                    assert python is not None, self.missing_requirement(may_download=True)
                    _run(python, "-m", "venv", "--clear", str(folder / "venv"))
                    requirements = ("-r", str(self._requirements), *_dependencies())
                    _run(str(interpreter), "-m", "pip", "install", "-q", *requirements)
                    # Written last: an installation that was interrupted is repeated.
                    (folder / "installed").touch()
        return interpreter

    def main(self) -> None:
        """Install the server, and print its interpreter. This is the command of ``install.py``."""
        if (reason := self.missing_requirement(may_download=True)) is not None:
            raise SystemExit(reason)
        print(self.install())  # noqa: T201 - the result of the command

    def _folder(self) -> Path:
        # A virtual environment works only with the Python that made it.
        content = f"{find_python()} {_dependencies()}".encode()
        return packages_folder(self._name, self._requirements) / digest(content)


@cache
def find_python() -> str | None:
    """Return an interpreter of Python 3.12 or newer, or None."""
    return next((path for path in _candidates() if _version(path) >= OLDEST), None)


def _candidates() -> list[str]:
    found = [sys.executable, *(shutil.which(name) for name in COMMANDS)]
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


def _run(*command: str) -> None:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, env=environment, check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own arguments
