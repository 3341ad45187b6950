"""Packages from npm, installed once into the cache folder: `.cache` in the repository, or OIDC_AUTH_CACHE."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

INSTALL_SECONDS = 120.0

_REPOSITORY = Path(__file__).parents[2]


class NodeError(Exception):
    """npm could not install the packages."""


def node_executable() -> str | None:
    """Return the node of the environment variable NODE, or the first on PATH."""
    return shutil.which(os.environ.get("NODE") or "node")


def missing_node(name: str, package_file: Path) -> str | None:
    """Return why packages cannot be used on this machine, or None."""
    node = node_executable()
    if node is None:
        return f"node is not installed: {os.environ.get('NODE') or 'node'} is not an executable on PATH"
    if not is_installed(packages_folder(name, package_file)) and _npm(node) is None:
        return f"npm is not installed: it installs {name}"
    return None


def packages_folder(name: str, package_file: Path) -> Path:
    """Return the folder for the packages of a package.json.

    A changed package.json gets a new folder.
    """
    cache = Path(os.environ.get("OIDC_AUTH_CACHE") or _REPOSITORY / ".cache").resolve()
    return cache / name / digest(package_file.read_bytes())


def install_packages(name: str, package_file: Path) -> Path:
    """Install the packages of a package.json if they are missing, and return their folder."""
    folder = packages_folder(name, package_file)
    if not is_installed(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "lock.sqlite"):
            if not is_installed(folder):
                _install(name, folder, package_file)
    return folder


def digest(content: bytes) -> str:
    """Return a short name for a content."""
    return hashlib.sha256(content).hexdigest()[:16]


def is_installed(folder: Path) -> bool:
    """Tell whether the installation into a folder is complete."""
    return (folder / "installed").is_file()


def _npm(node: str) -> str | None:
    # The npm of this installation of node certainly runs with it.
    return shutil.which("npm", path=_search_path(node))


def _search_path(node: str) -> str:
    # npm is a script that looks for node in PATH, and the node in NODE may be elsewhere.
    return f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _install(name: str, folder: Path, package_file: Path) -> None:
    node = node_executable()
    npm = node and _npm(node)
    if not node or not npm:
        raise NodeError(f"node and npm are needed to install {name}")
    shutil.copyfile(package_file, folder / "package.json")
    command = [npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(  # noqa: S603 - no part of it comes from outside
            [*command, "--no-update-notifier"],
            cwd=folder,
            env=os.environ | {"PATH": _search_path(node)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeError(f"npm did not install {name} within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise NodeError(f"npm could not install {name}:\n{(done.stdout + done.stderr)[-4000:]}")
    # Written last, so that an interrupted installation is repeated.
    (folder / "installed").touch()


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Hold a lock that only one process can have.

    SQLite is part of the standard library and has such a lock on every system. It waits for a bounded time. A killed
    process releases it.
    """
    with closing(sqlite3.connect(path, timeout=INSTALL_SECONDS + 10, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise NodeError(f"another process keeps {path} locked") from error
        yield
