"""A real PostgreSQL server on a free loopback port, with an empty cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oidc_auth.cli.dev_server import _free_port
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL = "apt-get install --no-install-recommends postgresql"
USER = "postgres"
SECONDS = 60.0
# The data live as long as a test, so nothing is written to the disk in time.
OPTIONS = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB")


def missing_requirement() -> str | None:
    """Return why the tests cannot run, or None."""
    if _program("initdb") is None or _program("pg_ctl") is None:
        return f"PostgreSQL is not installed ({INSTALL})"
    if os.geteuid() == 0 and _find_user() is None:
        return f"PostgreSQL does not run as root, and there is no user {USER} ({INSTALL})"
    return None


def _program(name: str) -> str | None:
    # Debian installs the server programs outside of PATH.
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(debian[-1]) if debian else shutil.which(name)


def _find_user() -> str | None:
    import pwd

    try:
        return pwd.getpwnam(USER).pw_name
    except KeyError:
        return None


class PostgresServer:
    """One server. Its folder is not in the folder of the test, which only the user of the test can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL, which refuses to run as root."""
        path = _program(program)
        assert path is not None
        as_root = os.geteuid() == 0
        subprocess.run(  # noqa: S603 - our own arguments
            [path, *arguments],
            cwd=self.folder,
            user=USER if as_root else None,
            group=USER if as_root else None,
            extra_groups=[] if as_root else None,
            check=True,
            timeout=SECONDS,
            stdout=subprocess.DEVNULL,
        )

    def create_database(self, name: str) -> str:
        """Create an empty database, and return its address."""
        self.run("createdb", "--host", LOOPBACK, "--port", str(self.port), "--username", USER, name)
        return f"postgresql://{USER}:unused@{LOOPBACK}:{self.port}/{name}"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a server until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="oidc-auth-postgres-") as name:
        server = PostgresServer(Path(name))
        if os.geteuid() == 0:
            shutil.chown(name, USER, USER)
        data = str(server.folder / "data")
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--username", USER)
        server.run("initdb", "--pgdata", data, *options)
        listen = ["-p", str(server.port), "-c", f"listen_addresses={LOOPBACK}", "-k", str(server.folder), *OPTIONS]
        server.run(
            "pg_ctl", "--pgdata", data, "--wait", "--log", str(server.folder / "log"), "-o", " ".join(listen), "start"
        )
        try:
            yield server
        finally:
            server.run("pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
