"""Expansion of presets: the settings of the provider are added to an ``[[issuer]]`` table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..json_values import is_list, is_object
from ..providers import PROVIDERS
from ..tokens.policy import ANY_VALUE
from .raw_document import read_strings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..providers.record import IssuerForm, Provider


def preset_of(table: Mapping[str, Any]) -> Provider | None:
    """Return the provider that an ``[[issuer]]`` table names as its preset, or None."""
    name = table.get("preset")
    return PROVIDERS.get(name) if isinstance(name, str) else None


def expanded(table: dict[str, Any]) -> dict[str, Any]:
    """Return an ``[[issuer]]`` table with the settings of its preset.

    An unknown preset is left for ``lint`` to report.
    """
    provider = preset_of(table)
    if provider is None:
        return table
    form, tokens = provider.issuer, provider.tokens
    # A copy, because lint also needs the table as the operator wrote it.
    filled = dict(table)
    known = {**_parameters(filled, form), **_defaults(filled, form)}
    names = (*form.replaced_keys, *form.defaults)
    # If the operator wrote the issuer, the aliases of the preset do not fit. Keys in the file have no address.
    own = {"aliases"} if "issuer" in table else set[str]()
    own |= {"jwks_uri"} if "jwks" in table else set[str]()
    for name, fixed in tokens.settings.items():
        if name not in own:
            _fill(filled, name, _with(fixed.value, known, names))
    # Issuer and audience alone are a working configuration. A written map replaces the default one. ID tokens carry no
    # permissions.
    if tokens.permission_maps.value and filled.get("token_type") != "id":
        permission_maps = [
            {**permission_map, "claim": _with(permission_map["claim"], known, names)}
            for permission_map in tokens.permission_maps.value
        ]
        filled.setdefault("permission_map", [{**permission_map, "accept": ["*"]} for permission_map in permission_maps])
    return filled


def _parameters(filled: dict[str, Any], form: IssuerForm) -> dict[str, str]:
    """Replace the parameters by the issuer, and return the values of the placeholders.

    Parameters of a wrong type, incomplete ones, and ones next to an issuer are left for ``lint`` to report.
    """
    given = {name: _tidy(name, filled[name]) for name in form.replaced_keys if isinstance(filled.get(name), str)}
    # Half of the parameters would leave a placeholder in the issuer.
    complete = len(given) == len(form.replaced_keys) and all(key in filled for key in form.keys)
    if complete and "issuer" not in filled:
        for name in form.replaced_keys:
            # The schema does not have the parameters of presets, and would report an unknown key.
            del filled[name]
        filled["issuer"] = _with(form.template, given, ())
    issuer = filled.get("issuer")
    return {**given, "issuer": issuer} if isinstance(issuer, str) else given


def _defaults(filled: dict[str, Any], form: IssuerForm) -> dict[str, str]:
    """Remove the optional parameters, and return them. One without a value is left as None."""
    found: dict[str, str] = {}
    for name, key in form.defaults.items():
        values = read_strings(filled.get(key))
        # Of several audiences, the preset cannot know which one is the project. With None, lint reports it.
        written = filled.setdefault(name, values[0] if len(values) == 1 else None)
        if isinstance(written, str) and written:
            found[name] = filled.pop(name)
    return found


def _tidy(name: str, value: str) -> str:
    """Return an address in the form that the templates of ``providers`` expect."""
    # iss is compared character by character, so its final slash counts (OpenID Connect Discovery §4.3).
    if name == "issuer":
        return value
    # People copy these addresses from a browser, with scheme and slash. The template adds what the issuer has.
    return value.removeprefix("https://").rstrip("/") if name == "domain" else value.rstrip("/")


def _fill(filled: dict[str, Any], name: str, value: object) -> None:
    """Add a setting that is not written. Conditions are merged, so that those of the preset remain."""
    written = filled.get(name)
    if name == "require" and is_object(written) and is_object(value):
        # "*" asks for less than the value that the preset requires, so it does not replace it.
        kept = {path: values for path, values in written.items() if path not in value or values != [ANY_VALUE]}
        filled[name] = {**value, **kept}
    elif value is not None:
        filled.setdefault(name, value)


def _with(value: object, known: Mapping[str, str], parameters: tuple[str, ...]) -> object:
    """Return a value with its placeholders filled in, or None if one has no value."""
    if is_list(value):
        members = [_with(member, known, parameters) for member in value]
        return None if None in members else members
    if is_object(value):
        filled = {_with(key, known, parameters): _with(member, known, parameters) for key, member in value.items()}
        return None if None in filled or None in filled.values() else filled
    if not isinstance(value, str):
        return value
    for name, text in known.items():
        value = value.replace(f"{{{name}}}", text)
    # A claim path with a placeholder in it matches no token. Leaving the setting out lets lint report it.
    return None if any(f"{{{name}}}" in value for name in parameters) else value
