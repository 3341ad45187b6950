"""The decision of one event on Aegra."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from ..enforcement.authorize import ServerFacts
from ..enforcement.decision import Decision, deny
from ..enforcement.enforce import enforce
from ..errors import ErrorCode
from ..permissions.caller import AEGRA_MODULE
from .event_rules import AEGRA_RULES

if TYPE_CHECKING:
    from ..authentication import OIDCAuth
    from ..enforcement.access_request import Value

# Aegra has no access for Studio. Its scheduler and its workers never call a handler.
FACTS = ServerFacts(is_studio=False, in_request=True, expiry_leeway=None, rules=AEGRA_RULES)


def decide(user: object, event: str, value: Value, oidc: OIDCAuth) -> Decision:
    """Decide an event, and write the result into its value."""
    if type(user).__module__ != AEGRA_MODULE:
        # Another server needs the filters and namespaces that these rules leave to Aegra.
        client_message = 'this server is not Aegra: set auth.path to "oidc_auth.langgraph:auth" in langgraph.json'
        return deny(event, ErrorCode.USER_UNKNOWN, client_message)
    return enforce(_view(user), event, value, oidc.enforcement, oidc.clock(), FACTS)


def _view(user: object) -> SimpleNamespace:
    """Return what the rules read of a user. The tenant is in the identity, and threads of runs have no other."""
    return SimpleNamespace(
        identity=getattr(user, "identity", None),
        permissions=getattr(user, "permissions", None),
        # A user without graphs does not come from our hook, and may start none.
        graphs=getattr(user, "graphs", ()),
        has_tenants=False,
    )
