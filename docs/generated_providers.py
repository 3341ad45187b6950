"""The page of all presets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from markers import GENERATED, page, table

from oidc_auth.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidc_auth.errors import ErrorCode
    from oidc_auth.providers.record import Provider


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
There are {len(PROVIDERS)} presets. `oidc-auth init PRESET` writes a configuration and lists the steps in the provider's
console. A value in your file replaces the value of the preset. Only `require` is merged.

[Keycloak](providers/keycloak.md), [Auth0](providers/auth0.md), [Entra](providers/entra.md), [Okta](providers/okta.md)
and [Cognito](providers/cognito.md) have complete guides. Programs, GitHub Actions and Kubernetes are in
[service accounts](providers/service-accounts.md). If your provider is not listed, see [other providers](recipes.md).
""",
        *(part for provider in PROVIDERS.values() for part in _provider(provider)),
        GENERATED,
    )


def _provider(provider: Provider) -> list[str]:
    form = provider.issuer
    keys = ", ".join(f"`{key}`" for key in form.keys if key != "issuer")
    takes = f"Set {keys}, or `issuer`." if keys else "Set `issuer`." if "{issuer}" in form.template else ""
    others = [f"Set `{key}` if it differs from `{other}`." for key, other in form.defaults.items()]
    aliases = ", ".join(f"`{alias}`" for alias in provider.aliases)
    also = [f"`oidc-auth init` also accepts the names {aliases}."] if aliases else []
    text = " ".join([*([takes] if takes else []), *others, *also])
    notes = "\n".join(provider.notes).strip()
    hints = table(["error", "usual cause"], [*_hints(provider)]) if [*_hints(provider)] else ""
    parts = [f"## {provider.name}", text, notes, _preset_table(provider), hints]
    return [part for part in parts if part]


def _preset_table(provider: Provider) -> str:
    form, tokens = provider.issuer, provider.tokens
    claims = ", ".join(
        f"`{'.'.join(_keys(permission_map['claim']))}`{' (its keys)' if _reads_keys(permission_map) else ''}"
        for permission_map in tokens.permission_maps.value
    )
    rows = [["`issuer`", f"`{form.template}`", form.source]]
    rows += [[f"`{key}`", f"`{_written(fixed.value)}`", fixed.source] for key, fixed in tokens.settings.items()]
    rows += [["default permission map", claims or "none, write your own", tokens.permission_maps.source]]
    return table(["key", "value", "source"], rows)


def _hints(provider: Provider) -> Iterator[list[str]]:
    mistakes = [(mistake.code, mistake.hint) for mistake in provider.mistakes]
    # A usual cause can also be the hint of a mistake.
    known = {hint for _, hint in mistakes}
    others = [(code, hint) for code, hint in provider.hints.items() if hint not in known]
    yield from (_hint(code, hint) for code, hint in (*mistakes, *others))


def _hint(code: ErrorCode, hint: str) -> list[str]:
    texts = {"{the_client}": "the client", "{client}": "`<client>`", "{audience}": "`<audience>`"}
    texts |= {"{kind}": "refresh, offline or logout", "{issuer}": "the token's `iss`"}
    for placeholder, text in texts.items():
        hint = hint.replace(placeholder, text)
    return [f"`{code}`", hint]


def _reads_keys(permission_map: Mapping[str, object]) -> bool:
    return any(permission_map.get(key) for key in ("object_keys", "keys"))


def _keys(claim: str | list[str]) -> list[str]:
    return [claim] if isinstance(claim, str) else claim


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
