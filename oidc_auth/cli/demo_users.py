"""Who takes part in the demo: names, tenants, roles, and a token for each."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING

from ..testing import LocalIssuer
from ..testing.signing import SigningKey, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

AUDIENCE = "agents"

USERS: Mapping[str, tuple[str, str]] = {
    "alice": ("editor", "acme"),
    "bob": ("editor", "globex"),
    "victor": ("viewer", "acme"),
    "ada": ("admin", "acme"),
    "eve": ("admin", "globex"),
    "carol": ("builder", "acme"),
    "robot": ("robot", "acme"),
    "guest": ("visitor", "acme"),
}
"""Each one's role and tenant, as the quickstart's configuration knows them; nobody gave a visitor anything."""


def user_token(issuer: LocalIssuer, name: str, lifetime: float = 3600) -> str:
    """Return a token for one of them."""
    role, tenant = USERS[name]
    return issuer.token(name, audience=AUDIENCE, lifetime=lifetime, roles=[role], org=tenant)


def invalid_tokens(issuer: LocalIssuer) -> dict[str, tuple[str, str]]:
    """Return tokens that must be refused: what is wrong with each, the token, and the code it must get."""
    good = user_token(issuer, "alice")
    other = LocalIssuer(f"{issuer.url}/other")
    return {
        "token_expired": (user_token(issuer, "alice", lifetime=-60), "token_expired"),
        "for another audience": (issuer.token("alice", audience="billing"), "audience_mismatch"),
        "one character of the payload changed": (_change_subject(good), "token_invalid"),
        "signed by another key": (issuer.token("alice", key=SigningKey.make("stray", "RS256")), "key_not_found"),
        "of an issuer that is not configured": (other.token("alice", audience=AUDIENCE), "issuer_not_trusted"),
    }


def _change_subject(token: str) -> str:
    """Return the token with one letter of the subject changed, and the signature left as it was."""
    header, payload_segment, signature = token.split(".")
    payload = json.loads(_decoded(payload_segment))
    payload["sub"] = "alicf"
    return f"{header}.{encode_base64url(json.dumps(payload).encode())}.{signature}"


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
