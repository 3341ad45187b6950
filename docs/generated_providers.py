"""The page of all presets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from markers import GENERATED, page, table

from oidc_auth.config.providers import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.config.providers import Preset

ID_TOKENS_TOO = """
An ID token for the same client ID is accepted like an access token, because the two cannot be distinguished. Register a
separate application for this API. Users must not log in to that application.
"""
PROVIDER_NOTES: Mapping[str, str] = {
    "entra": f"`audience` is the client ID of the API, which is a GUID.\n{ID_TOKENS_TOO}",
    "authentik": f"`audience` is always a client ID. The library logs a warning at start.\n{ID_TOKENS_TOO}",
    "cognito": """
Cognito's access tokens have no audience. Set `client_claim` to the allowed clients, and use a scope of your resource
server. The `strip_prefix` of each permission map on `scope` is the name of the resource server. A token without such a
scope is refused, also if its groups are listed.

Sign-in through the API (`InitiateAuth`) gives only the scope `aws.cognito.signin.user.admin`. Add a scope with a pre
token generation trigger. An `[issuer.require]` table replaces the scope.
""",
    "google": """
An Android or iOS app has its own client ID, which Google writes into `azp`. If the app requests tokens for your web
client (`audience`), list the app's client ID in `authorized_parties`. Also list the web client's ID if that client
calls this server too.
""",
    "google-iap": """
IAP adds the token to every request with the user's cookie, also to requests of other websites. Only pages of this
server's own origin are accepted. Add others with `allowed_origins`. See
[behind a proxy](recipes.md#behind-a-proxy-that-signs-requests).
""",
    "zitadel": """
The preset reads roles from the claim with your project's ID. The claim `urn:zitadel:iam:org:project:roles` has the
roles of the client's project, and any client can request your audience. So a permission map on it is an error.

Zitadel can assign a role for another organization. The library does not read for which organization a role was
assigned. So `@tenant` is an error for these roles. Use `@all` only for roles that you assign for no other organization.
""",
}


def providers() -> str:
    """Return the page of all presets."""
    return page(
        "# Providers",
        "This page is for operators who choose a preset and want to know which keys it sets.",
        """
```toml
[[issuer]]
preset = "okta"
url = "https://acme.okta.com/oauth2/default"
audience = "api://agents"
```
""",
        f"""
There are {len(PRESETS)} presets. `oidc-auth init PRESET` writes a configuration and lists the steps in the provider's
console. A value in your file replaces the value of the preset. Only `require` and `required_claims` are merged.

[Keycloak](providers/keycloak.md) and [Auth0](providers/auth0.md) have complete guides. If your provider is not listed,
see [other providers](recipes.md).
""",
        *(part for name, preset in PRESETS.items() for part in _provider(name, preset)),
        GENERATED,
    )


def _provider(name: str, preset: Preset) -> list[str]:
    keys = ", ".join(f"`{key}`" for key in preset.keys if key != "issuer")
    takes = f"Set {keys}, or `issuer`." if keys else "Set `issuer`." if "{issuer}" in preset.issuer.value else ""
    others = [f"Set `{key}` if it differs from `{other}`." for key, other in preset.defaults.items()]
    text = " ".join([*([takes] if takes else []), *others])
    notes = PROVIDER_NOTES.get(name, "")
    return [f"## {name}", *([text] if text else []), *([notes] if notes else []), _preset_table(preset)]


def _preset_table(preset: Preset) -> str:
    claims = ", ".join(
        f"`{'.'.join(_keys(grant['claim']))}`{' (its keys)' if _reads_keys(grant) else ''}"
        for grant in preset.grants.value
    )
    rows = [["`issuer`", f"`{preset.issuer.value}`", preset.issuer.source]]
    rows += [[f"`{key}`", f"`{_written(fixed.value)}`", fixed.source] for key, fixed in preset.settings.items()]
    rows += [["default permission map", claims or "none, write your own", preset.grants.source]]
    return table(["key", "value", "source"], rows)


def _reads_keys(grant: Mapping[str, object]) -> bool:
    return any(grant.get(key) for key in ("object_keys", "keys"))


def _keys(claim: str | list[str]) -> list[str]:
    return [claim] if isinstance(claim, str) else claim


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
