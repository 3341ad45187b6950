"""Message texts are in ``messages.json`` only, so that a new wording changes one file.

A test module spells a message if

- a string in it has four words in a row that a string of ``oidc_auth`` has too, or
- a string that it compares or matches has three.

A word has only letters, ``-``, ``_`` and ``'``. Codes, key paths, URLs and placeholders end a row of words. Docstrings
and comments do not count.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.snapshots import FILE, TESTS, load

import oidc_auth
from oidc_auth.errors import ERROR_DETAILS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY, COMPARED = 4, 3
"""How many words in a row are a sentence: in any string, and in a string that is compared or matched."""

NO_MESSAGES = {
    # Names of test cases.
    "a byte order mark",
    ", behind a byte order mark",
    # Headings of docs/providers/auth0.md.
    "The client did not send audience",
    "The token is for another API",
    "Permissions are not added to the access token",
    "The token has expired",
    # An answer of the client examples.
    "the thread does not exist, or it belongs to another user",
    # Answers of a graph.
    "alice said hello",
    "alice said tick",
}
COMPARING = {"startswith", "endswith", "count", "index", "partition", "rpartition", "removeprefix", "removesuffix"}
PUNCTUATION = "\"'`.,:;!?()[]{}<>*^$+|\\"
WORD = re.compile(r"[A-Za-z][A-Za-z'_-]*")
PLACEHOLDER = " {} "


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the strings below a node, with f-strings as one text and without docstrings."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def compared(tree: ast.AST) -> Iterator[str]:
    """Yield the strings that a module compares or matches."""
    for node in ast.walk(tree):
        matches = isinstance(node, ast.keyword) and node.arg == "match"
        calls = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMPARING
        if matches or calls or isinstance(node, ast.Compare):
            yield from texts(node)


def rows_of_words(text: str, length: int) -> set[tuple[str, ...]]:
    """Return the rows of words in a text."""
    words = [word.strip(PUNCTUATION).lower() for word in text.split()]
    rows = (tuple(words[start : start + length]) for start in range(len(words) - length + 1))
    return {row for row in rows if all(WORD.fullmatch(word) for word in row)}


@cache
def rows_of_library(length: int) -> frozenset[tuple[str, ...]]:
    modules = Path(oidc_auth.__file__).parent.rglob("*.py")
    trees = (ast.parse(module.read_text("utf-8")) for module in modules)
    return frozenset(row for tree in trees for text in texts(tree) for row in rows_of_words(text, length))


def spelled(source: str) -> list[str]:
    """Return the strings of a module that spell a message."""
    tree = ast.parse(source)
    candidates = [(text, ANY) for text in texts(tree)] + [(text, COMPARED) for text in compared(tree)]
    found = [text for text, length in candidates if rows_of_words(text, length) & rows_of_library(length)]
    return sorted({text for text in found if text.replace(PLACEHOLDER, "") not in NO_MESSAGES})


def test_no_module_spells_message() -> None:
    modules = sorted(TESTS.rglob("*.py"))
    assert len(modules) > 100
    found = {str(module.relative_to(TESTS)): spelled(module.read_text("utf-8")) for module in modules}
    # Use the fixture ``messages``. CONTRIBUTING.md describes it.
    assert {module: sentences for module, sentences in found.items() if sentences} == {}


SENTENCE = ERROR_DETAILS[ErrorCode.TOKEN_EXPIRED].client_message
PART = " ".join(SENTENCE.split()[:COMPARED])


@pytest.mark.parametrize(
    "source",
    [
        f'assert "{SENTENCE}" in error.hint',
        f'assert f"{{code}}: {SENTENCE}, {{name}}" in error.hint',
        f'assert error.hint == ("401: " "{SENTENCE}")',
        f'ROWS = [({{"azp": "web"}}, "{SENTENCE}")]',
        f'HINT = "Keycloak: {SENTENCE}."',
        f'assert "{PART}" in error.hint',
        f'assert error.hint.startswith("{PART}")',
        f'with pytest.raises(ConfigError, match="^{PART}"): ...',
    ],
)
def test_planted_sentence_is_found(source: str) -> None:
    assert len(spelled(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        f'"""If {SENTENCE}."""',
        f"x = 1  # {SENTENCE}",
        'assert error.code == "token_expired"',
        'assert where == "issuer[0].permission_map[0].claim"',
        'assert url == "https://sso.acme.com/realms/acme"',
        f'CASES = ["{PART}"]',
    ],
)
def test_value_is_no_sentence(source: str) -> None:
    assert spelled(source) == []


def test_every_entry_belongs_to_test() -> None:
    for name in load():
        module, _, function = name.partition("::")
        assert re.search(rf"def {function}\([^)]*messages: Messages", (TESTS / module).read_text("utf-8")), name
    assert len(load()) > 100


def test_file_is_sorted() -> None:
    names = re.findall(r'^ "(.*)": \{$', FILE.read_text("utf-8"), re.MULTILINE)
    assert names == sorted(load())
