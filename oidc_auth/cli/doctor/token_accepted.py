"""What the server allows a token is compared with what the configuration gives it.

The token is tried on searches that change nothing. A difference means that the server runs with another
configuration, or with rules of its own. `oidc-auth explain` shows the identity and each permission; the token is
never printed, and it is only sent over https, or to this machine.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...authentication import OIDCAuth
from ...config.issuers import exact_issuers
from ...errors import UNAVAILABLE, ErrorCode
from .check import Check
from .finding import Finding, NotApplicableError, Severity, printable
from .server import AUTHORIZATION, SEARCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from ...config.issuers import ExactIssuer
    from ...config.schema import IssuerTable
    from ...permissions.explain import Explanation
    from .environment import DoctorEnvironment
    from .server import RunningServer

ALLOWED_BY_STATUS = {200: True, 403: False}
UNAVAILABLE_HINT = "look at its log: the provider's keys can be fetched from here, perhaps not from there"


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield who the token is, and each search on which the server and the configuration do not agree."""
    server, loaded = environment.running_server(), environment.configuration()
    server.credential(AUTHORIZATION)
    why = asyncio.run(_explain_token(OIDCAuth(loaded), server.token))
    fields = {exact.issuer: table.header for table in loaded.document.issuer for exact in _exact_issuers(table)}
    credential = server.credential(fields.get(why.issuer, AUTHORIZATION))
    if why.refusal.startswith(ErrorCode.KEYS_UNAVAILABLE):
        raise NotApplicableError(f"the token cannot be verified here: {printable(why.refusal, None)}")
    if why.refusal:
        yield Finding(printable(why.refusal, None), "oidc-auth explain shows each check")
    for permission in SEARCHES:
        answer = server.search(permission, credential)
        if isinstance(answer, str):
            raise NotApplicableError(answer)
        if answer.status_code == UNAVAILABLE:
            yield Finding(
                f"the server answers 503{_response_text(server, answer)}: what it gives cannot be compared",
                UNAVAILABLE_HINT,
            )
            return
        yield from _compare(permission, server, answer, why)
    if not why.refusal:
        allowed = ", ".join(permission for permission in SEARCHES if why.allows(permission)) or "nothing"
        yield Finding(f"identity {printable(why.identity)}; may {allowed}", severity=Severity.INFO)


def _exact_issuers(table: IssuerTable) -> list[ExactIssuer]:
    return exact_issuers(table.issuer, table.aliases, table.tenants)


def _compare(permission: str, server: RunningServer, answer: httpx.Response, why: Explanation) -> Iterator[Finding]:
    given = why.allows(permission)
    if why.refusal and answer.status_code in (401, 403):
        return
    if ALLOWED_BY_STATUS.get(answer.status_code) is not given:
        expected = "allows" if given else "does not allow"
        said = _response_text(server, answer)
        what = f"{permission}: the configuration {expected} it, the server answers {answer.status_code}{said}"
        yield Finding(what, "is it the configuration that the server was started with?")


def _response_text(server: RunningServer, answer: httpx.Response) -> str:
    return "" if answer.is_success else f" ({server.response_text(answer)})"


async def _explain_token(oidc: OIDCAuth, token: str) -> Explanation:
    async with oidc:
        return await oidc.explain_token(token)


CHECK = Check(Severity.ERROR, "the running server gives a token what the configuration gives it", find)
