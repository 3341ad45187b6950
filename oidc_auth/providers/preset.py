"""What all preset functions share: they return a plain ``[[issuer]]`` mapping that is not validated yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Grants = Mapping[str, Mapping[str, Sequence[str]] | Sequence[str]]
    Audience = str | Sequence[str]


def build_table(
    name: str, given: Mapping[str, object], grants: Grants | None, settings: Mapping[str, object]
) -> dict[str, Any]:
    """Return the ``[[issuer]]`` mapping of a preset.

    Args:
        name: The preset.
        given: Its parameters and the audience; None leaves one out.
        grants: A claim to ``{value: [permission or role]}``, or to a list of permissions that are accepted as they are.
        settings: Other keys of ``[[issuer]]``.
    """
    written = {key: value for key, value in given.items() if value is not None}
    table: dict[str, Any] = {"preset": name, **written, **settings}
    if grants is not None:
        more = table.get("grant", [])
        table["grant"] = [*([more] if isinstance(more, Mapping) else more), *(_grant(*each) for each in grants.items())]
    return table


def _grant(claim: str, given: Mapping[str, Sequence[str]] | Sequence[str]) -> dict[str, Any]:
    # A string is a sequence of letters: a single permission name must not become a list of them.
    if isinstance(given, str):
        return {"claim": claim, "accept": [given]}
    return {"claim": claim, "values": given} if isinstance(given, Mapping) else {"claim": claim, "accept": [*given]}
