"""Parse a JWT strictly (RFC 7515 §5.2, RFC 7519 §7.2)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson
from pydantic_core import CoreConfig, SchemaValidator, ValidationError, core_schema

from ..errors import ErrorCode, TokenError
from ..json_values import is_object

if TYPE_CHECKING:
    from collections.abc import Callable

# This base64 decoder is compiled, and strict about alphabet, length and unused bits. It is not used through pydantic
# itself, because a plugin for tracing would see each token.
_BASE64 = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64"))
# The declared signature allows only dictionaries of strings.
_read_base64 = cast("Callable[[str], bytes]", _BASE64.validate_strings)
_UNIFY_BRACKETS = bytes.maketrans(b"[]", b"{}")
_NON_STRUCTURE = bytes(octet for octet in range(256) if octet not in b'{}[]"\\')
# This also matches a string that never ends. A pattern that fails there would be tried again at each quote.
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_WHITESPACE = " \t\n\r"
_MAX_INTEGER_LENGTH = 20
_INTEGERS = range(-(2**63), 2**64)
"""Integers that every JSON library of the servers can write. A longer one would be an error later."""


class Segments(NamedTuple):
    """A compact JWS and the positions of its two dots. The segments are copied only when they are read."""

    text: str
    first: int
    second: int

    def __repr__(self) -> str:
        """Return no part of the token."""
        return "Segments(...)"

    @property
    def header(self) -> str:
        """The first segment, encoded."""
        return self.text[: self.first]

    @property
    def payload(self) -> str:
        """The second segment, encoded."""
        return self.text[self.first + 1 : self.second]

    @property
    def signature(self) -> str:
        """The third segment, encoded."""
        return self.text[self.second + 1 :]

    @property
    def signing_input(self) -> bytes:
        """The bytes that were signed (RFC 7515 §5.1)."""
        return self.text[: self.second].encode()


def split_token(token: str) -> Segments:
    """Return the three segments of a token (RFC 7515 §7.1).

    Raises:
        TokenError: ``token_malformed``.
    """
    # find() is faster than split() and count() on long invalid texts.
    first = token.find(".")
    second = token.find(".", first + 1)
    if not 0 < first < second - 1 < len(token) - 2 or token.find(".", second + 1) >= 0:
        raise TokenError(ErrorCode.TOKEN_MALFORMED, expected="three segments", found="another number, or an empty one")
    return Segments(token, first, second)


def decode_base64url(segment: str) -> bytes:
    """Return the bytes of an unpadded, canonical segment (RFC 7515 §2).

    Raises:
        TokenError: ``token_base64_invalid``.
    """
    decoded = _decode(segment)
    if not decoded:
        found = "no characters, a character outside the alphabet, an impossible length, or unused bits that are not 0"
        raise TokenError(ErrorCode.TOKEN_BASE64_INVALID, found=found)
    return decoded


def _decode(segment: str) -> bytes:
    # A fault returns nothing instead of a chained error, which would hold the segment. The decoder also accepts padding
    # and the standard alphabet. Then one token would have several spellings, so both are refused.
    if "=" in segment or "+" in segment or "/" in segment:
        return b""
    try:
        return _read_base64(segment)
    except ValidationError:
        return b""


def parse_object(raw: bytes, max_depth: int) -> dict[str, object]:
    """Return the JSON object in a segment (RFC 7519 §4, RFC 8725 §2.4).

    Raises:
        TokenError: ``token_json_invalid``.
    """
    parsed = _parse_json(raw, max_depth)
    if not is_object(parsed):
        raise TokenError(ErrorCode.TOKEN_JSON_INVALID, expected="one JSON object in UTF-8 without repeated names")
    return parsed


def _parse_json(raw: bytes, max_depth: int) -> object:
    # A fault returns None instead of a chained error, because a JSON parser's error holds the text.
    try:
        _check_depth(raw, max_depth)
        parsed = _parse_canonical(raw)
        return _parse_strict(raw.decode("utf-8").strip(_WHITESPACE)) if parsed is None else parsed
    except (ValueError, RecursionError):
        return None


def _parse_canonical(raw: bytes) -> object:
    """Return the value of a text that a JSON library wrote, or None.

    Nearly every token is such a text. If writing the value gives the same bytes, the text has no repeated name, no lone
    surrogate and no ambiguous number. This is three times as fast as a search for them.
    """
    try:
        parsed = orjson.loads(raw)
        return parsed if orjson.dumps(parsed) == raw else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _parse_strict(text: str) -> object:
    parsed, end = _DECODER.raw_decode(text)
    if end != len(text):
        return None
    if "\\u" in text:
        _ = json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # Fails for a lone surrogate.
    return parsed


def _check_depth(raw: bytes, max_depth: int) -> None:
    # One pass keeps the brackets of lists and objects, and the characters with which a string can hide them.
    structure = raw.translate(_UNIFY_BRACKETS, _NON_STRUCTURE)
    # The cheapest test is first. Most tokens have few brackets, and nearly all have none inside strings.
    if structure.count(b"{") <= max_depth:
        return
    brackets = structure.replace(b'""', b"")
    if brackets.strip(b"{}"):
        brackets = _STRINGS.sub(b"", raw).translate(_UNIFY_BRACKETS, _NON_STRUCTURE)
    if b"{" * (max_depth + 1) in brackets:
        raise ValueError
    # Each pass removes one level. The rest is deeper, or is not JSON.
    for _ in range(max_depth):
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"")
    if brackets:
        raise ValueError


def _reject_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _number(literal: str) -> float:
    number = float(literal)
    if number - number != 0:  # NaN and the infinities, also 1e999
        raise ValueError
    return number


def _integer(literal: str) -> int:
    # The length is compared first, because converting thousands of digits is slow.
    if len(literal) > _MAX_INTEGER_LENGTH or (number := int(literal)) not in _INTEGERS:
        raise ValueError
    return number


# Created once. json.loads creates a decoder for each call with hooks.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_reject_duplicates, parse_constant=_number, parse_float=_number, parse_int=_integer
)
