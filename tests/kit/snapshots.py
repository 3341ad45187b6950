"""The texts of all messages, in one file. Tests give their messages to ``Messages.check``."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

TESTS = Path(__file__).parents[1]
FILE = TESTS / "messages.json"
"""The expected texts by test function and case. Tests repeat no text, so that a new wording changes only this file."""
WRITE = "OIDC_AUTH_WRITE_MESSAGES"
"""If this variable is set, the found texts are written into the file and not compared."""

rewritten: set[str] = set()
"""The test functions that this process has written. Their old texts are dropped first."""


class Messages:
    """Compares the messages of one test with the file.

    Attributes:
        function: The test function, such as ``config/test_load.py::test_name``.
        parameters: The id of its parameters.
        number: How many messages were checked.
    """

    def __init__(self, function: str, parameters: str) -> None:
        self.function, self.parameters, self.number = function, parameters, 0

    def check(self, text: object, hidden: Mapping[object, str] | None = None) -> None:
        """Compare the next message of this test. ``hidden`` replaces values that differ between runs."""
        found = str(text)
        for value, name in (hidden or {}).items():
            found = found.replace(str(value), name)
        self.number += 1
        if os.environ.get(WRITE):
            write(self.function, self.case, found)
        elif found != self.stored:
            pytest.fail(
                f"The message differs from {FILE.name}.\nexpected: {self.stored!r}\nfound:    {found!r}\n"
                f"If the new text is right: {WRITE}=1 pytest tests/{self.function}"
            )

    def check_all_used(self) -> None:
        """Fail if the file has more messages of this test."""
        self.number += 1
        if self.stored is not None:
            pytest.fail(f"{FILE.name} has more messages of {self.function}. Run it with {WRITE}=1.")

    @property
    def case(self) -> str:
        """The parameters and the number of the current message."""
        number = f"#{self.number}" if self.number > 1 or not self.parameters else ""
        return f"{self.parameters} {number}".strip()

    @property
    def stored(self) -> str | None:
        """The text in the file for the current message."""
        text = load().get(self.function, {}).get(self.case)
        return "\n".join(text) if isinstance(text, list) else text


@cache
def load() -> dict[str, dict[str, str | list[str]]]:
    """Return the texts in the file. A text of several lines is a list."""
    texts: dict[str, dict[str, str | list[str]]] = json.loads(FILE.read_text("utf-8"))
    return texts


def write(function: str, case: str, text: str) -> None:
    """Write a text into the file."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail(f"{WRITE} needs one process: pytest -n 0 ...")
    texts = load()
    if function not in rewritten:
        rewritten.add(function)
        texts[function] = {}
    texts[function][case] = text.split("\n") if "\n" in text else text
    FILE.write_text(json.dumps(texts, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
