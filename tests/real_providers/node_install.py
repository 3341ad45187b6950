"""npm's `oidc-provider` and the scripts that run it, in the cache folder."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kit.node_packages import NodeError, digest, exclusive, install_packages, missing_node, node_executable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NodeProviderError", "missing_requirement", "node_executable", "prepare"]

_SOURCE = Path(__file__).parent / "oidc_provider"
_PACKAGES = ("oidc-provider", _SOURCE / "package.json")


class NodeProviderError(NodeError):
    """The provider could not be started, or it refused a request of a test."""


def missing_requirement() -> str | None:
    """Return why the provider cannot run on this machine, or `None`."""
    node = node_executable()
    if node is None:
        return missing_node(*_PACKAGES)
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
    return missing_node(*_PACKAGES)


def prepare() -> Path:
    """Install the provider into the cache folder if it is missing, and return the path of its script."""
    folder = install_packages(*_PACKAGES)
    sources = {path.name: path.read_bytes() for path in sorted(_SOURCE.glob("*.mjs"))}
    # The name is a digest of the content, so that two checkouts can share one cache.
    scripts = folder / f"provider-{digest(b''.join(sources.values()))}"
    if not scripts.is_dir():
        with exclusive(folder / "lock.sqlite"):
            if not scripts.is_dir():
                _write(scripts, sources)
    return scripts / "provider.mjs"


def _write(scripts: Path, sources: Mapping[str, bytes]) -> None:
    # Another process can read the folder without the lock, so it must always be complete.
    unfinished = Path(tempfile.mkdtemp(dir=scripts.parent))
    for name, source in sources.items():
        (unfinished / name).write_bytes(source)
    unfinished.rename(scripts)
