"""The documentation says what the code does: generated pages are current, and the README's commands are those of CI."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", generator().PAGES)
def test_generated_page_is_current(page: str) -> None:
    written = (ROOT / "docs" / page).read_text("utf-8")
    assert written == generator().PAGES[page](), "run python docs/generate.py"


def test_enforcement_page_keeps_sections() -> None:
    """Its tables are put between two marks: a mark that is missing would take the text after it along."""
    page = (ROOT / "docs" / "enforcement.md").read_text("utf-8")
    assert page.count("<!-- table: ") == page.count("<!-- end -->") == len(generator().TABLES)
    assert [page.count(f"<!-- table: {name} -->") for name in generator().TABLES] == [1, 1, 1, 1]


def test_readme_commands_match_ci() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"```bash\n(.*?)\n```", readme, re.DOTALL)
    assert commands == ['pip install -e ".[demo]" && oidc-auth demo', 'pip install -e ".[test]" && pytest']
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert all(command in ci for command in commands)


def test_every_relative_link_resolves() -> None:
    for page in [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_is_short() -> None:
    assert 120 <= len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200
