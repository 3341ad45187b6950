"""This server as an OAuth protected resource (RFC 9728): its addresses, its scopes, and what a path accepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import UNAUTHENTICATED, ErrorCode, TokenError
from ..json_values import is_list
from ..quoting import list_examples

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..errors import Challenge
    from .policy import TokenPolicy

METADATA_PATH = "/.well-known/oauth-protected-resource"
"""Where the metadata is published (RFC 9728 §3)."""
MCP_PATH = "/mcp"
"""The path of the server's MCP endpoint."""


class Resource(StrEnum):
    """The part of the server that a request is for.

    MCP clients treat the endpoint ``/mcp`` as a separate resource, with its own audience.
    """

    API = "api"
    MCP = "mcp"
    ANY = "any"


class RequestKind(StrEnum):
    """What a request opens."""

    ANSWER = "answer"
    STREAM = "stream"
    WEBSOCKET = "websocket"


def mcp_address(public_url: str) -> str:
    """Return the address of the MCP endpoint, which is also the audience of its tokens.

    Clients compare it exactly, so it has no slash at its end.
    """
    return public_url + MCP_PATH


def find_resource(path: str, prefix: str = "") -> Resource:
    """Return the resource of a request.

    Args:
        path: The path of the request, with the mount prefix.
        prefix: The mount prefix of the server.
    """
    # The exact path. An ending would also match /assistants/{id}/subgraphs/mcp. The server redirects /mcp/ to /mcp.
    return Resource.MCP if path in (f"{prefix}{MCP_PATH}", f"{prefix}{MCP_PATH}/") else Resource.API


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedResource:
    """The public facts about this server.

    Attributes:
        public_url: Its address as clients see it, without a slash at the end.
        has_mcp: Whether ``/mcp`` is a separate resource.
        authorization_servers: The issuers, as their discovery documents spell them.
        scopes: The scopes that clients should request, in the spelling of one provider. There is at least one.
    """

    public_url: str
    has_mcp: bool
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...]

    def metadata(self, resource: Resource) -> dict[str, object]:
        """Return the metadata of a resource (RFC 9728 §2)."""
        document: dict[str, object] = {
            "resource": mcp_address(self.public_url) if resource is Resource.MCP else self.public_url,
            "authorization_servers": list(self.authorization_servers),
            "bearer_methods_supported": ["header"],
        }
        # Clients take an empty list for "no scopes", and ask the provider for a token without any.
        return {**document, "scopes_supported": list(self.scopes)} if self.scopes else document

    def metadata_url(self, resource: Resource) -> str:
        """Return the address of the metadata of a resource.

        It is below the mount prefix, where the server can publish it. RFC 9728 §5.1 lets a challenge name any address.
        """
        ending = MCP_PATH if resource is Resource.MCP and self.has_mcp else ""
        return f"{self.public_url}{METADATA_PATH}{ending}"

    def extend(self, challenge: Challenge, resource: Resource) -> Challenge:
        """Return a challenge with the address of the metadata, and with the scopes to request (RFC 9728 §5.1).

        Only a new token is worth a challenge. A client that gets one starts a login.
        """
        if challenge.status != UNAUTHENTICATED and not challenge.scope:
            return challenge
        # A 401 names all scopes, because clients replace the scopes of their token by these.
        scope = challenge.scope or " ".join(self.scopes)
        return replace(challenge, scope=scope, resource_metadata=self.metadata_url(resource))


def is_for_mcp_only(claims: Mapping[str, object], policy: TokenPolicy) -> bool:
    """Tell whether a verified token names the MCP endpoint and no other audience of this server."""
    if not policy.mcp_audience or policy.audiences is None:
        return False
    audience = claims.get("aud")
    # check_audience has shown that it is a string or a list of strings, or that an introspected token has none.
    named: Collection[object] = audience if is_list(audience) else (audience,)
    return policy.mcp_audience in named and (policy.audiences - {policy.mcp_audience}).isdisjoint(named)


def check_stream_start(issuer: str, expires_at: float, now: float) -> None:
    """Refuse a new stream with a token that has ended.

    Streams end with their token. With the leeway, an expired token could open one stream after the other, and each
    would end immediately.

    Raises:
        TokenError: ``token_expired``.
    """
    if now >= expires_at:
        expected, found = "a token that has not ended, for a new stream", f"{now - expires_at:.1f} s past its end"
        refusal = TokenError(ErrorCode.TOKEN_EXPIRED, expected=expected, found=found)
        refusal.issuer = issuer
        raise refusal


def check_resource(policy: TokenPolicy, resource: Resource) -> None:
    """Refuse a token for the MCP endpoint alone on any other path (RFC 8707 §2, RFC 9068 §4).

    Raises:
        TokenError: ``audience_mismatch``.
    """
    if resource is Resource.API and policy.audiences is not None:
        expected = f"one of {list_examples(policy.audiences - {policy.mcp_audience})} outside of {MCP_PATH}"
        refusal = TokenError(ErrorCode.AUDIENCE_MISMATCH, expected=expected, found=policy.mcp_audience)
        refusal.issuer = policy.issuer
        raise refusal
