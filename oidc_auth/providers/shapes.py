"""The claims of access tokens as providers write them: ``oidc_token(**shapes.keycloak(roles=["agent-user"]))``.

Each function returns the claims that the provider documents, in addition to the standard ones. A value of None leaves
the claim out of the token.
"""

from __future__ import annotations

from .auth0 import sample_claims as auth0
from .cognito import sample_claims as cognito
from .entra import sample_claims as entra
from .github_actions import sample_claims as github_actions
from .keycloak import sample_claims as keycloak
from .okta import sample_claims as okta

__all__ = ["auth0", "cognito", "entra", "github_actions", "keycloak", "okta"]
