"""The store: a namespace begins with its owner's label. A returned filter is ignored there; only this isolates."""

from __future__ import annotations

import re
from typing import Any, cast

from ..permissions.caller import LABEL_LENGTH, Caller, make_store_label
from ..permissions.names import Reach

_LABEL = re.compile(rf"[0-9a-f]{{{LABEL_LENGTH}}}")
WILDCARD = "*"


def scope_namespace(value: dict[str, Any], caller: Caller, reach: Reach) -> None:
    """Put the caller's label in front of the namespace, unless it is there already.

    ``None`` (list everybody's namespaces) and ``*`` get it too. With ``@all``, a namespace that begins with any label
    or ``*`` is left as it is; everything else is still one's own, so that a promoted user keeps their store.
    """
    parts = _parts(value.get("namespace"))
    first = parts[0] if parts else None
    label = make_store_label(caller.identity, caller.tenancy)
    is_any_label = (
        reach is Reach.ALL and isinstance(first, str) and (first == WILDCARD or bool(_LABEL.fullmatch(first)))
    )
    value["namespace"] = parts if first == label or is_any_label else (label, *parts)


def _parts(namespace: object) -> tuple[object, ...]:
    if namespace is None:
        return ()
    return tuple(cast("list[object]", namespace)) if isinstance(namespace, (list, tuple)) else (namespace,)
