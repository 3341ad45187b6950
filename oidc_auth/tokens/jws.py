"""A token's text to its parts, strictly (RFC 7515 §5.2, RFC 7519 §7.2). No cryptography, no policy."""

from __future__ import annotations

import json
import re
from binascii import Error, a2b_base64
from typing import NamedTuple, cast

from ..errors import Code, TokenError

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# The URL alphabet in the standard one's spelling; whatever else there is becomes a byte that strict decoding refuses.
_TO_STANDARD = bytes(octet if octet in _ALPHABET else 0 for octet in range(256)).translate(
    bytes.maketrans(b"-_", b"+/")
)
_ALIKE = bytes.maketrans(b"[]", b"{}")
_BESIDES_STRUCTURE = bytes(octet for octet in range(256) if octet not in b'{}[]"\\')
# Also matches a string that never ends: a pattern that fails there would be tried again at each of its quotes.
_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_WHITESPACE = " \t\n\r"
_LONGEST_INTEGER = 20
_INTEGERS = range(-(2**63), 2**64)
"""What every JSON library of the servers can write; a longer one would be an error later, with a stack trace."""


class Segments(NamedTuple):
    """The three segments of a compact JWS, still encoded, and the bytes of the whole."""

    header: bytes
    payload: bytes
    signature: bytes
    text: bytes

    def __repr__(self) -> str:
        """Return no part of the token."""
        return "Segments(...)"

    @property
    def signing_input(self) -> bytes:
        """The bytes that were signed (RFC 7515 §5.1)."""
        return self.text[: -len(self.signature) - 1]


def split_token(token: str) -> Segments:
    """Return the three segments. Raises TokenError ``segments_wrong`` (RFC 7515 §7.1)."""
    text = token.encode("ascii")
    # Neither split() nor count(), which look at each byte by itself: strangers send long texts.
    header, _, rest = text.partition(b".")
    payload, _, signature = rest.partition(b".")
    if not (header and payload and signature) or b"." in signature:
        raise TokenError(Code.SEGMENTS_WRONG, expected="three parts", found="another number, or an empty one")
    return Segments(header, payload, signature, text)


def decode_base64url(segment: bytes) -> bytes:
    """Return the bytes of an unpadded, canonical segment. Raises TokenError ``base64url_invalid`` (RFC 7515 §2)."""
    # Unused bits of the last character must be zero: else one token has several spellings, also in our cache.
    unused = -len(segment) % 4 * 2
    if not segment or _ALPHABET.find(segment[-1]) & ((1 << unused) - 1):
        raise TokenError(Code.BASE64URL_INVALID, found="nothing, or unused bits that are not zero")
    try:
        return a2b_base64(segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4), strict_mode=True)
    except Error:
        found = "a character outside the alphabet, or an impossible length"
        raise TokenError(Code.BASE64URL_INVALID, found=found) from None


def parse_object(raw: bytes, max_depth: int) -> dict[str, object]:
    """Return the JSON object in ``raw``. Raises TokenError ``json_invalid`` (RFC 7519 §4, RFC 8725 §2.4)."""
    parsed = _strictly_parsed(raw, max_depth)
    if not isinstance(parsed, dict):
        raise TokenError(Code.JSON_INVALID, expected="one JSON object in UTF-8, no name twice")
    return cast("dict[str, object]", parsed)


def _strictly_parsed(raw: bytes, max_depth: int) -> object:
    # None for whatever is wrong, and no chained error: what the JSON parser raises holds the text it could not read.
    try:
        text = raw.decode("utf-8").strip(_WHITESPACE)
        _check_depth(text, max_depth)
        parsed, end = _DECODER.raw_decode(text)
        if end != len(text):
            return None
        if "\\u" in text:
            _ = json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no character
    except (ValueError, RecursionError):
        return None
    return parsed


def _check_depth(text: str, max_depth: int) -> None:
    # Cheapest first: most tokens have fewer brackets than levels, and nearly all have none inside their strings.
    if text.count("{") + text.count("[") <= max_depth:
        return
    brackets = _structure(text)
    if b'"' in brackets or b"\\" in brackets:
        brackets = _structure(_STRINGS.sub("", text))
    if b"{" * (max_depth + 1) in brackets:
        raise ValueError
    # Each turn takes one level off; what is then left is deeper, or no JSON.
    for _ in range(max_depth):
        brackets = brackets.replace(b"{}", b"")
    if brackets:
        raise ValueError


def _structure(text: str) -> bytes:
    """Return the brackets, those of lists as those of objects, and whatever a string may hide them with."""
    return text.encode().translate(_ALIKE, _BESIDES_STRUCTURE).replace(b'""', b"")


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _number(literal: str) -> float:
    number = float(literal)
    if number - number != 0:  # NaN and the infinities, also one written 1e999
        raise ValueError
    return number


def _integer(literal: str) -> int:
    # The length first: turning thousands of digits into a number is work for nothing.
    if len(literal) > _LONGEST_INTEGER or (number := int(literal)) not in _INTEGERS:
        raise ValueError
    return number


# Made once: json.loads would make another for each call with hooks.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_distinct, parse_constant=_number, parse_float=_number, parse_int=_integer
)
