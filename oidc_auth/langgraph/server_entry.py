"""The entry point for langgraph.json.

It is imported on first use only, because it reads the configuration. Without a valid one the server does not start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..authentication import OIDCAuth
from ..errors import OIDCAuthError
from .protect import protect

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph_sdk import Auth

T = TypeVar("T")


class ConfigurationExit(SystemExit):
    """Ends the server with the whole report on stderr.

    It is not an ``Exception``. Aegra logs exceptions, continues, and treats all users as anonymous.
    """


def server_auth() -> Auth:
    """Return the ``Auth`` object for the configuration in the environment.

    Raises:
        ConfigurationExit: the configuration is missing, wrong or not readable, or the server is not supported.
    """
    return build_or_exit(protect)


def build_or_exit(build: Callable[[OIDCAuth], T], kind: type[OIDCAuth] = OIDCAuth) -> T:
    """Return what ``build`` makes of the configuration in the environment, or end the process.

    Args:
        build: makes an object of the authenticator.
        kind: the class of the authenticator.

    Raises:
        ConfigurationExit: the configuration is missing, wrong or not readable, or the server is not supported.
    """
    try:
        return build(kind.from_env())
    except OIDCAuthError as error:
        # Not chained, because the report is complete and a traceback would hide it.
        raise ConfigurationExit(f"oidc_auth: {error.report()}") from None
    # Any error must end the process. Aegra would otherwise continue without authentication.
    except Exception as error:
        raise ConfigurationExit(f"oidc_auth: the configuration could not be used: {error!r}") from error
