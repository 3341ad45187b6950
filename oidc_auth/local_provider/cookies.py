"""The session cookies of the browser, and the check that a form came from a page of the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .forms import MalformedRequestError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def _names(issuer: str) -> tuple[str, str]:
    port = urlsplit(issuer).port
    # Browsers send cookies to all ports of a host, so each port has its own names.
    return f"oidc_auth_{port}", f"oidc_auth_{port}_frame"


def set_cookies(response: Response, issuer: str, value: str) -> None:
    """Set the session cookies."""
    name, frame_name = _names(issuer)
    response.set_cookie(name, value, httponly=True, samesite="lax")
    # An application on localhost and the provider on 127.0.0.1 are different sites. Their hidden frame for
    # prompt=none only gets a cookie with SameSite=None, which must be Secure. Chromium and Firefox accept Secure from
    # loopback addresses. A browser that blocks third-party cookies does not send it from such a frame.
    response.set_cookie(frame_name, value, httponly=True, samesite="none", secure=True)


def delete_cookies(response: Response, issuer: str) -> None:
    """Delete the session cookies."""
    name, frame_name = _names(issuer)
    response.delete_cookie(name, httponly=True, samesite="lax")
    response.delete_cookie(frame_name, httponly=True, samesite="none", secure=True)


def read_cookie(request: Request, issuer: str) -> str | None:
    """Return the value of the session cookies, or None."""
    name, frame_name = _names(issuer)
    return request.cookies.get(name) or request.cookies.get(frame_name)


def require_own_origin(request: Request) -> None:
    """Refuse a form that another page sent.

    Raises:
        MalformedRequestError: It came from another origin.
    """
    # Browsers send Origin with each POST. Clients without it have no cookies that another page could use.
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{request.headers['host']}":
        raise MalformedRequestError("The form was sent by another page.")
