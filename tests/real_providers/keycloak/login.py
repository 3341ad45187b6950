"""A browser at Keycloak's login pages."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import httpx
from real_providers.keycloak.process import KeycloakError

if TYPE_CHECKING:
    from collections.abc import Mapping

# With organizations, the login has two pages, one for the name and one for the password.
MOST_PAGES = 8


class Browser(httpx.Client):
    """A client that sends Secure cookies over http to loopback, as browsers do. httpx does not."""

    def __init__(self) -> None:
        super().__init__(timeout=30, trust_env=False)
        self._kept: dict[str, str] = {}

    def send(self, request: httpx.Request, **options: object) -> httpx.Response:
        """Send one request with the stored cookies, and store new ones."""
        request.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._kept.items())
        reply = super().send(request, **options)  # type: ignore[arg-type]
        for field in reply.headers.get_list("set-cookie"):
            name, _, value = field.partition(";")[0].partition("=")
            self._kept[name] = value
        return reply


def logged_in(address: str, query: Mapping[str, str], username: str) -> str:
    """Return the authorization code of a login. The password is the user's name.

    Raises:
        KeycloakError: the login gave no code. The message is the page.
    """
    with Browser() as browser:
        reply = browser.get(address, params=dict(query))
        for _ in range(MOST_PAGES):
            if not reply.is_redirect:
                reply = browser.post(_action(reply), data={"username": username, "password": username})
                continue
            target = reply.url.join(reply.headers["location"])
            if str(target).startswith(query["redirect_uri"]):
                return _code(target, query["state"])
            reply = browser.get(target)
    raise KeycloakError(f"the login of {username} did not end: {_text(reply)}")


def _action(page: httpx.Response) -> str:
    form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    if page.status_code != 200 or form is None:
        raise KeycloakError(f"{page.url.path} answered {page.status_code}: {_text(page)}")
    return html.unescape(form[1])


def _code(target: httpx.URL, state: str) -> str:
    if "code" not in target.params or target.params.get("state") != state:
        raise KeycloakError(f"the authorization endpoint refused: {target.params}")
    return target.params["code"]


def _text(page: httpx.Response) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page.text))[-500:]
