"""Presets: a function for each provider, which returns a plain ``[[issuer]]`` mapping.

The mapping is not validated yet. You may change it, print it, or write it to a file. ``docs/providers.md`` lists what
each preset sets.

Every function takes ``audience``, this API's name (or several) in ``aud``. ``grants`` maps a claim to ``{value:
[permission or role]}``, or to a list of permissions that are accepted as they are. All other keys of ``[[issuer]]`` are
allowed too.
"""

from __future__ import annotations

from .auth0 import auth0
from .authentik import authentik
from .clerk import clerk
from .cognito import cognito
from .entra import entra
from .generic import generic
from .github_actions import github_actions
from .google import google
from .google_iap import google_iap
from .keycloak import keycloak
from .kubernetes import kubernetes
from .okta import okta
from .supabase import supabase
from .workos import workos
from .zitadel import zitadel

__all__ = [
    "auth0",
    "authentik",
    "clerk",
    "cognito",
    "entra",
    "generic",
    "github_actions",
    "google",
    "google_iap",
    "keycloak",
    "kubernetes",
    "okta",
    "supabase",
    "workos",
    "zitadel",
]
