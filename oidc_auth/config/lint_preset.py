"""Checks of a preset: its name, its parameters, and whether the issuer fits the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Problem
from ..providers import PROVIDERS
from ..providers.lookup import resolve_name
from .expand_presets import preset_of
from .raw_document import did_you_mean, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..providers.record import IssuerFault, IssuerForm
    from .raw_document import Table

PARAMETERS = frozenset(name for each in PROVIDERS.values() for name in each.issuer.replaced_keys) - {"issuer"}
PARAMETERS_WITH_DEFAULT = frozenset(name for each in PROVIDERS.values() for name in each.issuer.defaults)


def find_issuer_key(written: Table) -> str:
    """Return the key that holds the issuer in a table as the operator wrote it, such as ``url`` or ``domain``."""
    preset = preset_of(written)
    if "issuer" in written or preset is None:
        return "issuer"
    return next((key for key in preset.issuer.replaced_keys if key in written), "issuer")


def lint_preset(table: Table, where: str, issuer_key: str) -> Iterator[Problem]:
    """Yield the problems of the preset of an ``[[issuer]]`` table.

    Args:
        table: The table, with its preset expanded.
        where: Its key path.
        issuer_key: The key that holds the issuer in the operator's file.
    """
    name, preset = table.get("preset"), preset_of(table)
    if "preset" in table and preset is None:
        yield _unknown_preset(name, f"{where}.preset")
        return
    # An error and no warning: the server would start, and answer every request with 403.
    if not table.get("permission_map") and "default_role" not in table:
        hint = "add [[issuer.permission_map]]" if preset is not None else "add [[issuer.permission_map]], or a preset"
        yield Problem(where, "no permission map: callers would have no permissions", hint)
    if preset is not None:
        yield from _lint_parameters(table, where, str(name), preset.issuer)
    # An uncertain fault is only a warning, because many providers allow custom domains.
    if (fault := issuer_fault(table)) and fault.certain:
        yield Problem(f"{where}.{issuer_key}", fault.message, fault.hint)


def _unknown_preset(name: object, where: str) -> Problem:
    if not isinstance(name, str):
        return Problem(where, "should be a string")
    known, meant = ", ".join(sorted(PROVIDERS)), resolve_name(name)
    # People know providers by other names. Spelling alone would not find them.
    hint = f"did you mean {meant!r}?" if meant in PROVIDERS else did_you_mean(name, PROVIDERS)
    return Problem(where, f"unknown preset {name!r}; known: {known}", hint)


def _lint_parameters(table: Table, where: str, name: str, preset: IssuerForm) -> Iterator[Problem]:
    wanted = " and ".join(repr(key) for key in preset.keys)
    for key in preset.keys if "issuer" not in table else ():
        if key not in table:
            hint = f"write {wanted}, or 'issuer'" if key != "issuer" else "write the provider's issuer"
            yield Problem(f"{where}.{key}", "is missing", hint)
    # Also the parameters of other presets: after a change of preset, an old address must not stay without effect.
    for other in sorted((PARAMETERS | PARAMETERS_WITH_DEFAULT) & set(table)):
        if other in preset.defaults and table[other] in (None, ""):
            yield Problem(f"{where}.{other}", f"is missing: {preset.defaults[other]} is not one value", "write it out")
        elif other not in (*preset.replaced_keys, *preset.defaults):
            hint = f"this preset needs {wanted}" if wanted else "this preset has no address"
            yield Problem(f"{where}.{other}", f"does not belong to preset {name!r}", hint)
        elif "issuer" in table and other in preset.replaced_keys:
            yield Problem(f"{where}.{other}", "cannot be combined with issuer", "keep one of the two")
        elif not isinstance(table[other], str):
            yield Problem(f"{where}.{other}", f"should be a string; found {kind_of(table[other])}")


def issuer_fault(table: Table) -> IssuerFault | None:
    """Return why an issuer does not fit its preset, such as one without its final slash, or None."""
    preset, issuer = preset_of(table), table.get("issuer")
    # A missing variable is reported as such.
    if preset is None or not isinstance(issuer, str) or "${" in issuer:
        return None
    return preset.issuer.find_fault(issuer)
