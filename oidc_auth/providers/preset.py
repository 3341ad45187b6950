"""What all preset functions share: they return a plain ``[[issuer]]`` mapping that is not validated yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    PermissionMaps = Mapping[str, Mapping[str, Sequence[str]] | Sequence[str]] | Sequence[Mapping[str, Any]]
    Audience = str | Sequence[str]


def build_table(
    name: str, given: Mapping[str, object], permission_map: PermissionMaps | None, settings: Mapping[str, object]
) -> dict[str, Any]:
    """Return the ``[[issuer]]`` mapping of a preset.

    Args:
        name: The preset.
        given: Its parameters and the audience; None leaves one out.
        permission_map: A claim to ``{value: [permission or role]}``, or to a list of permissions that are accepted. Or
            tables with the keys of ``[[issuer.permission_map]]``.
        settings: Other keys of ``[[issuer]]``.
    """
    written = {key: value for key, value in given.items() if value is not None}
    table: dict[str, Any] = {"preset": name, **written, **settings}
    if permission_map is not None:
        table["permission_map"] = _tables(permission_map)
    return table


def _tables(maps: PermissionMaps) -> list[Mapping[str, Any]]:
    if not isinstance(maps, Mapping):
        return [*maps]
    if "claim" in maps and ("accept" in maps or "values" in maps):
        return [maps]
    return [_permission_map(claim, given) for claim, given in maps.items()]


def _permission_map(claim: str, given: Mapping[str, Sequence[str]] | Sequence[str]) -> dict[str, Any]:
    # A string is a sequence of letters: a single permission name must not become a list of them.
    if isinstance(given, str):
        return {"claim": claim, "accept": [given]}
    return {"claim": claim, "values": given} if isinstance(given, Mapping) else {"claim": claim, "accept": [*given]}
