"""Each message text is asserted in one place, so that a new wording changes one file."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
SENTENCE = 3
"""A text with this many words is a sentence. A shorter one can be a name or a code."""


def asserted(module: Path) -> Iterator[str]:
    """Yield the sentences that a module compares or matches."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        matched = isinstance(node, ast.keyword) and node.arg == "match"
        if matched or isinstance(node, ast.Compare):
            texts = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
            yield from (text for text in texts if isinstance(text, str) and len(text.split()) >= SENTENCE)


def test_sentence_is_asserted_in_one_module() -> None:
    modules: dict[str, set[str]] = defaultdict(set)
    for module in TESTS.rglob("test_*.py"):
        for text in asserted(module):
            modules[text].add(str(module.relative_to(TESTS)))
    # Put a shared text into tests/kit/messages.py.
    assert len(modules) > 100
    assert {text: sorted(where) for text, where in modules.items() if len(where) > 1} == {}
