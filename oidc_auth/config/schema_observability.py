"""The schema of the ``[observability]`` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .digest import Secret
from .strict_table import StrictTable

Text = Annotated[str, Field(min_length=1)]


class ObservabilityTable(StrictTable):
    """``[observability]``: the audit log, metrics and traces."""

    metrics: bool = Field(default=False, description="Record metrics of OpenTelemetry (extra `otel`).")
    traces: bool = Field(default=False, description="Record spans of OpenTelemetry (extra `otel`).")
    audit: Text | None = Field(
        default=None,
        description="Where one JSON object for each decision is written: `stdout`, or the path of a file.",
    )
    audit_identity: Literal["plain", "hashed"] = Field(
        default="plain", description="How the audit log names users: by identity, or by an HMAC of it."
    )
    # A secret must not be in a repr, which logs and tracebacks contain.
    audit_key: Annotated[Text | None, Secret()] = Field(
        default=None, repr=False, description="The secret key of the HMAC, at least 32 characters."
    )
