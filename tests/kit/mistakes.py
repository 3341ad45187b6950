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


def find_mistake(document: Mapping[str, Any]) -> Problem:
    """Return the only mistake of a document."""
    found = problems(document)
    assert len(found) == 1, found
    return found[0]


def told(problem: Problem) -> str:
    """Return the message and the hint of a problem."""
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message
