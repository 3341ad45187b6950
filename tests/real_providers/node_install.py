"""Install npm's `oidc-provider` once into the cache folder (`.cache` in the repository, or OIDC_AUTH_CACHE)."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

INSTALL_SECONDS = 120.0

_SOURCE = Path(__file__).parent / "oidc_provider"
_REPOSITORY = Path(__file__).parents[2]


class NodeProviderError(Exception):
    """The provider could not be installed or started, or it refused a request of a test."""


def missing_requirement() -> str | None:
    """Return why the provider cannot run on this machine, or `None`."""
    node = node_executable()
    if node is None:
        return f"node is not installed: {os.environ.get('NODE') or 'node'} is not an executable on PATH"
    command = [node, "--print", "[process.version, 'parse' in URL && 'hash' in crypto].join(' ')"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"node does not run: {error}"
    answer = done.stdout.split()
    if len(answer) != 2:
        return f"node does not run: {node} said {(done.stdout + done.stderr).strip()[:200]!r}"
    # By feature and not by version, because several release lines got both of them in a minor release.
    if answer[1] != "true":
        return f"node is too old: {answer[0]} has no URL.parse or no crypto.hash, and oidc-provider uses both"
    if not _is_installed(_folder()) and _npm(node) is None:
        return "npm is not installed: it is needed once, to fetch oidc-provider"
    return None


def prepare() -> Path:
    """Install the provider into the cache folder if it is missing, and return the path of its script."""
    folder = _folder()
    sources = {path.name: path.read_bytes() for path in sorted(_SOURCE.glob("*.mjs"))}
    # The name is a digest of the content, so that two checkouts can share one cache.
    scripts = folder / f"provider-{_digest(b''.join(sources.values()))}"
    if not (_is_installed(folder) and scripts.is_dir()):
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder / "lock.sqlite"):
            if not _is_installed(folder):
                _install(folder)
            if not scripts.is_dir():
                _write(scripts, sources)
    return scripts / "provider.mjs"


def _write(scripts: Path, sources: Mapping[str, bytes]) -> None:
    # Another process can read the folder without the lock, so it must always be complete.
    unfinished = Path(tempfile.mkdtemp(dir=scripts.parent))
    for name, source in sources.items():
        (unfinished / name).write_bytes(source)
    unfinished.rename(scripts)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def node_executable() -> str | None:
    """Return the node that runs the provider. This is the one in NODE, or the first in PATH."""
    return shutil.which(os.environ.get("NODE") or "node")


def _npm(node: str) -> str | None:
    # The npm of this installation of node certainly runs with it.
    return shutil.which("npm", path=f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def _folder() -> Path:
    cache = Path(os.environ.get("OIDC_AUTH_CACHE") or _REPOSITORY / ".cache").resolve()
    return cache / "oidc-provider" / _digest((_SOURCE / "package.json").read_bytes())


def _is_installed(folder: Path) -> bool:
    return (folder / "installed").is_file()


def _install(folder: Path) -> None:
    node = node_executable()
    npm = node and _npm(node)
    if not node or not npm:
        raise NodeProviderError("node and npm are needed to install oidc-provider")
    shutil.copyfile(_SOURCE / "package.json", folder / "package.json")
    command = [npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    # npm is a script that looks for node in PATH, and the node in NODE may be elsewhere.
    environment = os.environ | {"PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    try:
        done = subprocess.run(  # noqa: S603 - no part of it comes from outside
            [*command, "--no-update-notifier"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeProviderError(f"npm did not install oidc-provider within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise NodeProviderError(f"npm could not install oidc-provider:\n{(done.stdout + done.stderr)[-4000:]}")
    # Written last, so that an interrupted installation is repeated.
    (folder / "installed").touch()


@contextmanager
def _exclusive(path: Path) -> Generator[None]:
    """Hold a lock that only one process can have.

    SQLite is part of the standard library and has such a lock on every system. It waits for a bounded time. A killed
    process releases it.
    """
    with closing(sqlite3.connect(path, timeout=INSTALL_SECONDS + 10, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise NodeProviderError(f"another process keeps {path} locked") from error
        yield
