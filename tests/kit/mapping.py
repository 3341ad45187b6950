"""An issuer with inline keys, for tests of permissions and configuration."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer

from .clock import NOON
from .tokens import sign_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from oidc_auth import Caller

    Mapper = Callable[[Mapping[str, object], Caller], Caller]

URL = "https://issuer.test"
NOW = int(NOON)
ISSUER = LocalIssuer(URL, algorithm="ES256")
USERS = {"claim": "roles", "values": {"user": ["threads:read"]}}
TOML = f"""
[[issuer]]
issuer = "{URL}"
audience = "agents"
[[issuer.permission_map]]
claim = "roles"
values = {{ user = ["threads:read"] }}
"""


def table(**changes: Any) -> dict[str, Any]:
    """Return a valid ``[[issuer]]`` table with changes. ``...`` removes a key."""
    valid = {"issuer": URL, "audience": "agents", "jwks": ISSUER.key_set(), "permission_map": [USERS]}
    return {key: value for key, value in {**valid, **changes}.items() if value is not ...}


def write_toml(folder: Path, text: str = TOML, name: str = "oidc-auth.toml") -> Path:
    """Write a configuration into a folder."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def configured(
    *permission_maps: Mapping[str, Any],
    roles: Mapping[str, Any] | None = None,
    mapper: Mapper | None = None,
    **issuer: Any,
) -> OIDCAuth:
    """Return an OIDCAuth with these permission maps."""
    document = {
        "issuer": table(permission_map=[dict(permission_map) for permission_map in permission_maps], **issuer),
        "roles": dict(roles or {}),
    }
    return OIDCAuth.from_dict(document, clock=lambda: NOW, mapper=mapper)


def token(**claims: Any) -> str:
    """Return a signed token. ``...`` removes a claim, None means JSON null."""
    return sign_token(ISSUER, **{"iat": NOW, "exp": NOW + 300, **claims})


def authenticated(oidc: OIDCAuth, **claims: Any) -> Caller:
    """Return the caller of a token with these claims."""
    return bearer(oidc, token(**claims))


def bearer(oidc: OIDCAuth, text: str) -> Caller:
    """Return the caller of a token."""
    return asyncio.run(oidc.authenticate({"authorization": f"Bearer {text}"}))


def names(oidc: OIDCAuth, **claims: Any) -> list[str]:
    """Return the permissions of a token with these claims."""
    # ``explain`` must give the same permissions.
    caller = authenticated(oidc, **claims)
    why = oidc.explain({"sub": "alice", **claims})
    assert (why.rights, why.tenancy) == (caller.rights, caller.tenancy)
    assert not why.rights or why.graphs == caller.graphs
    return caller.permissions
