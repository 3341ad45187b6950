"""Read an audit log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from oidc_auth import OIDCAuth

KEYS = ["time", "event", "outcome", "code", "issuer", "identity", "tenant", "permission", "ids"]


def flush(oidc: OIDCAuth) -> None:
    """Wait until the audit log is written."""
    assert oidc.reporter.recorder is not None
    oidc.reporter.recorder.flush()


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file. Each must be one line."""
    lines = path.read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    return [json.loads(line) for line in lines]


def summarize(records: list[dict[str, Any]]) -> list[tuple[str, str, str | None, str | None]]:
    """Return event, outcome, code and identity of each record."""
    return [(each["event"], each["outcome"], each["code"], each["identity"]) for each in records]
