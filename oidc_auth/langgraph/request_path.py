"""Find the part of the server that a request is for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..tokens.resource import Resource, find_resource

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_MODULE, MOUNT_PREFIX = "langgraph_api.config", "MOUNT_PREFIX"


def find_request_resource(scope: Mapping[str, Any]) -> Resource:
    """Return the resource of a request, from its ASGI scope."""
    # Not root_path alone. Inside a user's Mount("/files"), it would turn the path /files/mcp into /mcp.
    root_path = scope.get("app_root_path", scope.get("root_path", ""))
    prefix = getattr(sys.modules.get(CONFIG_MODULE), MOUNT_PREFIX, None) or ""
    return find_resource(scope.get("path", ""), root_path + prefix)
