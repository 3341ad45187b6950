"""Keep the reserved fields of a value while a custom rule may change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .access_request import get_payload
from .ownership import claims_system, clean, clean_config
from .reserved_keys import CREATED_BY, RESERVED, RUN_USER, SYSTEM, find_configurable, replace_run_user

if TYPE_CHECKING:
    from .access_request import Value
    from .ownership import Metadata


class ReservedFields:
    """The reserved fields of a value, as they were before a custom rule ran."""

    def __init__(self, value: Value) -> None:
        metadata: object = value.get("metadata")
        self._had_metadata = isinstance(metadata, dict)
        self._metadata = cast("Metadata", metadata) if isinstance(metadata, dict) else {}
        self._reserved = _reserved_in(self._metadata)
        self._payload_reserved = _reserved_in(_payload_metadata(value) or {})
        self._was_system = claims_system(self._metadata)
        # The dict itself and no copy, because the server may keep a reference to it.
        self._configurable = find_configurable(value.get("kwargs"))
        self._run_user = {key: self._configurable[key] for key in RUN_USER if key in self._configurable}
        self._namespace: object = value.get("namespace")
        self._has_namespace = "namespace" in value

    def restore(self, value: Value) -> None:
        """Restore the reserved fields; every other change of the rule stays."""
        if self._has_namespace:
            value["namespace"] = self._namespace
        clean_config(value.get("kwargs"))
        clean_config(value.get("payload"))
        self._restore_run_user(value)
        # At each fire, the server prefers the metadata of the payload to those of the cron, also the tenant.
        if (payload_metadata := _payload_metadata(value)) is not None:
            clean(payload_metadata)
            payload_metadata.update(self._payload_reserved)
        if self._had_metadata:
            metadata = value.get("metadata")
            if not isinstance(metadata, dict):
                metadata = value["metadata"] = self._metadata
            # Restore both: the server may keep the first dict or read the new one.
            self._restore_into(self._metadata)
            self._restore_into(cast("Metadata", metadata))

    def _restore_run_user(self, value: Value) -> None:
        for configurable in (self._configurable, find_configurable(value.get("kwargs"))):
            replace_run_user(configurable, self._run_user)
        # A cron's payload has no user. A user there would give all its permissions to each run.
        replace_run_user(find_configurable(value.get("payload")), {})

    def _restore_into(self, metadata: Metadata) -> None:
        was_system = self._was_system
        clean(metadata)
        metadata.update(self._reserved)
        if was_system:
            metadata[CREATED_BY] = SYSTEM


def _payload_metadata(value: Value) -> Metadata | None:
    metadata: object = get_payload(value).get("metadata")
    return cast("Metadata", metadata) if isinstance(metadata, dict) else None


def _reserved_in(metadata: Metadata) -> Metadata:
    return {key: metadata[key] for key in RESERVED if key in metadata}
