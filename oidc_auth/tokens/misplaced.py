"""Recognize tokens in the wrong place or form, for the hints about them."""

from __future__ import annotations

import re

PROXY_HEADERS = frozenset(
    {
        "x-forwarded-access-token",
        "x-auth-request-access-token",
        "x-goog-iap-jwt-assertion",
        "x-amzn-oidc-accesstoken",
        "x-amzn-oidc-data",
        "x-ms-token-aad-access-token",
        "x-ms-token-aad-id-token",
        "cf-access-jwt-assertion",
    }
)
"""Headers in which proxies send a token."""
API_KEY_HEADER = "x-api-key"
CLIENT_HEADERS = frozenset({"authentication", API_KEY_HEADER, "x-auth-token", "x-access-token"})
"""Headers in which clients send a token by mistake."""
COOKIE_HEADER = "cookie"
AUTHORIZATION_HEADER = "authorization"

PROXY_HINT = (
    'If only a proxy can set the header {names}, set header = "{first}" on the issuer. Otherwise let the proxy send '
    "the token in Authorization (oauth2-proxy: pass_authorization_header)."
)
API_KEY_HINT = (
    "The LangGraph SDK sends its api_key in x-api-key. Pass the token in headers: "
    'get_client(headers={"Authorization": f"Bearer {token}"}).'
)
COOKIE_HINT = "Tokens in cookies are not read, because browsers send cookies with requests of any site."

LONGEST_PLACEHOLDER = 32
"""Characters. A token is longer than any text that a client sends for a missing one."""
PLACEHOLDERS = frozenset(
    {"undefined", "null", "none", "nil", "nan", "true", "false", "[object object]", "[object promise]"}
)
"""Texts of values that are not strings, in lower case."""
_UNFILLED = re.compile(r"[$<{%].*|.*[>}%]|(?:access_?|your_?|my_?)*token", re.IGNORECASE)
_COOKIE_TOKEN = re.compile(r"=\s*\"?eyJ[\w-]+\.[\w-]+\.")
MAX_COOKIE_LENGTH = 16_384

PLACEHOLDER_HINT = (
    "The client sent the text of a missing value instead of a token. It calls this server before the login has ended, "
    "or reads the token from the wrong field."
)
UNFILLED_HINT = "The client sent the name of a variable instead of its value. Check how the client fills it in."

KNOWN_SCHEMES = frozenset({"basic", "dpop", "digest", "negotiate", "token", "jwt", "apikey", "hoba", "mutual"})


def is_unread(field: str, fields: frozenset[str]) -> bool:
    """Tell whether a header may carry a token that this server does not read."""
    likely = field in PROXY_HEADERS or field in CLIENT_HEADERS or field in (COOKIE_HEADER, AUTHORIZATION_HEADER)
    return likely and field not in fields


def describe_misplaced(unread: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the headers that carry a token in the wrong place, and a hint, or twice "".

    Args:
        unread: The headers for which ``is_unread`` holds, with their values.
    """
    names = sorted({name for name, value in unread if value and (name != COOKIE_HEADER or _has_token(value))})
    if not names:
        return "", ""
    found = "a token in a cookie, which is not read" if names == [COOKIE_HEADER] else f"{_headers(names)} not read"
    return found, " ".join(_misplaced_hints(names))


def _headers(names: list[str]) -> str:
    return f"a header {', '.join(names)}, which is"


def _misplaced_hints(names: list[str]) -> list[str]:
    proxies = [name for name in names if name in PROXY_HEADERS]
    hints = [PROXY_HINT.replace("{names}", " or ".join(proxies)).replace("{first}", proxies[0])] if proxies else []
    hints += [API_KEY_HINT] if API_KEY_HEADER in names else []
    return [*hints, COOKIE_HINT] if COOKIE_HEADER in names else hints


def _has_token(cookies: str) -> bool:
    # Most cookies hold no token. The part of a long header that is searched is bounded.
    return _COOKIE_TOKEN.search(cookies[:MAX_COOKIE_LENGTH]) is not None


def describe_placeholder(token: str) -> str:
    """Return the hint for a text that a client sends for a missing token, or "".

    Args:
        token: A text of at most ``LONGEST_PLACEHOLDER`` characters.
    """
    if token.lower() in PLACEHOLDERS:
        return PLACEHOLDER_HINT
    return UNFILLED_HINT if _UNFILLED.fullmatch(token) else ""


def placeholder_text(token: str) -> str:
    """Return a placeholder for the log. Other texts could be secrets, so only known words are shown."""
    return f"the text {token!r}" if token.lower() in PLACEHOLDERS else "a placeholder"


def describe_scheme(scheme: str) -> str:
    """Return what was found in place of ``Bearer``, without any part of a token."""
    if scheme.lower() in KNOWN_SCHEMES:
        return f"the scheme {scheme.lower()}"
    # The text is not shown, because it can be the token itself.
    return "a token without the scheme" if scheme.count(".") > 1 else "another scheme, or none"
