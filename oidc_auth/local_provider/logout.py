"""The end of sessions: RP-initiated logout, and logout tokens for the clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx
from authlib.common.urls import add_params_to_uri
from starlette.responses import RedirectResponse

from ..quoting import quote
from .activity import Activity
from .addresses import matches_registered, origin_of
from .cookies import delete_cookies, read_cookie, require_own_origin
from .forms import read_form, read_query
from .oauth import NOT_STORED
from .pages import logout_page, message_page

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request
    from starlette.responses import Response

    from .accounts import Client
    from .activity import Report
    from .issuing import TokenIssuer
    from .state import Session

CONFIRM_PATH = "/end-session/confirm"
DELIVERY_SECONDS = 5.0
DELIVERED = (httpx.codes.OK, httpx.codes.NO_CONTENT)
"""OpenID Connect Back-Channel Logout 1.0 §2.8. Some frameworks answer 204 for an empty body."""


class LogoutRefusedError(Exception):
    """The logout request is not valid. The message is for the page."""


class Logout:
    """Ends sessions and tells their clients."""

    def __init__(self, issuer: TokenIssuer, report: Report) -> None:
        self._issuer = issuer
        self._report = report

    async def end_session(self, request: Request) -> Response:
        """Answer a logout request (OpenID Connect RP-Initiated Logout 1.0 §2). It may be a GET or a POST."""
        parameters = await read_form(request) if request.method == "POST" else read_query(request)
        return await self._answer(request, dict(parameters), confirmed=False)

    async def confirm(self, request: Request) -> Response:
        """Answer the form of the logout page."""
        require_own_origin(request)
        return await self._answer(request, dict(read_query(request)), confirmed=True)

    async def _answer(self, request: Request, parameters: dict[str, str], *, confirmed: bool) -> Response:
        issuer, state = self._issuer.signer.issuer, self._issuer.state
        try:
            claims = self._hint_claims(parameters)
            target = self._target(parameters, claims)
        except LogoutRefusedError as refusal:
            return message_page("Logout not possible", str(refusal), status=400)
        of_browser = state.session_of_cookie(read_cookie(request, issuer))
        # Without a valid ID token, any page could log users out (RP-Initiated Logout 1.0 §6).
        session = of_browser if claims is None else state.session(str(claims.get("sid")))
        if claims is None and session is not None and not confirmed:
            return logout_page(session.user, f"{CONFIRM_PATH}?{urlencode(parameters)}", origin_of(target or ""))
        if session is not None:
            # In a thread, because a receiver reads the keys of this server before it answers.
            await asyncio.to_thread(self.end, session)
        response: Response = message_page("Logged out", "Your session has ended.")
        if target is not None:
            response = RedirectResponse(target, 303, headers=NOT_STORED)
        if of_browser is None or of_browser.ended:
            delete_cookies(response, issuer)
        return response

    def _hint_claims(self, parameters: dict[str, str]) -> dict[str, Any] | None:
        hint = parameters.get("id_token_hint")
        if hint is None:
            return None
        claims = self._issuer.id_token_claims(hint)
        if claims is None:
            # The keys are new after each start.
            raise LogoutRefusedError(
                "id_token_hint is not an ID token of this provider. Log in again if the provider was restarted."
            )
        if parameters.get("client_id") not in (None, claims["aud"]):
            raise LogoutRefusedError("client_id is not the client of id_token_hint.")
        return claims

    def _target(self, parameters: dict[str, str], claims: dict[str, Any] | None) -> str | None:
        """Return the address to go to after the logout, or None."""
        uri = parameters.get("post_logout_redirect_uri")
        if uri is None:
            return None
        name = parameters.get("client_id") if claims is None else claims["aud"]
        client = self._issuer.state.clients.get(name or "")
        if client is None:
            raise LogoutRefusedError("post_logout_redirect_uri needs id_token_hint or client_id.")
        if not matches_registered(uri, client.post_logout_redirect_uris):
            raise LogoutRefusedError(f"post_logout_redirect_uri is not allowed for client {client.id}.")
        state = parameters.get("state")
        return uri if state is None else add_params_to_uri(uri, {"state": state})

    def end(self, session: Session) -> None:
        """End a session, and send a logout token to each of its clients."""
        if not self._issuer.state.end_session(session):
            return
        self._report(Activity(f"session of {session.user.name} ended"))
        for name in sorted(session.clients):
            client = self._issuer.state.clients.get(name)
            if client is not None and client.backchannel_logout_uri is not None:
                self._report(self._deliver(client, client.backchannel_logout_uri, session))

    def _deliver(self, client: Client, uri: str, session: Session) -> Activity:
        form = {"logout_token": self._issuer.signer.logout_token(client, session)}
        try:
            # Without proxies of the environment, because the address is on this computer.
            with httpx.Client(timeout=DELIVERY_SECONDS, trust_env=False, follow_redirects=False) as http:
                answer = http.post(uri, data=form)
        except httpx.HTTPError as error:
            return Activity(f"back-channel logout at {client.id} failed: {type(error).__name__}, {uri}", failed=True)
        if answer.status_code in DELIVERED:
            return Activity(f"back-channel logout at {client.id}: {answer.status_code}")
        said = quote(answer.text)
        return Activity(f"back-channel logout at {client.id} failed: {answer.status_code} {said}, {uri}", failed=True)
