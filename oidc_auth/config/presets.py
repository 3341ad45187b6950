"""Providers by name: a function for each, which returns a plain ``[[issuer]]`` mapping, not validated yet.

It may be changed, printed, or written to a file. What a provider fixes stands in ``providers``.

Every function takes ``audience``, this API's name (one of several) in ``aud``; ``grants``, claim to ``{value:
[permission or role]}``, or claim to a list of permissions that are taken as they are; and any other key of
``[[issuer]]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ..json_values import is_list
from .providers import PRESETS
from .raw import strings_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .providers import Preset

    Grants = Mapping[str, Mapping[str, Sequence[str]] | Sequence[str]]
    Audience = str | Sequence[str]


def generic(issuer: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for any OpenID provider; ``issuer`` exactly as its discovery document spells it."""
    return _filled("generic", {"issuer": issuer, "audience": audience}, grants, settings)


def auth0(domain: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for an Auth0 tenant: ``acme.eu.auth0.com``; ``audience`` is the API's identifier there."""
    return _filled("auth0", {"domain": domain, "audience": audience}, grants, settings)


def keycloak(url: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a Keycloak realm: ``https://sso.acme.com/realms/acme``.

    ``audience`` is the client that stands for this API; clients need an Audience mapper for it. Roles are in
    ``realm_access.roles`` and ``resource_access."<client>".roles``.
    """
    return _filled("keycloak", {"url": url, "audience": audience}, grants, settings)


def entra(tenants: Audience, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for Microsoft Entra ID, one or several tenants by GUID; ``audience`` is the API's client id.

    Tokens of version 1.0 only with ``aliases=["https://sts.windows.net/{tenantid}/"]``.
    """
    return _filled("entra", {"tenants": tenants, "audience": audience}, grants, settings)


def okta(url: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a custom authorization server of Okta: ``https://acme.okta.com/oauth2/default``."""
    return _filled("okta", {"url": url, "audience": audience}, grants, settings)


def cognito(
    region: str,
    user_pool: str,
    *,
    audience: Audience | None = None,
    grants: Grants | None = None,
    **settings: object,
) -> dict[str, Any]:
    """Return the mapping for an Amazon Cognito user pool.

    Its access tokens name no audience: give ``client_claim``, beside a grant on ``scope`` with ``strip_prefix``, the
    resource server's identifier and a slash. A token without such a scope is refused, whatever its groups.
    """
    return _filled("cognito", {"region": region, "user_pool": user_pool, "audience": audience}, grants, settings)


def google(*, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for Google's ID tokens; ``audience`` is the client id, and ``require`` says whose they are."""
    return _filled("google", {"audience": audience}, grants, settings)


def google_iap(*, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for Google's Identity-Aware Proxy; ``audience`` is ``/projects/<number>/...``."""
    return _filled("google-iap", {"audience": audience}, grants, settings)


def zitadel(url: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a Zitadel instance; ``audience`` is the project's id, or give ``project_id`` beside it.

    A role of this project is required. Grants of your own read ``urn:zitadel:iam:org:project:<id>:roles``.
    """
    return _filled("zitadel", {"url": url, "audience": audience}, grants, settings)


def authentik(url: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a provider of authentik: ``https://auth.acme.com/application/o/<slug>/``.

    ``audience`` is its client id. Let its subject mode be the user's id: e-mail addresses and names change hands.
    """
    return _filled("authentik", {"url": url, "audience": audience}, grants, settings)


def supabase(
    project: str, *, audience: Audience | None = None, grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a Supabase project; anonymous users and API keys are refused.

    Map claims below ``app_metadata``: users write their ``user_metadata`` themselves.
    """
    return _filled("supabase", {"project": project, "audience": audience}, grants, settings)


def clerk(
    url: str, *, audience: Audience | None = None, grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a Clerk instance: ``https://clerk.acme.com``, its Frontend API URL.

    Session tokens name no audience: give ``client_claim`` on ``azp``, the application's origin, beside ``require``.
    """
    return _filled("clerk", {"url": url, "audience": audience}, grants, settings)


def workos(
    client_id: str, *, audience: Audience | None = None, grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a WorkOS AuthKit client; let its JWT template add an ``aud``."""
    return _filled("workos", {"client_id": client_id, "audience": audience}, grants, settings)


def github_actions(*, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for GitHub Actions; it signs for everybody: ``require`` must say whose repositories."""
    return _filled("github-actions", {"audience": audience}, grants, settings)


def kubernetes(issuer: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a cluster's service accounts; every pod may ask for any audience: map ``sub``."""
    return _filled("kubernetes", {"issuer": issuer, "audience": audience}, grants, settings)


def _filled(
    name: str, given: Mapping[str, object], grants: Grants | None, settings: Mapping[str, object]
) -> dict[str, Any]:
    written = {key: value for key, value in given.items() if value is not None}
    table: dict[str, Any] = {"preset": name, **written, **settings}
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
    filled = dict(table)
    known = {**_parameters(filled, preset), **_defaults(filled, preset)}
    names = (*preset.parameters, *preset.defaults)
    # An issuer of the operator's own has no other names, and keys at hand have no address.
    own = {"aliases"} if "issuer" in table else set[str]()
    own |= {"jwks_url"} if "jwks" in table else set[str]()
    for name, fixed in preset.settings.items():
        if name not in own:
            _fill(filled, name, _with(fixed.value, known, names))
    # Issuer and audience alone are a working configuration; an explicit map is the whole map. An ID token has none.
    if preset.grants.value and filled.get("token_type") != "id":
        grants = [{**grant, "claim": _with(grant["claim"], known, names)} for grant in preset.grants.value]
        filled.setdefault("grant", [{**grant, "accept": ["*"]} for grant in grants])
    return filled


def _parameters(filled: dict[str, Any], preset: Preset) -> dict[str, str]:
    """Put the issuer in the place of the parameters, and return what may stand in the preset's texts.

    Parameters of another type, incomplete ones, or ones beside an issuer are left for the lint to name.
    """
    given = {name: _tidy(name, filled[name]) for name in preset.parameters if isinstance(filled.get(name), str)}
    complete = len(given) == len(preset.parameters) and (not preset.wants or preset.wants in filled)
    if complete and "issuer" not in filled:
        for name in preset.parameters:
            del filled[name]
        filled["issuer"] = _with(preset.issuer.value, given, ())
    issuer = filled.get("issuer")
    return {**given, "issuer": issuer} if isinstance(issuer, str) else given


def _defaults(filled: dict[str, Any], preset: Preset) -> dict[str, str]:
    """Take out the parameters that may be left out, and return them; one that is not known is left as None."""
    found: dict[str, str] = {}
    for name, key in preset.defaults.items():
        values = strings_in(filled.get(key))
        written = filled.setdefault(name, values[0] if len(values) == 1 else None)
        if isinstance(written, str) and written:
            found[name] = filled.pop(name)
    return found


def _tidy(name: str, value: str) -> str:
    """Return an address as people write it in the one form that the texts of ``providers`` expect."""
    if name == "issuer":
        return value
    return value.removeprefix("https://").rstrip("/") if name == "domain" else value.rstrip("/")


def _fill(filled: dict[str, Any], name: str, value: object) -> None:
    """Add a setting where there is none; conditions are joined, so that an operator's own do not lift a preset's."""
    written = filled.get(name)
    if name == "require" and isinstance(written, dict):
        filled[name] = {**cast("dict[str, Any]", value), **cast("dict[str, Any]", written)}
    elif name == "required_claims" and isinstance(written, list) and value is not None:
        filled[name] = [*cast("list[Any]", value), *written]
    elif value is not None:
        filled.setdefault(name, value)


def _with(value: object, known: Mapping[str, str], parameters: tuple[str, ...]) -> object:
    """Return a value with its parameters filled in; None where one is not known: the issuer was given instead."""
    if is_list(value):
        members = [_with(member, known, parameters) for member in value]
        return None if None in members else members
    if not isinstance(value, str):
        return value
    for name, text in known.items():
        value = value.replace(f"{{{name}}}", text)
    return None if any(f"{{{name}}}" in value for name in parameters) else value
