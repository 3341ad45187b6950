"""The authenticate hook of Aegra, and the user that it returns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import ERROR_DETAILS, UNAUTHENTICATED, Challenge, ErrorCode, TokenError, UpstreamError
from ..langgraph.hook import OIDC_ATTRIBUTE
from ..langgraph.http_errors import authenticate_error
from ..observability import format_trace, logger
from .identity import encode_identity, encode_tenant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..authentication import OIDCAuth
    from ..permissions.caller import Caller
    from ..tokens.extract import Headers


def build_hook(oidc: OIDCAuth) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Return the ``authenticate`` function.

    Aegra passes the headers as its only argument, and answers each exception with 401. Headers of the exception are
    lost. The message of the SDK's exception reaches the client (measured on aegra-api 0.11.0).
    """

    async def authenticate(headers: Headers) -> dict[str, Any]:
        try:
            return make_user(await oidc.authenticate(headers))
        except (TokenError, UpstreamError) as refusal:
            # Not chained: the server logs exceptions, and the cause may hold the token.
            raise authenticate_error(oidc.challenge(refusal)) from None
        except Exception as error:  # noqa: BLE001 - fail closed
            logger.error("authentication failed: %s", format_trace(error))
            detail = ERROR_DETAILS[ErrorCode.CUSTOM_RULE_FAILED].client_message
            raise authenticate_error(Challenge(status=UNAUTHENTICATED, detail=detail)) from None

    setattr(authenticate, OIDC_ATTRIBUTE, oidc)
    return authenticate


def make_user(caller: Caller) -> dict[str, Any]:
    """Return the user for Aegra: JSON values, with the encoded identity and the name to show.

    ``org_id`` is the encoded tenant, for ``store.scopes`` in aegra.json. A dot in it would be an error of the store,
    and a ``*`` would list the namespaces of all tenants.

    Raises:
        TokenError: a mapper returned an empty identity, which all such users would share.
    """
    if not caller.identity:
        raise TokenError(ErrorCode.IDENTITY_INVALID, found="an empty value")
    user = replace(caller, identity=encode_identity(caller.identity, caller.tenancy)).user()
    if caller.tenancy is None or caller.tenancy.tenant is None:
        # Aegra then refuses a namespace that is shared in a tenant.
        return user
    return {**user, "org_id": encode_tenant(caller.tenancy.tenant)}
