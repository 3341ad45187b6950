"""The real Keycloak with the realm of ``examples/keycloak``, in a separate process group on 127.0.0.1.

The tests run ``keycloak.sh`` of the example, so that they test the command in the guide.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx

EXAMPLE = Path(__file__).parents[3] / "examples" / "keycloak"
SCRIPT = EXAMPLE / "keycloak.sh"
PREPARE = f"{SCRIPT.relative_to(Path(__file__).parents[3])} prepare"

OLDEST_JAVA = 17
# The start takes 8 to 12 s. The rest is for the download.
READY_WITHIN = 300.0
STOP_WITHIN = 20.0


class KeycloakError(Exception):
    """Keycloak did not start, or it refused a request of a test."""


def missing_requirement(*, may_download: bool) -> str | None:
    """Return why Keycloak cannot run here, with the command that helps, or None.

    Args:
        may_download: whether it may be downloaded, which takes about a minute.
    """
    java = f"{home}/bin/java" if (home := os.environ.get("JAVA_HOME")) else shutil.which("java")
    if java is None:
        return f"java is not installed: Keycloak needs Java {OLDEST_JAVA} or newer"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - the developer's own
    version = re.search(r'version "(\d+)', said.stderr)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"Keycloak needs Java {OLDEST_JAVA} or newer, and {java} says {said.stderr[:80]!r}"
    if subprocess.run([SCRIPT, "check"], check=False).returncode == 0:  # noqa: S603 - our own
        return None
    if not may_download:
        return f"Keycloak is not prepared: run {PREPARE} (a download of 176 MB, about a minute)"
    return None if shutil.which("mvn") else "mvn is not installed: Maven downloads Keycloak"


class KeycloakProcess:
    """A Keycloak that can be stopped and started again, with the same port and database.

    Args:
        folder: an empty folder, for the database and the log.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._alive = -1

    def start(self) -> None:
        """Start it in the background."""
        environment = {"KEYCLOAK_PORT": str(self.port), "KEYCLOAK_DATA": str(self._folder)}
        # Nothing is written into this pipe. It closes when both processes, script and java, have ended.
        self._alive, held = os.pipe()
        with self._log.open("ab") as log:
            self._process = _start_process_group(log, environment, held)
        os.close(held)

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            KeycloakError: it ended, or did not answer in time. The message is its log.
        """
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and not self._answers():
            try:
                # This wait is also the pause between two attempts.
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            break
        if not self._answers():
            raise KeycloakError(f"Keycloak does not answer:\n{self.said()}")

    def stop(self) -> None:
        """Stop it and all its processes. A java process without its script would keep the port."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal_number)
            if select.select([self._alive], [], [], STOP_WITHIN)[0]:
                break
        os.close(self._alive)
        process.wait()

    def said(self) -> str:
        """Return the end of its log."""
        return self._log.read_text("utf-8", "replace")[-4000:]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/realms/acme", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False


def _start_process_group(log: IO[bytes], environment: dict[str, str], held: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own script
        [SCRIPT],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[held],
    )
