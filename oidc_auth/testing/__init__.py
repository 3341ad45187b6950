"""Tools for tests: an OpenID provider that lives in the test's own process. Never for production."""

from __future__ import annotations

from .issuer import Fault, LocalIssuer

__all__ = ["Fault", "LocalIssuer"]
