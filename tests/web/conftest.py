"""A provider for the tests of the web application."""

from __future__ import annotations

import pytest

from oidc_auth.testing import LocalIssuer


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider with keys that are fast to create."""
    return LocalIssuer(algorithm="ES256")
