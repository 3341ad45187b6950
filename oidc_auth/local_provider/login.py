"""The authorization endpoint and the login page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, UnsupportedResponseTypeError
from authlib.oidc.core.errors import LoginRequiredError, RequestNotSupportedError, RequestURINotSupportedError

from .activity import Activity
from .addresses import matches_registered, origin_of
from .audiences import grant_audience
from .cookies import read_cookie, require_own_origin, set_cookies
from .forms import read_form, read_query
from .oauth import OAuthRequest
from .pages import login_page, message_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from .accounts import User
    from .activity import Report
    from .issuing import TokenIssuer
    from .oauth import OAuthServer
    from .state import Session

LOGIN_PATH = "/login"
INTERACTIVE = frozenset({"login", "select_account", "consent"})
"""Values of ``prompt`` that show the page (OpenID Connect Core 1.0 §3.1.2.1)."""


class Login:
    """Authenticates users for authorization requests."""

    def __init__(self, server: OAuthServer, report: Report) -> None:
        self._server = server
        self._issuer: TokenIssuer = server.issuer
        self._report = report

    async def authorize(self, request: Request) -> Response:
        """Answer an authorization request (RFC 6749 §4.1.1). It may be a GET or a POST."""
        parameters = await read_form(request) if request.method == "POST" else read_query(request)
        oauth = self._oauth_request(parameters)
        if (refusal := self._refuse_client(oauth)) is not None:
            return refusal
        try:
            self._check(oauth)
            found = self._select_session(request, oauth)
            if isinstance(found, str):
                return self._show_page(oauth, parameters)
        except OAuth2Error as error:
            return self._redirect_error(oauth, error)
        session, is_new = found
        response = self._grant(oauth, session)
        if is_new:
            set_cookies(response, self._issuer.signer.issuer, self._issuer.state.new_cookie(session))
        return response

    async def login(self, request: Request) -> Response:
        """Answer the form of the login page. The address has the parameters of the authorization request."""
        # Another page must not log a browser in (login CSRF, RFC 9700 §4.7).
        require_own_origin(request)
        form = dict(await read_form(request))
        oauth = self._oauth_request(read_query(request))
        if (refusal := self._refuse_client(oauth)) is not None:
            return refusal
        user = self._issuer.state.users.get(form.get("user", ""))
        try:
            self._check(oauth)
            if user is None:
                raise AccessDeniedError
        except OAuth2Error as error:
            return self._redirect_error(oauth, error)
        session = self._start(user, oauth)
        response = self._grant(oauth, session)
        set_cookies(response, self._issuer.signer.issuer, self._issuer.state.new_cookie(session))
        return response

    def _oauth_request(self, parameters: Sequence[tuple[str, str]]) -> OAuthRequest:
        return OAuthRequest("GET", f"{self._issuer.signer.issuer}/authorize", {}, parameters)

    def _refuse_client(self, oauth: OAuthRequest) -> Response | None:
        """Return a page if the client or its redirect URI is not allowed.

        Such a request must not be answered with a redirect, because anyone can write it (RFC 6749 §4.1.2.1).
        """
        client = self._issuer.state.clients.get(oauth.parameter("client_id") or "")
        if client is None:
            known = ", ".join(self._issuer.state.clients)
            return message_page("Unknown client", f"client_id must be one of: {known}.", status=400)
        if not matches_registered(oauth.parameter("redirect_uri") or "", client.redirect_uris):
            expected = ", ".join(client.redirect_uris or ("any address on 127.0.0.1, localhost or [::1]",))
            text = f"redirect_uri is missing or not allowed. Client {client.id} expects: {expected}."
            return message_page("Redirect URI not allowed", text, status=400)
        return None

    def _check(self, oauth: OAuthRequest) -> None:
        """Check the request.

        Raises:
            OAuth2Error: It is not valid.
        """
        if oauth.parameter("request") is not None:
            raise RequestNotSupportedError
        if oauth.parameter("request_uri") is not None:
            raise RequestURINotSupportedError
        if oauth.parameter("response_type") != "code":
            # Not left to Authlib, which fails with an exception for some characters.
            raise UnsupportedResponseTypeError("requested")
        if oauth.parameter("response_mode") not in (None, "query"):
            raise InvalidRequestError("response_mode must be query.")
        self._server.check_authorization(oauth)
        grant_audience(oauth.resources(), self._issuer.audience)

    def _select_session(self, request: Request, oauth: OAuthRequest) -> tuple[Session, bool] | str:
        """Return a session and whether it is new, or a text if the user must choose.

        Raises:
            OAuth2Error: The page would be necessary, but ``prompt=none`` forbids it.
        """
        prompts = set((oauth.parameter("prompt") or "").split())
        if "none" in prompts and len(prompts) > 1:
            raise InvalidRequestError("prompt=none excludes other values.")
        if prompts & INTERACTIVE:
            return "choose"
        session = self._usable_session(request, oauth)
        if session is not None:
            return session, False
        if "none" in prompts:
            raise LoginRequiredError
        # A test of an application can log in without a click.
        hinted = self._issuer.state.users.get(oauth.parameter("login_hint") or "")
        return "choose" if hinted is None else (self._start(hinted, oauth), True)

    def _usable_session(self, request: Request, oauth: OAuthRequest) -> Session | None:
        """Return the session of the browser if it fits the request."""
        session = self._issuer.state.session_of_cookie(read_cookie(request, self._issuer.signer.issuer))
        if session is None or not self._fits(session, oauth):
            return None
        max_age = oauth.parameter("max_age") or ""
        # OpenID Connect Core 1.0 §3.1.2.1: an older login needs a new one.
        too_old = max_age.isdecimal() and session.auth_time + int(max_age[:12]) < self._issuer.state.clock()
        return None if too_old else session

    def _fits(self, session: Session, oauth: OAuthRequest) -> bool:
        """Tell whether a session belongs to the user that the client expects."""
        hint, name = oauth.parameter("id_token_hint"), session.user.name
        if hint is not None:
            claims = self._issuer.id_token_claims(hint)
            if claims is None or claims.get("sub") != name:
                return False
        return oauth.parameter("login_hint") in (None, name)

    def _start(self, user: User, oauth: OAuthRequest) -> Session:
        session = self._issuer.state.start_session(user)
        self._report(Activity(f"{user.name} logged in at {oauth.parameter('client_id')}"))
        return session

    def _show_page(self, oauth: OAuthRequest, parameters: Sequence[tuple[str, str]]) -> Response:
        redirect_uri = oauth.parameter("redirect_uri") or ""
        action = f"{LOGIN_PATH}?{urlencode(parameters)}"
        client_id = oauth.parameter("client_id") or ""
        return login_page(self._issuer.state.users.values(), client_id, redirect_uri, action, origin_of(redirect_uri))

    def _grant(self, oauth: OAuthRequest, session: Session) -> Response:
        return self._name_issuer(self._server.answer_authorization(oauth, session))

    def _redirect_error(self, oauth: OAuthRequest, error: OAuth2Error) -> Response:
        # The redirect URI was checked before.
        error.redirect_uri, error.state = oauth.parameter("redirect_uri"), oauth.parameter("state")
        # Applications ask with prompt=none at each start, so login_required is no reason to look.
        failed = not isinstance(error, LoginRequiredError)
        self._report(Activity(f"login at {oauth.parameter('client_id')}: {error.error}", failed))
        return self._name_issuer(self._server.answer_error(oauth, error))

    def _name_issuer(self, response: Response) -> Response:
        """Add the parameter ``iss``, so that clients detect answers of another provider (RFC 9207 §2)."""
        location = response.headers["location"]
        response.headers["location"] = add_params_to_uri(location, {"iss": self._issuer.signer.issuer})
        return response
