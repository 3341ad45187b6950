"""Where audit records are written: a file or the standard output."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol

STDOUT = "stdout"
"""The name of the standard output."""
_STDOUT_DESCRIPTOR = 1
PIPE_SIZE = 4_096
"""Bytes that a pipe takes without mixing them with those of another process (PIPE_BUF on Linux)."""
FILE_SIZE = 65_536
"""Bytes of one write to a file."""
OWNER_ONLY = 0o600


class AuditTarget(Protocol):
    """Receives whole lines.

    Attributes:
        size: The most bytes of one write, if a line is not longer.
    """

    size: int

    def open(self) -> None:
        """Open the target.

        Raises:
            OSError: It cannot be opened.
        """
        ...

    def prepare(self) -> int:
        """Return the file descriptor for the next writes.

        Raises:
            OSError: The target cannot be opened.
        """
        ...


class StandardOutput:
    """The standard output of the process."""

    size = PIPE_SIZE

    def open(self) -> None:
        """Do nothing."""

    def prepare(self) -> int:
        """Return the file descriptor."""
        return _STDOUT_DESCRIPTOR


class AuditFile:
    """A file to which several processes may append.

    It is opened again after a log rotation, when its name belongs to another file or to none.

    Args:
        path: The path. A relative one begins in the working directory at the time of ``open``.
    """

    size = FILE_SIZE

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._descriptor: int | None = None

    def open(self) -> None:
        """Open the file, and create it if it does not exist.

        Raises:
            OSError: It cannot be opened, or it is not a file.
        """
        # The working directory may change later.
        self._path = self._path.absolute()
        self._descriptor = self._open()

    def _open(self) -> int:
        if self._path.exists() and not self._path.is_file():
            # Opening a named pipe would wait for its reader.
            raise OSError(errno.EINVAL, "not a regular file", str(self._path))
        # With O_APPEND, each write goes to the end, also if another process writes.
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)

    def prepare(self) -> int:
        """Return the file descriptor, of a new file after a rotation.

        Raises:
            OSError: The file cannot be opened.
        """
        if self._descriptor is not None and not self._is_current(self._descriptor):
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            self._descriptor = self._open()
        return self._descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))


def open_target(audit: str) -> AuditTarget:
    """Return the target of a setting."""
    return StandardOutput() if audit == STDOUT else AuditFile(audit)
