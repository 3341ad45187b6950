"""A browser without a window: it logs a user in and follows the redirect to the client's callback.

``python -m mcp_clients.browser ADDRESS`` is what the client programs start as their browser. The variable LOGIN_USER
names the user, and LOGIN_LOG the file with the addresses of all logins.
"""

from __future__ import annotations

import html
import os
import re
import sys
from pathlib import Path

import httpx
from real_providers.keycloak.login import Browser

MOST_PAGES = 12


class LoginError(Exception):
    """The login did not end at the client. The message is the page."""


def log_in(address: str, username: str) -> None:
    """Log a user in. The password is the user's name."""
    callback = httpx.URL(address).params["redirect_uri"]
    with Browser() as browser:
        reply = browser.get(address)
        for _ in range(MOST_PAGES):
            if not reply.is_redirect:
                reply = browser.post(reply.url.join(_action(reply)), data=_fields(reply, username))
                continue
            target = reply.url.join(reply.headers["location"])
            reply = browser.get(target)
            if str(target).startswith(f"{callback}?"):
                return
    raise LoginError(reply.text[:2000])


def _action(page: httpx.Response) -> str:
    form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
    if form is None:
        raise LoginError(f"{page.url} answered {page.status_code}: {page.text[:2000]}")
    return html.unescape(form[1])


def _fields(page: httpx.Response, username: str) -> dict[str, str]:
    """Return the fields of a form: the hidden ones, the user's name and the password."""
    names = re.findall(r'<input[^>]* name="([^"]+)"', page.text)
    prompts = re.findall(r'name="prompt" value="(\w+)"', page.text)
    known = {"login": username, "username": username, "password": username, "prompt": "".join(prompts)}
    return {name: known[name] for name in names if name in known}


if __name__ == "__main__":
    with Path(os.environ["LOGIN_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{sys.argv[1]}\n")
    log_in(sys.argv[1], os.environ["LOGIN_USER"])
