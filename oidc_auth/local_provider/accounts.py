"""Users and clients of the local provider."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..quoting import quote
from .addresses import is_loopback_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESERVED_CLAIMS = frozenset(
    {
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "sid",
        "client_id",
        "scope",
        "azp",
        "nonce",
        "auth_time",
        "at_hash",
        "c_hash",
        "events",
        "cnf",
        "act",
    }
)
"""The claims that the provider sets itself."""

# One line without spaces, because the terminal, the login page and the name of a file show it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)


class SettingsError(ValueError):
    """A user or a client is not valid."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the login page.

    Attributes:
        name: the claim ``sub``.
        claims: more claims of access tokens, ID tokens and the userinfo endpoint.
    """

    name: str
    # Not in the repr: logs must not contain claims.
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def __post_init__(self) -> None:
        """Check the values."""
        _check_name("user", self.name)
        _check_claims(f"user {self.name}", self.claims)


@dataclass(frozen=True, slots=True)
class Client:
    """An application that logs users in, or a program with its own tokens.

    Attributes:
        id: the client ID.
        secret: None makes a public client, such as an application in a browser.
        redirect_uris: the allowed addresses after a login. None allows every address on this computer.
        post_logout_redirect_uris: the allowed addresses after a logout. None allows every address on this computer.
        backchannel_logout_uri: receives logout tokens.
        claims: more claims of the client's own tokens (client credentials).
    """

    id: str
    secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] | None = None
    post_logout_redirect_uris: tuple[str, ...] | None = None
    backchannel_logout_uri: str | None = None
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def __post_init__(self) -> None:
        """Check the values."""
        _check_name("client", self.id)
        _check_claims(f"client {self.id}", self.claims)
        if self.secret == "":
            raise SettingsError(f"client {self.id}: the secret is empty. Omit it to make a public client.")
        for uri in self._uris():
            if not is_loopback_uri(uri):
                raise SettingsError(
                    f"client {self.id}: the address {quote(uri)} is not allowed. Expected http:// or https:// with the "
                    "host 127.0.0.1, localhost or [::1], and without a fragment."
                )

    def _uris(self) -> Iterable[str]:
        yield from self.redirect_uris or ()
        yield from self.post_logout_redirect_uris or ()
        if self.backchannel_logout_uri is not None:
            yield self.backchannel_logout_uri


def index_accounts(users: Iterable[User], clients: Iterable[Client]) -> tuple[dict[str, User], dict[str, Client]]:
    """Return users by name and clients by ID.

    Raises:
        SettingsError: A name occurs twice, or there is no user.
    """
    user_list, client_list = list(users), list(clients)
    names = [each.name for each in user_list] + [each.id for each in client_list]
    # A client's own token has its ID as the claim sub. With the same name, the client would be the user (RFC 9068 §5).
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"The name {quote(name)} occurs twice. Users and clients need different names.")
    if not user_list:
        raise SettingsError('No user is defined. Add one: [[user]] name = "alice"')
    return {each.name: each for each in user_list}, {each.id: each for each in client_list}


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{kind} {quote(name)}: the name is not allowed. Expected 1 to 64 letters, digits or the characters "
            ". _ @ -, with a letter or digit first."
        )


def _check_claims(owner: str, claims: Mapping[str, object]) -> None:
    for name in claims:
        if name in RESERVED_CLAIMS:
            raise SettingsError(f"{owner}: the provider sets the claim {quote(name)} itself. Remove it.")
