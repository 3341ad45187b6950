"""The base of all tables of the schema."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0)]


class StrictTable(BaseModel):
    """A table without unknown keys."""

    # An ignored typo in a security setting would be a missing check, so unknown keys are errors. Strict, because a
    # lenient parser takes 1 and "yes" as true. NaN and infinity would turn off the comparison of times.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
