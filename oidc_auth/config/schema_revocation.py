"""The schema of the ``[revocation]`` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .digest import Secret, hide_credentials
from .schema_table import Seconds, StrictTable


class RevocationTable(StrictTable):
    """``[revocation]``: revoked tokens, sessions and users."""

    # The address of a Redis server can contain a password.
    store: Annotated[str, Secret(hide_credentials)] = Field(
        repr=False,
        description="`memory` for one process, or the URL of a Redis server that all replicas use, such as "
        "`${REDIS_URL}`.",
    )
    max_token_lifetime: float = Field(
        default=86_400,
        gt=0,
        description="The longest lifetime of a token, in seconds. Revocations are kept for that time, so longer tokens "
        "and those without `iat` are refused.",
    )
    on_outage: Literal["deny", "serve"] = Field(
        default="deny", description="What happens when the store is unreachable for longer than `outage_grace`."
    )
    outage_grace: Seconds = Field(
        default=300,
        description="Seconds of an outage in which the known revocations are used. Less than 5 counts as 5, the time "
        "after which a silent store counts as unreachable.",
    )
