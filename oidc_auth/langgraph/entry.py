"""The entry point that langgraph.json names: the configuration is found, or the server does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..auth import OIDCAuth
from ..errors import OIDCAuthError
from .protect import protect

if TYPE_CHECKING:
    from langgraph_sdk import Auth


class ConfigurationStop(SystemExit):
    """Ends the server with the whole report on stderr.

    No ``Exception``: a server that logs those and goes on (Aegra does) would serve everybody as anonymous.
    """


def server_auth() -> Auth:
    """Return the ``Auth`` object of the one configuration in the environment.

    Raises:
        ConfigurationStop: there is none, or it is wrong, or anything else went wrong while it was read; or this version
            of the server is not supported.
    """
    try:
        return protect(OIDCAuth.from_env())
    except OIDCAuthError as error:
        raise ConfigurationStop(f"oidc_auth: {error.report()}") from None
    except Exception as error:
        raise ConfigurationStop(f"oidc_auth: the configuration could not be used: {error!r}") from error
