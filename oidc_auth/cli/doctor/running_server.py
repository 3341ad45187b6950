"""Checks of a running server. They search only and change nothing."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from ...authentication import OIDCAuth
from ...config.issuers import exact_issuers
from ...config.raw_document import read_table
from ...errors import UNAUTHENTICATED, UNAVAILABLE, ErrorCode
from ...keys.fetch import forbidden_url_reason
from .check import Check, Finding, NotApplicableError, Severity, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...config.issuers import ExactIssuer
    from ...config.schema import IssuerTable
    from ...permissions.explain import Explanation
    from .environment import DoctorEnvironment

AUTHORIZATION = "authorization"
MIN_MASKED_LENGTH = 12
"""An answer may repeat fewer characters of a token by chance. Longer matches are masked."""
MAX_RESPONSE_LENGTH = 2_000
TIMEOUT = 10.0
"""Seconds for one request."""
SEARCHES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "threads:search": ("/threads/search", {"limit": 1}),
    "assistants:search": ("/assistants/search", {"limit": 1}),
    "crons:search": ("/runs/crons/search", {"limit": 1}),
    "store:list_namespaces": ("/store/namespaces", {"limit": 1}),
}
"""The permission of each request that changes nothing."""
DENIED_STATUSES = frozenset({401, 403})
ALLOWED_BY_STATUS = {200: True, 403: False}


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The address of a server, and a token or ""."""

    url: str
    token: str

    def search(self, permission: str, headers: Mapping[str, str] | None = None) -> httpx.Response | str:
        """Send one search. Return its answer, or why there is none."""
        # One object at most: the answer is not used, and could be large.
        path, body = SEARCHES[permission]
        return self._send("POST", path, headers, body)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response | str:
        """Read one address below that of the server. Return its answer, or why there is none."""
        return self._send("GET", path, headers)

    def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None, body: Mapping[str, object] | None = None
    ) -> httpx.Response | str:
        try:
            address = httpx.URL(self.url.rstrip("/") + path)
            # Plain http is for loopback addresses. A proxy of the environment would read the token.
            proxied = address.scheme == "https"
            return httpx.request(method, address, headers=headers, json=body, timeout=TIMEOUT, trust_env=proxied)
        # The last one is for a token that is not ASCII, which no header can carry.
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
            return f"no answer from {self.url}: {type(error).__name__}"

    def credential(self, field: str) -> dict[str, str]:
        """Return the header with the token. Only Authorization has the scheme Bearer.

        Raises:
            NotApplicableError: The token is missing, or it would be sent unencrypted.
        """
        if not self.token:
            raise NotApplicableError("no token (--token-file FILE, or the variable OIDC_AUTH_TOKEN)")
        if (why := forbidden_url_reason(self.url)) is not None:
            raise NotApplicableError(f"the token is not sent to {self.url}: {why}")
        return {field: f"Bearer {self.token}" if field == AUTHORIZATION else self.token}

    def response_text(self, answer: httpx.Response) -> str:
        """Return the beginning of an answer. Parts of the token in it are masked."""
        # A proxy can repeat the headers of the request on its error page.
        return self.mask(answer.text)[:120]

    def mask(self, text: str) -> str:
        """Return text of the server on one line. Parts of the token in it are masked."""
        shown = printable(text, MAX_RESPONSE_LENGTH)
        return re.sub(rf"[\w.~+/=-]{{{MIN_MASKED_LENGTH},}}", self._masked, shown)

    def _masked(self, run: re.Match[str]) -> str:
        pieces = (run[0][start : start + MIN_MASKED_LENGTH] for start in range(len(run[0]) - MIN_MASKED_LENGTH + 1))
        return "(the token)" if any(piece in self.token for piece in pieces) else run[0]


def check_anonymous_denied(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each search that needs no token.

    The server must answer a request without a token with 401.

    A 200 means that the server runs without authentication. It may use another `langgraph.json`, another working
    directory or an old image. Aegra also answers 200 if `auth.path` in `aegra.json` names no module.
    """
    server = environment.running_server()
    hint = "Read the log of the server, and the langgraph.json that it was started with."
    for permission in SEARCHES:
        answer = server.search(permission)
        if isinstance(answer, str):
            # One finding, because the other searches would fail in the same way.
            yield Finding(answer, "Start the server, or correct --url.")
            return
        if answer.status_code != UNAUTHENTICATED:
            yield Finding(f"POST {answer.url.path} without a token: expected 401; found {answer.status_code}", hint)
        # A proxy in front of the server can also answer 401.
        elif not _is_from_library(answer):
            what = f"POST {answer.url.path}: the 401 has no WWW-Authenticate, so it is not from this library"
            yield Finding(what, hint)


def _is_from_library(answer: httpx.Response) -> bool:
    """Tell whether a refusal is one of this library. Aegra drops its headers, and shows its code in the message."""
    try:
        message: object = read_table(answer.json()).get("message")
    except (ValueError, RecursionError):
        message = None
    code = message.partition(":")[0] if isinstance(message, str) else ""
    return "www-authenticate" in answer.headers or code in {*ErrorCode}


def check_studio_denied(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that Studio's header needs no token.

    A request with the header `x-auth-scheme: langsmith`, which LangGraph Studio sends, must be refused.

    A server with `disable_studio_auth` answers 401. Otherwise the handlers of this library answer 403.
    """
    answer = environment.running_server().search("threads:search", {"x-auth-scheme": "langsmith"})
    if isinstance(answer, str):
        raise NotApplicableError(answer)
    if answer.status_code not in DENIED_STATUSES:
        hint = 'Set "disable_studio_auth": true in langgraph.json, and studio = "deny" in [langgraph].'
        yield Finding(f"POST {answer.url.path} with Studio's header: expected 401; found {answer.status_code}", hint)


def check_token_accepted(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each search with another result than the configuration gives.

    This check compares the permissions that the server allows with those that the configuration gives.

    It sends the token with searches that change nothing. A difference means that the server has another configuration
    or custom rules. `oidc-auth explain` shows the identity and each permission. The token is never printed. It is sent
    only with https or to a loopback address.
    """
    server = environment.running_server()
    explanation, credential = explain_credential(environment)
    if explanation.refusal:
        yield Finding(printable(explanation.refusal, None), "oidc-auth explain shows each check.")
    for permission in SEARCHES:
        answer = server.search(permission, credential)
        if isinstance(answer, str):
            raise NotApplicableError(answer)
        if answer.status_code == UNAVAILABLE:
            what = f"the server answers 503{_response_text(server, answer)}, so its permissions are unknown"
            yield Finding(what, "Read the log of the server. Perhaps it cannot fetch the provider's keys.")
            return
        yield from _compare(permission, server, answer, explanation)
    if not explanation.refusal:
        allowed = ", ".join(permission for permission in SEARCHES if explanation.allows(permission)) or "nothing"
        yield Finding(f"identity {printable(explanation.identity)}; allowed: {allowed}", severity=Severity.INFO)


def explain_credential(environment: DoctorEnvironment) -> tuple[Explanation, dict[str, str]]:
    """Return what the configuration gives the token, and the header with it.

    Raises:
        NotApplicableError: The token is missing, it would be sent unencrypted, or it cannot be verified here.
    """
    server, loaded = environment.running_server(), environment.configuration()
    # First, because without a token, or with an insecure address, the check must not run at all.
    server.credential(AUTHORIZATION)
    explanation = asyncio.run(_explain_token(OIDCAuth(loaded), server.token))
    # Then nothing is known about the token, and a difference would blame the server.
    if explanation.refusal.startswith((ErrorCode.KEYS_UNAVAILABLE, ErrorCode.INTROSPECTION_UNAVAILABLE)):
        raise NotApplicableError(f"the token cannot be verified here: {printable(explanation.refusal, None)}")
    # An issuer behind a proxy has its own header, and the server refuses its token in any other one.
    fields = {exact.issuer: table.header for table in loaded.document.issuer for exact in _exact_issuers(table)}
    return explanation, server.credential(fields.get(explanation.issuer, AUTHORIZATION))


def _exact_issuers(table: IssuerTable) -> list[ExactIssuer]:
    return exact_issuers(table.issuer, table.aliases, table.tenants)


def _compare(
    permission: str, server: RunningServer, answer: httpx.Response, explanation: Explanation
) -> Iterator[Finding]:
    given = explanation.allows(permission)
    # Both refuse, so the permissions agree.
    if explanation.refusal and answer.status_code in DENIED_STATUSES:
        return
    if ALLOWED_BY_STATUS.get(answer.status_code) is not given:
        expected = "allows" if given else "does not allow"
        text = _response_text(server, answer)
        what = f"{permission}: the configuration {expected} it, the server answers {answer.status_code}{text}"
        yield Finding(what, "Restart the server with this configuration.")


def _response_text(server: RunningServer, answer: httpx.Response) -> str:
    return "" if answer.is_success else f" ({server.response_text(answer)})"


async def _explain_token(oidc: OIDCAuth, token: str) -> Explanation:
    async with oidc:
        return await oidc.explain_token(token)


CHECKS = (
    Check("anonymous-denied", Severity.ERROR, "the server refuses a request without a token", check_anonymous_denied),
    Check("studio-denied", Severity.ERROR, "the server refuses a request with Studio's header", check_studio_denied),
    Check(
        "token-accepted", Severity.ERROR, "the server gives a token the configured permissions", check_token_accepted
    ),
)
