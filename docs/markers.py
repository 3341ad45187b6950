"""Helpers for generated pages, and for generated parts of pages: a comment names each part."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GENERATED = "`python docs/generate.py` generates this page from the code."
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
SCREEN = re.compile(r"(<!-- screen: (\S+) -->\n```text\n).*?```", re.DOTALL)


def fill(page: str, *, tables: Mapping[str, Callable[[], str]], screens: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with the current text between its markers.

    Args:
        page: the Markdown text.
        tables: what belongs between ``<!-- table: NAME -->`` and ``<!-- end -->``.
        screens: what belongs into the block of text after ``<!-- screen: NAME -->``.
    """
    filled = TABLE.sub(lambda found: f"{found[1]}\n{tables[found[2]]()}\n\n{found[3]}", page)
    return SCREEN.sub(lambda found: f"{found[1]}{screens[found[2]]()}\n```", filled)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


def page(*parts: str) -> str:
    """Return a page made of paragraphs."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def escape(text: str) -> str:
    """Return text in which ``<name>`` outside of code is not an HTML tag."""
    parts = text.split("`")
    return "`".join(part if number % 2 else part.replace("<", "\\<") for number, part in enumerate(parts))
