"""Code blocks of the documentation, for tests that run them."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SERVER_ADDRESS = "http://localhost:2024"
"""The address of the LangGraph server in the pages."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)
_FILE = re.compile(r"^// (\S+\.jsx?)\n")


def code_blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return [code for name, code in _BLOCK.findall((DOCS / page).read_text("utf-8")) if name == language]


def section(page: str, heading: str) -> str:
    """Return the text of a section, with its subsections' headings removed."""
    text = (DOCS / page).read_text("utf-8")
    headings = [match for match in _HEADING.finditer(text) if not _inside_block(text, match.start())]
    for match, following in zip(headings, [*headings[1:], None], strict=True):
        if match[1] == heading:
            return text[match.end() : following.start() if following else len(text)]
    raise AssertionError(f"{page} has no section {heading!r}")


def block(page: str, heading: str, language: str) -> str:
    """Return the only code block of a section in a language."""
    found = _BLOCK.findall(section(page, heading))
    (code,) = [str(code) for name, code in found if name == language]
    return code


def write_files(page: str, folder: Path, server: str) -> None:
    """Write the JavaScript blocks of a page into files. The first line of each block is a comment with the name."""
    for language in ("js", "jsx"):
        for code in code_blocks(page, language):
            name = _FILE.match(code)
            assert name is not None, f"{page}: a block does not begin with the name of its file"
            (folder / name[1]).write_text(code.replace(SERVER_ADDRESS, server), "utf-8")


def _inside_block(text: str, position: int) -> bool:
    return text[:position].count("\n```") % 2 == 1
