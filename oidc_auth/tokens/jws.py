"""A token's text to its parts, strictly (RFC 7515 §5.2, RFC 7519 §7.2). No cryptography, no policy."""

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

# Its base64 is strict about alphabet, length and unused bits, and compiled. Not through pydantic itself: a plugin for
# tracing would be shown each token.
_BASE64 = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64"))
# Its signature knows of dictionaries of strings only.
_read_base64 = cast("Callable[[str], bytes]", _BASE64.validate_strings)
_UNIFY_BRACKETS = bytes.maketrans(b"[]", b"{}")
_NON_STRUCTURE = bytes(octet for octet in range(256) if octet not in b'{}[]"\\')
# Also matches a string that never ends: a pattern that fails there would be tried again at each of its quotes.
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_WHITESPACE = " \t\n\r"
_MAX_INTEGER_LENGTH = 20
_INTEGERS = range(-(2**63), 2**64)
"""What every JSON library of the servers can write; a longer one would be an error later, with a stack trace."""


class Segments(NamedTuple):
    """A compact JWS and where its two dots are: nothing is copied before somebody wants to read it."""

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
    """Return the three segments. Raises TokenError ``token_malformed`` (RFC 7515 §7.1)."""
    # Neither split() nor count(), which look at each character by itself: strangers send long texts.
    first = token.find(".")
    second = token.find(".", first + 1)
    if not 0 < first < second - 1 < len(token) - 2 or token.find(".", second + 1) >= 0:
        raise TokenError(ErrorCode.TOKEN_MALFORMED, expected="three parts", found="another number, or an empty one")
    return Segments(token, first, second)


def decode_base64url(segment: str) -> bytes:
    """Return the bytes of an unpadded, canonical segment. Raises TokenError ``token_base64_invalid`` (RFC 7515 §2)."""
    decoded = _decode(segment)
    if not decoded:
        found = "nothing, a character outside the alphabet, an impossible length, or unused bits that are not zero"
        raise TokenError(ErrorCode.TOKEN_BASE64_INVALID, found=found)
    return decoded


def _decode(segment: str) -> bytes:
    # Nothing for whatever is wrong, and no chained error: it would hold the segment. What is used below also reads
    # padding and the standard alphabet: one token would have several spellings.
    if "=" in segment or "+" in segment or "/" in segment:
        return b""
    try:
        return _read_base64(segment)
    except ValidationError:
        return b""


def parse_object(raw: bytes, max_depth: int) -> dict[str, object]:
    """Return the JSON object in ``raw``. Raises TokenError ``token_json_invalid`` (RFC 7519 §4, RFC 8725 §2.4)."""
    parsed = _parse_json(raw, max_depth)
    if not is_object(parsed):
        raise TokenError(ErrorCode.TOKEN_JSON_INVALID, expected="one JSON object in UTF-8, no name twice")
    return parsed


def _parse_json(raw: bytes, max_depth: int) -> object:
    # None for whatever is wrong, and no chained error: what a JSON parser raises holds the text it could not read.
    try:
        _check_depth(raw, max_depth)
        parsed = _parse_canonical(raw)
        return _parse_strict(raw.decode("utf-8").strip(_WHITESPACE)) if parsed is None else parsed
    except (ValueError, RecursionError):
        return None


def _parse_canonical(raw: bytes) -> object:
    """Return what a text says that is written just as a JSON library writes it, or None; nearly every token is.

    A text that comes back byte for byte holds no name twice, no lone surrogate, and no number that another library
    would read differently: three times as fast as looking for them.
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
        _ = json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no character
    return parsed


def _check_depth(raw: bytes, max_depth: int) -> None:
    # One pass leaves the brackets, those of lists as those of objects, and whatever a string may hide them with.
    structure = raw.translate(_UNIFY_BRACKETS, _NON_STRUCTURE)
    # Cheapest first: most tokens have fewer brackets than levels, and nearly all have none inside their strings.
    if structure.count(b"{") <= max_depth:
        return
    brackets = structure.replace(b'""', b"")
    if brackets.strip(b"{}"):
        brackets = _STRINGS.sub(b"", raw).translate(_UNIFY_BRACKETS, _NON_STRUCTURE)
    if b"{" * (max_depth + 1) in brackets:
        raise ValueError
    # Each turn takes one level off; what is then left is deeper, or no JSON.
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
    if number - number != 0:  # NaN and the infinities, also one written 1e999
        raise ValueError
    return number


def _integer(literal: str) -> int:
    # The length first: turning thousands of digits into a number is work for nothing.
    if len(literal) > _MAX_INTEGER_LENGTH or (number := int(literal)) not in _INTEGERS:
        raise ValueError
    return number


# Made once: json.loads would make another for each call with hooks.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_reject_duplicates, parse_constant=_number, parse_float=_number, parse_int=_integer
)
