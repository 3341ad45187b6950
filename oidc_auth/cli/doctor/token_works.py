"""What the server allows a token is compared with what the configuration gives it.

The token is tried on searches that change nothing. A difference means that the server runs with another
configuration, or with rules of its own. `oidc-auth explain` shows the identity and each permission; the token is
never printed, and it is only sent over https, or to this machine.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...auth import OIDCAuth
from ...config.issuers import exact_issuers
from ...errors import UNAVAILABLE, Code
from .check import Check
from .finding import Finding, NotApplicableError, Severity, printable
from .server import AUTHORIZATION, SEARCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from ...config.issuers import ExactIssuer
    from ...config.schema import IssuerTable
    from ...permissions.explain import Explanation
    from .server import RunningServer
    from .surroundings import Surroundings

SAYS = {200: True, 403: False}
UNAVAILABLE_CURE = "look at its log: the provider's keys can be fetched from here, perhaps not from there"


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield who the token is, and each search on which the server and the configuration do not agree."""
    server, loaded = surroundings.running(), surroundings.valid()
    server.credential(AUTHORIZATION)
    why = asyncio.run(_explained(OIDCAuth(loaded), server.token))
    fields = {exact.issuer: table.header for table in loaded.document.issuer for exact in _exact(table)}
    credential = server.credential(fields.get(why.issuer, AUTHORIZATION))
    if why.refusal.startswith(Code.KEYS_UNAVAILABLE):
        raise NotApplicableError(f"the token cannot be verified here: {printable(why.refusal, None)}")
    if why.refusal:
        yield Finding(printable(why.refusal, None), "oidc-auth explain shows each check")
    for permission in SEARCHES:
        answer = server.search(permission, credential)
        if isinstance(answer, str):
            raise NotApplicableError(answer)
        if answer.status_code == UNAVAILABLE:
            yield Finding(
                f"the server answers 503{_said(server, answer)}: what it gives cannot be compared", UNAVAILABLE_CURE
            )
            return
        yield from _compared(permission, server, answer, why)
    if not why.refusal:
        allowed = ", ".join(permission for permission in SEARCHES if why.allows(permission)) or "nothing"
        yield Finding(f"identity {printable(why.identity)}; may {allowed}", severity=Severity.INFO)


def _exact(table: IssuerTable) -> list[ExactIssuer]:
    return exact_issuers(table.issuer, table.aliases, table.tenants)


def _compared(permission: str, server: RunningServer, answer: httpx.Response, why: Explanation) -> Iterator[Finding]:
    given = why.allows(permission)
    if why.refusal and answer.status_code in (401, 403):
        return
    if SAYS.get(answer.status_code) is not given:
        expected = "allows" if given else "does not allow"
        said = _said(server, answer)
        what = f"{permission}: the configuration {expected} it, the server answers {answer.status_code}{said}"
        yield Finding(what, "is it the configuration that the server was started with?")


def _said(server: RunningServer, answer: httpx.Response) -> str:
    return "" if answer.is_success else f" ({server.said(answer)})"


async def _explained(oidc: OIDCAuth, token: str) -> Explanation:
    async with oidc:
        return await oidc.explain_token(token)


CHECK = Check(Severity.ERROR, "the running server gives a token what the configuration gives it", find)
