"""Start each namespace of the store with its owner's label.

This is separate from ``ownership``, because servers ignore filters in the store. Only the namespace separates users.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from ..permissions.caller import LABEL_LENGTH, Caller, make_store_label
from ..permissions.names import Reach
from .decision import Decision, NoRestriction

if TYPE_CHECKING:
    from .access_request import Value
    from .decision import AllowedAccess

_LABEL = re.compile(rf"[0-9a-f]{{{LABEL_LENGTH}}}")
WILDCARD = "*"


def isolate_namespace(value: Value, access: AllowedAccess) -> Decision:
    """Put the caller's label in front of the namespace; return the decision without a filter."""
    scope_namespace(value, access.caller, access.caller.rights[access.request.event])
    # The namespace restricts the event. A filter would have no effect.
    return access.decision._replace(filter=NoRestriction())


def scope_namespace(value: Value, caller: Caller, reach: Reach) -> None:
    """Put the caller's label in front of ``value["namespace"]``, unless it is already there.

    ``None`` (list all namespaces) and ``*`` get the label too. With ``@all``, a namespace that starts with any label
    or ``*`` stays as it is. All other namespaces still get the caller's label, so that a promoted user keeps their
    items.
    """
    parts = _parts(value.get("namespace"))
    first = parts[0] if parts else None
    label = make_store_label(caller.identity, caller.tenancy)
    # Clients send back namespaces as the server returned them, with the label.
    value["namespace"] = parts if first == label or _reaches(first, reach) else (label, *parts)


def _reaches(first: object, reach: Reach) -> bool:
    """Return whether a namespace's first part is within an ``@all`` permission."""
    # Any other first part is a name within the caller's own namespace.
    is_label = isinstance(first, str) and (first == WILDCARD or _LABEL.fullmatch(first) is not None)
    return is_label and reach is Reach.ALL


def _parts(namespace: object) -> tuple[object, ...]:
    if namespace is None:
        return ()
    return tuple(cast("list[object]", namespace)) if isinstance(namespace, (list, tuple)) else (namespace,)
