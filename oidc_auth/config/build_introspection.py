"""Building of the introspection of an issuer from a valid configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..introspection.client_auth import Client, ClientSecret, read_client_key
from ..introspection.endpoint import EndpointSettings, IntrospectionClient
from ..introspection.introspector import Introspector
from ..introspection.verifier import IntrospectedIssuer
from ..keys.refresh import RefreshAges
from .issuers import own_conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..keys.fetch import Fetcher
    from ..observability import EventReporter
    from ..tokens.policy import TokenPolicy
    from .schema import IntrospectionTable, IssuerTable
    from .schema_server import LimitsTable

MIN_ANSWERS = 1_024
"""Active answers that are kept at least. They also tell known tokens from made-up ones."""
MIN_LIFETIME = 30
"""Seconds that a token without ``exp`` is valid at least. WebSockets end with the token."""


def build_introspection(
    table: IssuerTable,
    introspection: IntrospectionTable,
    policies: Sequence[TokenPolicy],
    *,
    limits: LimitsTable,
    fetcher: Fetcher,
    reporter: EventReporter,
    clock: Callable[[], float],
) -> IntrospectedIssuer:
    """Return the introspection of an issuer."""
    introspector = Introspector(
        introspection_client(table, introspection, limits, fetcher),
        cache_seconds=introspection.cache_seconds,
        # Also without a token cache. Otherwise no token would be known, and each one would need the budget.
        entries=max(limits.token_cache_entries, MIN_ANSWERS),
        clock=clock,
        reporter=reporter,
    )
    return IntrospectedIssuer(
        introspector=introspector,
        policies={policy.issuer: policy for policy in policies},
        every_jwt=introspection.mode == "always",
        # A claim with any value binds a token to nothing, and a preset only says who issued it.
        needs_audience=table.client_claim is None and not own_conditions(table.model_dump()),
        # A token without exp would otherwise expire while its first answer travels.
        lifetime=max(introspection.cache_seconds, MIN_LIFETIME),
    )


def introspection_client(
    table: IssuerTable, introspection: IntrospectionTable, limits: LimitsTable, fetcher: Fetcher
) -> IntrospectionClient:
    """Return the client for the introspection endpoint of an issuer."""
    settings = EndpointSettings(
        issuer=table.issuer,
        endpoint=introspection.endpoint,
        client=_build_client(introspection),
        insecure_http_hosts=frozenset(table.insecure_http_hosts),
        ages=refresh_ages(limits),
        timeout=limits.fetch_timeout,
        max_bytes=limits.key_set_bytes,
        max_depth=limits.json_depth,
    )
    return IntrospectionClient(settings, fetcher)


def find_opaque_issuer(introspected: Sequence[IntrospectedIssuer]) -> IntrospectedIssuer | None:
    """Return the issuer that opaque tokens belong to, because they name none.

    It is the one with ``mode = "opaque"``. Without it, ``always`` includes opaque tokens, if only one issuer has it.
    """
    # With two candidates, the credential of one provider could be sent to the other.
    candidates = [each for each in introspected if not each.every_jwt] or introspected
    return candidates[0] if len(candidates) == 1 else None


def refresh_ages(limits: LimitsTable) -> RefreshAges:
    """Return the ages at which metadata and keys are read again."""
    return RefreshAges(
        refresh_after=limits.jwks_refresh_after,
        blocking_refresh_after=limits.jwks_max_age,
        max_stale=limits.jwks_max_stale,
        retry_after_failure=limits.retry_after_failure,
    )


def _build_client(introspection: IntrospectionTable) -> Client:
    if introspection.client_assertion_key_file is not None:
        return read_client_key(introspection.client_id, introspection.client_assertion_key_file)
    # The configuration was checked: without a key there is a secret.
    return ClientSecret(introspection.client_id, introspection.client_secret or "")
