"""Providers as data: what a provider fixes, so that an operator writes its address, the audience and the grants.

A preset is a value. ``presets.keycloak(...)`` returns a plain ``[[issuer]]`` mapping, not validated yet: it may be
changed, printed, or written to a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Grants = Mapping[str, Mapping[str, Sequence[str]] | Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one provider fixes.

    Attributes:
        parameter: the key that stands in for ``issuer``: the address as people know it.
        issuer: turns it into the issuer exactly as the provider spells it.
        defaults: ``[[issuer]]`` keys that fit the provider's tokens.
        accepts: the claims that naturally carry permission names; the default grant takes them, when there is no other.
        source: where each of this is documented.
    """

    parameter: str
    issuer: Callable[[str], str]
    accepts: tuple[str, ...]
    source: str
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _as_given(issuer: str) -> str:
    return issuer


def _without_slash(url: str) -> str:
    return url.rstrip("/")


def _domain_with_slash(domain: str) -> str:
    return f"https://{domain.removeprefix('https://').rstrip('/')}/"


PRESETS: Mapping[str, Preset] = {
    "generic": Preset(
        parameter="issuer",
        issuer=_as_given,
        accepts=("scope", "scp"),
        source="RFC 9068 §2.2.3: scope; Okta, Entra and Hydra write scp",
    ),
    "keycloak": Preset(
        parameter="url",
        issuer=_without_slash,
        accepts=("scope",),
        defaults={"display_name": "preferred_username"},
        source="Keycloak 26.7 discovery: the issuer is <host>/realms/<realm>, without a slash; tokens as captured",
    ),
    "auth0": Preset(
        parameter="domain",
        issuer=_domain_with_slash,
        accepts=("permissions", "scope"),
        source="Auth0 docs, access token profiles: iss is https://<domain>/, with the slash; RBAC writes permissions",
    ),
}


def generic(
    issuer: str, *, audience: str | Sequence[str], grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return an ``[[issuer]]`` mapping for any OpenID provider.

    Args:
        issuer: the issuer, exactly as its discovery document spells it.
        audience: this API's name (one of several) in ``aud``.
        grants: claim to ``{value: [permission or role]}``, or claim to a list of permissions taken as they are.
        **settings: any other key of ``[[issuer]]``.
    """
    return _filled("generic", issuer, audience, grants, settings)


def keycloak(
    url: str, *, audience: str | Sequence[str], grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return an ``[[issuer]]`` mapping for a Keycloak realm.

    Args:
        url: the realm's address, ``https://sso.acme.com/realms/acme``, which is the issuer.
        audience: the client id that stands for this API; clients need an Audience mapper for it.
        grants: as in ``generic``; claims are ``realm_access.roles``, ``resource_access."<client>".roles``, ``groups``.
        **settings: any other key of ``[[issuer]]``.
    """
    return _filled("keycloak", url, audience, grants, settings)


def auth0(
    domain: str, *, audience: str | Sequence[str], grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return an ``[[issuer]]`` mapping for an Auth0 tenant.

    Args:
        domain: the tenant's domain, ``acme.eu.auth0.com``.
        audience: the identifier of the API in Auth0 (not of an application).
        grants: as in ``generic``; claims are ``permissions``, ``scope`` and namespaced ones.
        **settings: any other key of ``[[issuer]]``.
    """
    return _filled("auth0", domain, audience, grants, settings)


def _filled(
    name: str, address: str, audience: str | Sequence[str], grants: Grants | None, settings: Mapping[str, object]
) -> dict[str, Any]:
    table: dict[str, Any] = {"preset": name, PRESETS[name].parameter: address, "audience": audience, **settings}
    if grants is not None:
        more = table.get("grant", [])
        table["grant"] = [*([more] if isinstance(more, Mapping) else more), *(_grant(*each) for each in grants.items())]
    return table


def _grant(claim: str, given: Mapping[str, Sequence[str]] | Sequence[str]) -> dict[str, Any]:
    # A mapping maps values; a list accepts names. A lone string would be a list of letters: it is one name.
    if isinstance(given, str):
        return {"claim": claim, "accept": [given]}
    return {"claim": claim, "values": given} if isinstance(given, Mapping) else {"claim": claim, "accept": [*given]}


def preset_of(table: Mapping[str, Any]) -> Preset | None:
    """Return the preset that an ``[[issuer]]`` table names, or None when it names none there is."""
    name = table.get("preset")
    return PRESETS.get(name) if isinstance(name, str) else None


def expanded(table: dict[str, Any]) -> dict[str, Any]:
    """Return an ``[[issuer]]`` table with what its preset fixes; an unknown preset is left for the lint to name."""
    preset = preset_of(table)
    if preset is None:
        return table
    filled = {**preset.defaults, **table}
    address = filled.get(preset.parameter)
    # An address of another type, or one beside an issuer, is left for the lint to name.
    if isinstance(address, str) and (preset.parameter == "issuer" or "issuer" not in filled):
        del filled[preset.parameter]
        filled["issuer"] = preset.issuer(address)
    # Issuer and audience alone are a working configuration; an explicit map is the whole map.
    filled.setdefault("grant", [{"claim": claim, "accept": ["*"]} for claim in preset.accepts])
    return filled
