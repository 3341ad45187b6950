"""Report authentications to the observer and to the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..observability import AuthenticationDecided

if TYPE_CHECKING:
    from ..observability import EventReporter
    from .caller import Caller

    IsCached = bool | None
    """Whether a token was in the cache. None: there was no token to look for."""


def report_authentication(
    reporter: EventReporter, code: str, issuer: str, started: float, caller: Caller | None, *, cached: IsCached
) -> None:
    """Report that a request was authenticated or refused.

    Args:
        reporter: Receives the event.
        code: The error code of a refusal, or "".
        issuer: The configured issuer of the token, or "".
        started: When the authentication began, by ``reporter.start``.
        caller: The caller of a valid token, or None.
        cached: Whether the token was in the cache.
    """
    reporter.report_lazily(_describe, code, issuer, reporter.elapsed(started), caller, cached)


def person_fields(caller: Caller | None) -> dict[str, str]:
    """Return the identity and the tenant of a caller, for an event."""
    if caller is None:
        return {}
    tenant = None if caller.tenancy is None else caller.tenancy.tenant
    return {"identity": caller.identity, "tenant": tenant or ""}


def _describe(
    code: str, issuer: str, duration: float, caller: Caller | None, cached: IsCached
) -> AuthenticationDecided:
    outcome: Literal["succeeded", "failed"] = "failed" if code else "succeeded"
    persons = person_fields(caller)
    return AuthenticationDecided(outcome=outcome, code=code, issuer=issuer, cached=cached, duration=duration, **persons)
