"""The entry point for aegra.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..authentication import OIDCAuth
from ..langgraph.server_entry import build_or_exit
from ..tokens.policy import RESERVED_IDENTITIES
from .protect import protect

if TYPE_CHECKING:
    from langgraph_sdk import Auth


class AegraOIDCAuth(OIDCAuth):
    """The authenticator of a server that encodes identities: a user can be named ``*``."""

    reserved_identities: ClassVar[frozenset[str]] = RESERVED_IDENTITIES - {"*"}


def server_auth() -> Auth:
    """Return the ``Auth`` object for the configuration in the environment.

    Raises:
        ConfigurationExit: the configuration is missing, wrong or not readable, or Aegra cannot enforce it. Aegra then
            refuses all requests.
    """
    return build_or_exit(protect, AegraOIDCAuth)
