"""The HTML pages: login, logout and errors. They load nothing from elsewhere and need no script."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .accounts import User

STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --soft: #55595f; --page: #f4f5f7; --card: #fff; --line: #8a9099;
  --accent: #0b57d0; --warn: #fff3cd; --warn-text: #533f03 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8eaed; --soft: #b0b5bc; --page: #17191c; --card: #22252a; --line: #7b818a; --accent: #8ab4f8;
    --warn: #3d3200; --warn-text: #ffe08a } }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 30rem; margin: 2rem auto; padding: 1.25rem; background: var(--card); border-radius: .75rem }
h1 { margin: 0 0 .75rem; font-size: 1.4rem }
p, li { overflow-wrap: anywhere }
.warning { padding: .6rem .8rem; background: var(--warn); color: var(--warn-text); border-radius: .5rem }
ul { margin: 1rem 0; padding: 0; list-style: none }
button { width: 100%; min-height: 3rem; margin: 0 0 .6rem; padding: .6rem .9rem; border: 1px solid var(--line);
  border-radius: .5rem; background: var(--card); color: var(--text); font: inherit; text-align: left; cursor: pointer }
button:hover { border-color: var(--accent) }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
button strong { display: block }
button span, .soft { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere }
"""
_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
_FRAMES = "http://127.0.0.1:* http://localhost:* https://127.0.0.1:* https://localhost:*"
"""Applications renew tokens in a hidden frame, so pages on this computer may show a page of the provider in one."""
WARNING = "For development only. This provider has no passwords, and it signs tokens for anyone."
MAX_CLAIM = 80
"""Characters of a user's claim on the page."""


def page(title: str, body: str, *, status: int = 200, form_targets: str = "") -> HTMLResponse:
    """Return a page.

    Args:
        title: the title and heading.
        body: HTML. The caller has escaped all values.
        status: the status of the response.
        form_targets: more origins to which a form, or the redirect after it, may lead.
    """
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)} - local OpenID provider</title><style>{STYLE}</style></head>"
        f'<body><main><h1>{escape(title)}</h1><p class="warning" role="note">{WARNING}</p>{body}</main></body></html>'
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
        # Browsers apply form-action to the redirect after the form too.
        f"form-action 'self' {form_targets}; frame-ancestors 'self' {_FRAMES}"
    )
    headers = {
        "Content-Security-Policy": policy,
        # With no-referrer, browsers would send "Origin: null" with the form.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(html, status, headers)


def login_page(users: Iterable[User], client_id: str, redirect_uri: str, action: str, origin: str) -> HTMLResponse:
    """Return the page with a button for each user."""
    buttons = "".join(f"<li>{_user_button(user)}</li>" for user in users)
    body = (
        f'<p>Log in to <strong>{escape(client_id)}</strong><br><span class="soft">{escape(redirect_uri)}</span></p>'
        f'<form method="post" action="{escape(action)}"><ul role="list" aria-label="Users">{buttons}</ul>'
        '<button name="cancel" value="1">Cancel</button></form>'
    )
    return page("Choose a user", body, form_targets=origin)


def _user_button(user: User) -> str:
    claims = ", ".join(f"{name}: {_short(value)}" for name, value in user.claims.items())
    return (
        f'<button name="user" value="{escape(user.name)}"><strong>{escape(user.name)}</strong> '
        f"<span>{escape(claims)}</span></button>"
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_CLAIM else f"{text[: MAX_CLAIM - 3]}..."


def logout_page(user: User, action: str, origin: str) -> HTMLResponse:
    """Return the page that asks whether to log out."""
    body = (
        f"<p>You are logged in as <strong>{escape(user.name)}</strong>.</p>"
        f'<form method="post" action="{escape(action)}"><button name="confirm" value="1">Log out</button></form>'
    )
    return page("Log out?", body, form_targets=origin)


def message_page(title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """Return a page with a text."""
    return page(title, f"<p>{escape(text)}</p>", status=status)
