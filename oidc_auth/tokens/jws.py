"""A token's text to its parts, strictly (RFC 7515 §5.2, RFC 7519 §7.2). No cryptography, no policy."""

from __future__ import annotations

import json
import re
from binascii import Error, a2b_base64
from typing import NamedTuple, cast

from ..errors import Code, TokenError

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# Also matches a string that never ends: a pattern that fails there would be tried again at each of its quotes.
_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_LONGEST_INTEGER = 20
_INTEGERS = range(-(2**63), 2**64)
"""What every JSON library of the servers can write; a longer one would be an error later, with a stack trace."""


class Segments(NamedTuple):
    """The three segments of a compact JWS, still encoded, and the bytes of the whole."""

    header: bytes
    payload: bytes
    signature: bytes
    text: bytes

    @property
    def signing_input(self) -> bytes:
        """The bytes that were signed (RFC 7515 §5.1)."""
        return self.text[: -len(self.signature) - 1]


def split_token(token: str) -> Segments:
    """Return the three segments. Raises TokenError ``segments_wrong`` (RFC 7515 §7.1)."""
    text = token.encode("ascii")
    # A million dots must not become a million strings.
    parts = text.split(b".", 5)
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - header, payload, signature
        encrypted = " (five: an encrypted token, JWE)" if len(parts) == 5 else ""  # noqa: PLR2004
        raise TokenError(Code.SEGMENTS_WRONG, expected="three parts", found=f"another number{encrypted}")
    header, payload, signature = parts
    return Segments(header, payload, signature, text)


def decode_base64url(segment: bytes) -> bytes:
    """Return the bytes of an unpadded, canonical segment. Raises TokenError ``base64url_invalid`` (RFC 7515 §2)."""
    if not segment or segment.translate(None, _ALPHABET):
        raise TokenError(Code.BASE64URL_INVALID, found="nothing, or a character outside the alphabet")
    padded = segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4)
    try:
        # Nothing is left for the decoder's strict mode to find, and that one takes twice as long.
        return _canonical(segment, a2b_base64(padded))
    except Error:
        raise TokenError(Code.BASE64URL_INVALID, found="an impossible length") from None


def _canonical(segment: bytes, decoded: bytes) -> bytes:
    # Unused bits of the last character must be zero: else one token has several spellings, also in our cache.
    unused = -len(segment) % 4 * 2
    if _ALPHABET.index(segment[-1]) & ((1 << unused) - 1):
        raise TokenError(Code.BASE64URL_INVALID, found="unused bits that are not zero")
    return decoded


def parse_object(raw: bytes, max_depth: int) -> dict[str, object]:
    """Return the JSON object in ``raw``. Raises TokenError ``json_invalid`` (RFC 7519 §4, RFC 8725 §2.4)."""
    parsed = _strictly_parsed(raw, max_depth)
    if not isinstance(parsed, dict):
        raise TokenError(Code.JSON_INVALID, expected="one JSON object in UTF-8, no name twice")
    return cast("dict[str, object]", parsed)


def _strictly_parsed(raw: bytes, max_depth: int) -> object:
    # None for whatever is wrong, and no chained error: what the JSON parser raises holds the text it could not read.
    try:
        text = raw.decode("utf-8")
        _check_depth(text, max_depth)
        parsed: object = _DECODER.decode(text)
        if "\\u" in text:
            _ = json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no character
    except (ValueError, RecursionError):
        return None
    return parsed


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("{") + text.count("[") <= max_depth:
        return
    depth = 0
    for bracket in re.findall(r"[{}\[\]]", _STRINGS.sub("", text)):
        depth += 1 if bracket in "{[" else -1
        if depth > max_depth:
            raise ValueError


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
