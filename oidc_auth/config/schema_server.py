"""The tables of the schema about the server: each key with its type, default and description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .digest import Secret, hide_credentials
from .strict_table import Seconds, StrictTable


def _without_final_slash(url: str) -> str:
    return url.removesuffix("/")


class LangGraphTable(StrictTable):
    """``[langgraph]``: settings of the server."""

    # Studio sends no token of a user, so the default gives it nothing.
    studio: Literal["deny", "own", "all"] = Field(
        default="deny", description="What LangGraph Studio may do, if the server lets it in."
    )
    crons: Literal["allow", "deny"] = Field(default="allow", description="Whether callers may schedule runs.")
    # A cron has no token that expires. Its owner may leave while it runs.
    cron_max_age: float = Field(
        default=90 * 86_400, gt=0, description="Seconds that a cron runs if its owner does not renew it."
    )
    resume: Literal["run", "permission", "other"] = Field(
        default="run",
        description="Who may resume a paused run. `run`: callers with `threads:create_run`. `permission`: callers with "
        "`threads:resume`. `other`: callers with it whom the owner named as approvers, and never the owner.",
    )
    # A delayed run keeps the permissions that its user had at creation. The server itself delays a run by 3600 seconds,
    # so less breaks the cancellation of A2A tasks.
    max_delay: Seconds = Field(
        default=3_600, description="The largest `after_seconds` of a run, in seconds. 0 forbids delayed runs."
    )
    # The result of a run is sent there, and the caller chooses the address.
    webhooks: Literal["https", "any", "deny"] = Field(
        default="https", description="The addresses that a run may report to. Relative addresses are always refused."
    )


class WebTable(StrictTable):
    """``[web]``: settings of ``oidc_auth.web``."""

    public_url: Annotated[str, AfterValidator(_without_final_slash)] = Field(
        description="The address of this server as clients see it: origin and mount prefix. It is never taken from a "
        "request."
    )
    prefix: str = Field(default="/auth", description="The path of the routes `whoami` and `ready`.")
    mcp: bool = Field(default=True, description="Whether `/mcp` is a separate protected resource.")
    stream_expiry: Literal["finish", "close"] = Field(
        default="finish", description="Whether a stream goes on after its token has expired, or is closed."
    )
    websocket_tokens: bool = Field(
        default=True, description="Whether browsers may send the token as a WebSocket subprotocol."
    )
    challenge_issuer: str | None = Field(
        default=None,
        description="The challenges name the scopes of this issuer. Default: the first issuer that maps scopes. If its "
        "permission maps name no scope, challenges name `openid`.",
    )


class RevocationTable(StrictTable):
    """``[revocation]``: revoked tokens, sessions and users."""

    # The address of a Redis server can contain a password.
    store: Annotated[str, Secret(hide_credentials)] = Field(
        repr=False,
        description="`memory` for one process, or the URL of a Redis server that all replicas use, such as "
        "`${REDIS_URL}`.",
    )
    max_token_lifetime: float = Field(
        default=86_400,
        gt=0,
        description="The longest lifetime of a token, in seconds. Revocations are kept for that time, so longer tokens "
        "and those without `iat` are refused.",
    )
    on_outage: Literal["deny", "serve"] = Field(
        default="deny", description="What happens when the store is unreachable for longer than `outage_grace`."
    )
    outage_grace: Seconds = Field(
        default=300,
        description="Seconds of an outage in which the known revocations are used. Less than 5 counts as 5, the time "
        "after which a silent store counts as unreachable.",
    )


class LimitsTable(StrictTable):
    """``[limits]``: sizes in bytes or entries, and times in seconds."""

    # Checked before the token is parsed, so it bounds the work for a sender without a valid token.
    token_bytes: int = Field(default=16_384, ge=1, description="The longest token, in bytes.")
    # Code that copies and compares claims is recursive. RFC 8259 §9 allows a limit on the nesting.
    json_depth: int = Field(default=32, ge=1, le=256, description="The deepest nesting of JSON in a token.")
    # A provider that sends without end must not fill the memory.
    key_set_bytes: int = Field(default=524_288, ge=1, description="The largest document of a provider, in bytes.")
    fetch_timeout: float = Field(
        default=5,
        gt=0,
        description="Seconds to fetch the discovery document and the key set together, or to introspect a token.",
    )
    # Until then, a withdrawn key still signs. A fetch each 90 seconds is little for a provider.
    jwks_refresh_after: Seconds = Field(
        default=90,
        description="Age in seconds after which keys are refreshed in the background, less up to a quarter by chance.",
    )
    jwks_max_age: Seconds = Field(
        default=3_600, description="Age in seconds after which requests wait for the refresh of the keys."
    )
    # An outage of the provider must not be an outage here, but keys of unknown state must end some time.
    jwks_max_stale: Seconds = Field(
        default=86_400, description="Age in seconds after which keys are not used, even if the provider is down."
    )
    retry_after_failure: Seconds = Field(
        default=10, description="Seconds between two attempts while the provider is down."
    )
    # Anyone can send invented key IDs. Each fetch is a request to the provider.
    unknown_kid_fetches: int = Field(
        default=2, ge=0, description="Fetches that unknown key ids may cause in one window, at most."
    )
    unknown_kid_window: Seconds = Field(default=30, gt=0, description="The length of that window, in seconds.")
    token_cache_entries: int = Field(default=4_096, ge=0, description="The number of verified tokens in the cache.")
    # The cache also ends with the token and with its key. This bounds how long a mapper's answer is used.
    token_cache_seconds: Seconds = Field(default=300, description="Seconds that a token stays in the cache, at most.")
