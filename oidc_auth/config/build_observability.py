"""Building of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError, Problem
from ..observability import EventReporter
from ..observability.audit import AuditLog
from ..observability.audit_target import open_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..observability import Observer
    from .schema import Document


def build_reporter(
    document: Document, observer: Observer, timer: Callable[[], float], clock: Callable[[], float]
) -> EventReporter:
    """Return what receives all events: the operator's observer and what ``[observability]`` configures.

    It opens no file.
    """
    table = document.observability
    if table.audit is None:
        return EventReporter(observer, timer)
    key = None if table.audit_key is None else table.audit_key.encode()
    return EventReporter(observer, timer, AuditLog(open_target(table.audit), clock, key))


def open_audit_log(reporter: EventReporter, source: str) -> None:
    """Open the audit log at the start of a server, so that a wrong path stops it.

    Raises:
        ConfigError: The file cannot be opened.
    """
    if reporter.recorder is None:
        return
    try:
        reporter.recorder.open()
    except OSError as error:
        message = f"cannot be opened: {error.strerror or type(error).__name__}"
        hint = 'write a path in a folder that this process can write to, or "stdout"'
        raise ConfigError([Problem("observability.audit", message, hint)], source=source) from None
