"""Request headers to ``Presented``: exactly one bearer token, or a refusal (RFC 6750 §2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from ..errors import Code, TokenError
from .states import Presented

Headers = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""Header names and values, ``str`` or ``bytes``, in any case: a mapping, or a list of pairs that may repeat."""

Text = str | bytes

FIELD = "authorization"
SCHEME = "bearer"
AUTHORIZATION_ONLY = frozenset({FIELD})
WRONG_PLACES = ("authentication", "x-api-key", "x-auth-token", "x-access-token")
"""Where clients put a token by mistake; named in the log of the refusal."""


def header_pairs(headers: Headers) -> list[tuple[Text, Text]]:
    """Return the header fields as a list, which can be read more than once."""
    return list(cast("Iterable[tuple[Text, Text]]", headers.items() if isinstance(headers, Mapping) else headers))


def values_of(pairs: Iterable[tuple[Text, Text]], name: str) -> list[str]:
    """Return the values of all fields of one name, which is given in lower case."""
    return [_text(value) for key, value in pairs if len(key) == len(name) and _text(key).lower() == name]


def present(
    headers: Headers,
    *,
    method: str | None,
    url: str | None,
    max_bytes: int,
    fields: frozenset[str] = AUTHORIZATION_ONLY,
) -> Presented:
    """Return the one token that a request presents.

    Args:
        headers: the request's headers.
        method: its HTTP method.
        url: its URL.
        max_bytes: the longest token that is looked at, in bytes.
        fields: the headers in which an issuer's token may stand, lower case; all but Authorization hold it bare.

    Raises:
        TokenError: ``header_repeated``, ``token_missing``, ``header_malformed`` or ``token_too_long``.
    """
    pairs = cast("Iterable[tuple[Text, Text]]", headers.items() if isinstance(headers, Mapping) else headers)
    # The length first: of twenty names only one or two are ever decoded. In one pass: an iterator has no second one.
    lengths = _lengths(fields)
    sent = [
        (field, value) for name, value in pairs if len(name) in lengths and (field := _text(name).lower()) in fields
    ]
    credential = a_credential(the_only_field([value for _, value in sent]), pairs, fields)
    check_length(credential, max_bytes)
    header, read = sent[0][0], bearer_token if sent[0][0] == FIELD else bare_token
    # In order, without names: half the time, for each request.
    return Presented(SCHEME, read(_text(credential)), method, url, None, header)


@lru_cache
def _lengths(fields: frozenset[str]) -> frozenset[int]:
    return frozenset(map(len, fields))


def _text(value: Text) -> str:
    # HTTP header fields are octets; latin-1 keeps each of them (RFC 9110 §5.5).
    return value if isinstance(value, str) else value.decode("latin-1")


def the_only_field(values: list[Text]) -> Text:
    """Return the value of the one field with a credential, or "" when there is none.

    Raises:
        TokenError: ``header_repeated``: a proxy and the server may each believe another one (RFC 9110 §5.3).
    """
    if len(values) > 1:
        raise TokenError(Code.HEADER_REPEATED, expected="one field with a credential", found=f"{len(values)}")
    return values[0] if values else ""


def a_credential(value: Text, pairs: Iterable[tuple[Text, Text]], fields: frozenset[str] = AUTHORIZATION_ONLY) -> Text:
    """Return the credential that was sent.

    Raises:
        TokenError: ``token_missing``.
    """
    if not value.strip():
        places = {FIELD, *WRONG_PLACES} - fields
        misplaced = sorted({_text(name).lower() for name, text in pairs if text and _text(name).lower() in places})
        found = f"a header {', '.join(misplaced)}, which is not read" if misplaced else ""
        # The code's own cure names Authorization.
        expected = "" if fields == AUTHORIZATION_ONLY else f"a header {' or '.join(sorted(fields))}"
        raise TokenError(Code.TOKEN_MISSING, expected=expected, found=found)
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
    return _one_token(token, "one token after 'Bearer '")


def bare_token(value: str) -> str:
    """Return the token of a header that carries nothing else, as some proxies add it.

    Raises:
        TokenError: ``header_malformed``.
    """
    return _one_token(value.strip(" \t"), "a token and nothing else")


def _one_token(token: str, expected: str) -> str:
    if not token.isascii() or not token or token[0] in "\"'" or " " in token or "\t" in token or "," in token:
        raise TokenError(Code.HEADER_MALFORMED, expected=expected, found=_oddity(token))
    return token


def _oddity(token: str) -> str:
    if not token:
        return "none"
    return "quotes around it" if token[0] in "\"'" else "characters that no token has"


def check_place(presented: Presented, issuer: str, header: str) -> None:
    """Refuse a token in another header than its issuer's: one is set by a proxy, the other by any client.

    Args:
        presented: the token as it came; verified since.
        issuer: its issuer.
        header: the header that is configured for this issuer.

    Raises:
        TokenError: ``issuer_unknown``: in that header, this issuer is not known.
    """
    if presented.header != header:
        raise TokenError(
            Code.ISSUER_UNKNOWN,
            expected=f"a token of {issuer} in the header {header}",
            found=f"it in {presented.header}",
            cure="Send the token in its own header, or change the issuer's header.",
        )


def check_length(field: Text, max_bytes: int) -> None:
    """Refuse a token that is too long to look at: parsing costs time before anything is known about the sender.

    Raises:
        TokenError: ``token_too_long``.
    """
    length = len(field) - len("Bearer ")
    if length > max_bytes:
        raise TokenError(Code.TOKEN_TOO_LONG, expected=f"at most {max_bytes} bytes", found=f"{length}")
