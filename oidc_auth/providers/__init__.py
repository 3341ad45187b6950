"""One module for each OpenID provider, with one record of everything that is known about it.

To add a provider, write its module, and add it to ``_MODULES`` here and to ``presets``. Its test is one row of
``SAMPLES`` in ``tests/kit/provider_samples.py``. Then run ``python docs/generate.py`` and ``python -m
oidc_auth.config.schema_document``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    auth0,
    authentik,
    clerk,
    cognito,
    entra,
    generic,
    github_actions,
    google,
    google_iap,
    keycloak,
    kubernetes,
    okta,
    supabase,
    workos,
    zitadel,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .record import Provider

_MODULES = (
    generic,
    auth0,
    keycloak,
    entra,
    okta,
    cognito,
    google,
    google_iap,
    zitadel,
    authentik,
    supabase,
    clerk,
    workos,
    github_actions,
    kubernetes,
)

PROVIDERS: Mapping[str, Provider] = {module.PROVIDER.name: module.PROVIDER for module in _MODULES}
"""Each provider's record by its preset's name, in the order in which they are shown."""
