"""Configurations with mistakes, and what an operator is told about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import ConfigError, OIDCAuth

from .mapping import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.errors import Problem

CLIENT = {"claim": "client_id", "values": ["WEB"]}


def problems(document: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return what is wrong with a document."""
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict(document)
    return caught.value.problems


def issuer(**changes: Any) -> dict[str, Any]:
    """Return a document with one issuer."""
    return {"issuer": table(**changes)}


def granting(**permission_map: Any) -> dict[str, Any]:
    """Return a document with one permission map, on scopes."""
    return issuer(permission_map={"claim": "scope", **permission_map})


def with_roles(**roles: Any) -> dict[str, Any]:
    """Return a document with roles."""
    return {**issuer(), "roles": roles}


def check_mistake(document: Mapping[str, Any], where: str, message: str, hint: str) -> None:
    """Check that a document has one mistake, at a place, with these words in its message and hint."""
    found = problems(document)
    assert len(found) == 1, found
    assert found[0].where.startswith(where) if not message else found[0].where == where
    assert message in found[0].message
    assert hint in found[0].hint
