"""Extract the one bearer token of a request (RFC 6750 §2.1).

``check_origin`` refuses cross-site requests that use a token which a proxy adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from ..errors import ErrorCode, TokenError
from ..quoting import list_examples, quote
from .misplaced import (
    LONGEST_PLACEHOLDER,
    describe_misplaced,
    describe_placeholder,
    describe_scheme,
    is_unread,
    placeholder_text,
)
from .states import PresentedToken

Headers = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""Header names and values, ``str`` or ``bytes``, in any case: a mapping, or a list of pairs that may repeat."""

Text = str | bytes

AUTHORIZATION_HEADER = "authorization"
SCHEME = "bearer"
AUTHORIZATION_ONLY = frozenset({AUTHORIZATION_HEADER})
SUBPROTOCOL_HEADER = "sec-websocket-protocol"
"""The header in which the script of a page can send a token. It cannot set any other header of a WebSocket."""
SUBPROTOCOL = "bearer"
"""The first of the two subprotocols. The second one is the token. Subprotocols are case-sensitive (RFC 6455 §4.1)."""
SEND_AUTHORIZATION = "Send the header 'Authorization: Bearer <access token>'."
SEND_SUBPROTOCOLS = "In a browser: new WebSocket(url, ['bearer', accessToken])."


def header_pairs(headers: Headers) -> list[tuple[Text, Text]]:
    """Return the header fields as a list, which can be read more than once."""
    return list(cast("Iterable[tuple[Text, Text]]", headers.items() if isinstance(headers, Mapping) else headers))


def claim_values(pairs: Iterable[tuple[Text, Text]], name: str) -> list[str]:
    """Return the values of all fields with a name, which is in lower case."""
    return [_text(value) for key, value in pairs if len(key) == len(name) and _text(key).lower() == name]


def extract_token(
    headers: Headers,
    *,
    method: str | None,
    url: str | None,
    max_bytes: int,
    fields: frozenset[str] = AUTHORIZATION_ONLY,
) -> PresentedToken:
    """Return the one token of a request.

    Args:
        headers: The request's headers.
        method: Its HTTP method.
        url: Its URL.
        max_bytes: The longest token that is accepted, in bytes.
        fields: The headers that may carry a token, in lower case. Authorization carries it with a scheme, and
            Sec-WebSocket-Protocol as the second subprotocol after ``bearer``.

    Raises:
        TokenError: ``header_repeated``, ``token_missing``, ``token_too_long`` or ``header_malformed``.
    """
    pairs = cast("Iterable[tuple[Text, Text]]", headers.items() if isinstance(headers, Mapping) else headers)
    # The length is compared first, so that few names are decoded. One pass, because an iterator has no second one.
    lengths = _lengths(fields)
    sent = [
        (field, value) for name, value in pairs if len(name) in lengths and (field := _text(name).lower()) in fields
    ]
    if SUBPROTOCOL_HEADER in fields:
        sent = _join_subprotocols(sent)
    credential = require_credential(require_single_header(sent), pairs, fields)
    field = sent[0][0]
    try:
        check_length(credential, max_bytes)
    except TokenError as refusal:
        # A long credential of another scheme, such as Negotiate, is no bearer token (RFC 6750 §3.1).
        refusal.has_token = field != AUTHORIZATION_HEADER or _text(credential[:7]).lower() == "bearer "
        raise
    # A client of a WebSocket chooses between the two, so issuers do not distinguish them.
    header = AUTHORIZATION_HEADER if field == SUBPROTOCOL_HEADER else field
    # Positional arguments take half the time of keywords.
    return PresentedToken(SCHEME, _PARSERS.get(field, parse_bare_token)(_text(credential)), method, url, None, header)


def _join_subprotocols(sent: list[tuple[str, Text]]) -> list[tuple[str, Text]]:
    """Return the fields with all subprotocols as one field, or without them if none is ``bearer``."""
    offered = ",".join(_text(value) for field, value in sent if field == SUBPROTOCOL_HEADER)
    others = [(field, value) for field, value in sent if field != SUBPROTOCOL_HEADER]
    return [*others, (SUBPROTOCOL_HEADER, offered)] if _has_bearer(offered) else others


def find_subprotocol_token(pairs: Iterable[tuple[Text, Text]]) -> str | None:
    """Return the token among the subprotocols of a WebSocket, or None if none is ``bearer``.

    Raises:
        TokenError: ``header_malformed``.
    """
    offered = ",".join(claim_values(pairs, SUBPROTOCOL_HEADER))
    return parse_subprotocols(offered) if _has_bearer(offered) else None


def _has_bearer(offered: str) -> bool:
    # "Bearer" is another subprotocol, but its client has made a mistake and should learn about it.
    return any(name.lower() == SUBPROTOCOL for name in _split_list(offered))


def _split_list(value: str) -> list[str]:
    return [name.strip(" \t") for name in value.split(",")]


def parse_subprotocols(value: str) -> str:
    """Return the token of ``bearer, <token>``.

    Raises:
        TokenError: ``header_malformed``.
    """
    first, *others = _split_list(value)
    expected = f"the two subprotocols '{SUBPROTOCOL}, <token>'"
    if first == SUBPROTOCOL and not any(others):
        raise _without_token(expected=expected, found="no token")
    # Only this form is read. In any other one, this server and a proxy could choose different values.
    if first != SUBPROTOCOL or len(others) != 1:
        # No value is shown, because it can be a token.
        found = f"{len(others) + 1} subprotocols, the first one {'' if first == SUBPROTOCOL else 'not '}'{SUBPROTOCOL}'"
        raise TokenError(ErrorCode.HEADER_MALFORMED, expected=expected, found=found, hint=SEND_SUBPROTOCOLS)
    return _require_single_token(others[0], expected)


@lru_cache
def _lengths(fields: frozenset[str]) -> frozenset[int]:
    return frozenset(map(len, fields))


def _text(value: Text) -> str:
    # HTTP header fields are octets. latin-1 keeps each of them (RFC 9110 §5.5).
    return value if isinstance(value, str) else value.decode("latin-1")


def require_single_header(sent: list[tuple[str, Text]]) -> Text:
    """Return the value of the one field with a credential, or "" if there is none.

    Raises:
        TokenError: ``header_repeated``. A proxy and the server could each use another one (RFC 9110 §5.3).
    """
    if len(sent) > 1:
        names = sorted({name for name, _ in sent})
        found = " and ".join(names) if len(names) > 1 else f"{names[0]}, {len(sent)} times"
        hint = f"This server reads {found}. Send one of them. Often a proxy adds the other." if len(names) > 1 else ""
        raise TokenError(ErrorCode.HEADER_REPEATED, expected="one header with a credential", found=found, hint=hint)
    return sent[0][1] if sent else ""


def require_credential(
    value: Text, pairs: Iterable[tuple[Text, Text]], fields: frozenset[str] = AUTHORIZATION_ONLY
) -> Text:
    """Return the credential of a request.

    Raises:
        TokenError: ``token_missing``.
    """
    if not value.strip():
        unread = [(field, _text(value)) for name, value in pairs if is_unread(field := _text(name).lower(), fields)]
        found, hint = describe_misplaced(unread)
        names = list_examples(fields)
        # The default hint names Authorization.
        expected = "" if fields == AUTHORIZATION_ONLY else f"a token in the header {names}"
        raise TokenError(ErrorCode.TOKEN_MISSING, expected=expected, found=found, hint=_place_hint(fields, hint))
    return value


def _place_hint(fields: frozenset[str], hint: str) -> str:
    """Return where the configured issuers expect the token, and the hint about a misplaced one."""
    others = sorted(fields - AUTHORIZATION_ONLY)
    if not others:
        return f"{SEND_AUTHORIZATION} {hint}" if hint else ""
    own = f"Send the request through the proxy that sets the header {' or '.join(others[:5])}."
    here = SEND_AUTHORIZATION if AUTHORIZATION_HEADER in fields else "The issuer's setting header selects it."
    return " ".join(filter(None, [own, here, hint]))


def parse_bearer(value: str) -> str:
    """Return the token of ``Bearer <token>`` (RFC 6750 §2.1).

    The scheme is case-insensitive (RFC 9110 §11.1).

    Raises:
        TokenError: ``header_malformed``.
    """
    scheme, _, token = value.strip(" \t").partition(" ")
    token = token.strip(" ")
    # Other schemes, such as DPoP (RFC 9449), need checks that are not implemented here.
    if scheme.lower() != SCHEME:
        raise _without_token(expected="the scheme Bearer", found=describe_scheme(scheme))
    if not token:
        raise _without_token(expected="one token after 'Bearer '", found="none")
    if token[:7].lower() == "bearer ":
        raise TokenError(
            ErrorCode.HEADER_MALFORMED, expected="the scheme once", found="'Bearer Bearer ...'", hint=SEND_AUTHORIZATION
        )
    return _require_single_token(token, "one token after 'Bearer '")


def _without_token(*, expected: str, found: str) -> TokenError:
    """Return the refusal of a header without a bearer token. Its challenge has no error code (RFC 6750 §3.1)."""
    refusal = TokenError(ErrorCode.HEADER_MALFORMED, expected=expected, found=found)
    refusal.has_token = False
    return refusal


def parse_bare_token(value: str) -> str:
    """Return the token of a header without a scheme, as proxies add it.

    Raises:
        TokenError: ``header_malformed``.
    """
    return _require_single_token(value.strip(" \t"), "a token and nothing else")


_PARSERS = {AUTHORIZATION_HEADER: parse_bearer, SUBPROTOCOL_HEADER: parse_subprotocols}
"""How to read a header. All others carry the token alone."""


def _require_single_token(token: str, expected: str) -> str:
    # Two credentials in one field are refused: a proxy and this server could choose different ones.
    if not token.isascii() or not token or token[0] in "\"'" or " " in token or "\t" in token or "," in token:
        raise TokenError(
            ErrorCode.HEADER_MALFORMED, expected=expected, found=_describe_fault(token), hint=_fault_hint(token)
        )
    if len(token) <= LONGEST_PLACEHOLDER and (hint := describe_placeholder(token)):
        raise TokenError(ErrorCode.HEADER_MALFORMED, expected=expected, found=placeholder_text(token), hint=hint)
    return token


def _describe_fault(token: str) -> str:
    # The characters are not shown, because they can be parts of a token.
    return "quotes around it" if token[:1] in ('"', "'") else "characters that no token has"


def _fault_hint(token: str) -> str:
    return describe_placeholder(token) if len(token) <= LONGEST_PLACEHOLDER else ""


def check_header(presented: PresentedToken, issuer: str, header: str) -> None:
    """Refuse a token in another header than that of its issuer.

    One header is set by a proxy, the other by any client.

    Args:
        presented: The token. It is verified.
        issuer: Its issuer.
        header: The header that is configured for this issuer.

    Raises:
        TokenError: ``issuer_not_trusted``. The issuer is not trusted in that header.
    """
    # A client must not send its own token in a header that only a proxy may set, or the reverse.
    if presented.header != header:
        refusal = TokenError(
            ErrorCode.ISSUER_NOT_TRUSTED,
            expected=f"a token of {issuer} in the header {header}",
            found=f"it in {presented.header}",
            hint=f"Send the token in the header {header}, or set the issuer's header to the one with its tokens.",
        )
        refusal.issuer = issuer
        raise refusal


def check_length(field: Text, max_bytes: int) -> None:
    """Refuse a token that is too long, before it is parsed.

    Raises:
        TokenError: ``token_too_long``.
    """
    # The limit is checked before any parsing, so that a long token costs no more than a short one.
    length = len(field) - len("Bearer ")
    if length > max_bytes:
        raise TokenError(ErrorCode.TOKEN_TOO_LONG, expected=f"at most {max_bytes} bytes", found=f"{length}")


OWN_PAGE = (["same-origin"], ["none"])
"""``Sec-Fetch-Site`` of a page of this server's own origin, and of an address that the user typed."""


def check_origin(pairs: Sequence[tuple[Text, Text]], issuer: str, allowed: frozenset[str] | None) -> None:
    """Refuse a request that a page of a foreign origin sent.

    A proxy adds the user's token to each request that has the user's cookie, from any page: cross-site request
    forgery. The browser sets ``Origin`` (RFC 6454 §7) and ``Sec-Fetch-Site`` (Fetch Metadata), and no script can.

    Args:
        pairs: the request's header fields.
        issuer: the issuer of the token, for the log.
        allowed: origins of pages that may use its tokens. None means any, because the client itself adds the token.

    Raises:
        TokenError: ``origin_not_allowed``, with status 403.
    """
    if allowed is None:
        return
    origins, sites = claim_values(pairs, "origin"), claim_values(pairs, "sec-fetch-site")
    if not origins and not sites:
        # Not a browser: those send Origin with every cross-site POST (Fetch Standard) and WebSocket (RFC 6455 §4.1).
        return
    # Which of two values counts is unclear (RFC 9110 §5.3): refuse both.
    if len(origins) <= 1 and len(sites) <= 1 and (sites in OWN_PAGE or not allowed.isdisjoint(origins)):
        return
    listed = list_examples(allowed) if allowed else "allowed_origins"
    refusal = TokenError(
        ErrorCode.ORIGIN_NOT_ALLOWED,
        expected=f"Sec-Fetch-Site same-origin or none, or Origin in {listed}",
        found=f"Origin {_shown(origins)}, Sec-Fetch-Site {_shown(sites)}",
    )
    refusal.issuer = issuer
    raise refusal


def _shown(values: list[str]) -> str:
    return quote(values[0] if values else None) if len(values) <= 1 else f"{len(values)} times"
