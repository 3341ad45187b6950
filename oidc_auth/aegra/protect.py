"""The ``Auth`` object of Aegra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langgraph_sdk import Auth

from ..errors import ConfigError
from ..langgraph.handlers import build_handler, deny_unknown
from ..permissions.names import EVENTS
from .handlers import decide
from .hook import build_hook
from .unsupported import find_unsupported

if TYPE_CHECKING:
    from ..authentication import OIDCAuth


def protect(oidc: OIDCAuth) -> Auth:
    """Return the ``Auth`` object for aegra.json, with a handler for every event.

    Raises:
        ConfigError: the configuration has settings that Aegra cannot enforce.
    """
    if problems := [*find_unsupported(oidc.loaded.document)]:
        raise ConfigError(problems, source=oidc.source)
    auth = Auth()
    auth.authenticate(build_hook(oidc))
    for event in EVENTS:
        resource, _, action = event.partition(":")
        # A handler for every event: the server allows an event without a handler.
        handler = build_handler(event, oidc, decide=decide)
        auth.on(resources=resource, actions=action)(cast("Any", handler))
    # The server falls back to this handler, so that a new event of a newer server is denied.
    auth.on(cast("Any", deny_unknown(oidc)))
    return auth
