"""Request headers to ``Presented``: exactly one bearer token, or a refusal (RFC 6750 §2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..errors import Code, TokenError
from .states import Presented

Headers = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""Header names and values, ``str`` or ``bytes``, in any case: a mapping, or a list of pairs that may repeat."""

Text = str | bytes

FIELD = "authorization"
SCHEME = "bearer"
WRONG_PLACES = ("authentication", "x-api-key", "x-auth-token", "x-access-token")
"""Where clients put a token by mistake; named in the log of the refusal."""


def present(headers: Headers, *, method: str | None, url: str | None, max_bytes: int) -> Presented:
    """Return the one token that a request presents.

    Args:
        headers: the request's headers.
        method: its HTTP method.
        url: its URL.
        max_bytes: the longest token that is looked at, in bytes.

    Raises:
        TokenError: ``header_repeated``, ``token_missing``, ``header_malformed`` or ``token_too_long``.
    """
    pairs = cast("Iterable[tuple[Text, Text]]", headers.items() if isinstance(headers, Mapping) else headers)
    # The length first: of a request's twenty names only one or two are ever decoded.
    fields = [value for name, value in pairs if len(name) == len(FIELD) and _text(name).lower() == FIELD]
    field = a_credential(the_only_field(fields), pairs)
    check_length(field, max_bytes)
    return Presented(scheme=SCHEME, token=bearer_token(_text(field)), method=method, url=url)


def _text(value: Text) -> str:
    # HTTP header fields are octets; latin-1 keeps each of them (RFC 9110 §5.5).
    return value if isinstance(value, str) else value.decode("latin-1")


def the_only_field(values: list[Text]) -> Text:
    """Return the value of the one Authorization field, or "" when there is none.

    Raises:
        TokenError: ``header_repeated``: a proxy and the server may each believe another one (RFC 9110 §5.3).
    """
    if len(values) > 1:
        raise TokenError(Code.HEADER_REPEATED, expected="one Authorization field", found=f"{len(values)}")
    return values[0] if values else ""


def a_credential(value: Text, pairs: Iterable[tuple[Text, Text]]) -> Text:
    """Return the credential that was sent.

    Raises:
        TokenError: ``token_missing``.
    """
    if not value.strip():
        misplaced = sorted(
            {_text(name).lower() for name, text in pairs if text and _text(name).lower() in WRONG_PLACES}
        )
        found = f"a header {', '.join(misplaced)}, which is not read" if misplaced else ""
        raise TokenError(Code.TOKEN_MISSING, found=found)
    return value


def bearer_token(value: str) -> str:
    """Return the token of ``Bearer <token>``; the scheme's case does not matter (RFC 9110 §11.1).

    Raises:
        TokenError: ``header_malformed``.
    """
    scheme, _, token = value.strip(" \t").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != SCHEME:
        raise TokenError(Code.HEADER_MALFORMED, expected="the scheme Bearer", found="another scheme, or none")
    if token[:7].lower() == "bearer ":
        raise TokenError(Code.HEADER_MALFORMED, found="the scheme twice: 'Bearer Bearer ...'")
    if not token.isascii() or not token or token[0] in "\"'" or " " in token or "\t" in token or "," in token:
        raise TokenError(Code.HEADER_MALFORMED, expected="one token after 'Bearer '", found=_oddity(token))
    return token


def _oddity(token: str) -> str:
    if not token:
        return "none"
    return "quotes around it" if token[0] in "\"'" else "characters that no token has"


def check_length(field: Text, max_bytes: int) -> None:
    """Refuse a token that is too long to look at: parsing costs time before anything is known about the sender.

    Raises:
        TokenError: ``token_too_long``.
    """
    length = len(field) - len("Bearer ")
    if length > max_bytes:
        raise TokenError(Code.TOKEN_TOO_LONG, expected=f"at most {max_bytes} bytes", found=f"{length}")
