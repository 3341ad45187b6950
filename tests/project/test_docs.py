"""The documentation: generated parts are current, links and markers are complete, commands are those of CI."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROOT_PAGES = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")]
PAGES = [*ROOT_PAGES, *sorted(DOCS.rglob("*.md"))]
# The README and decision records have their own beginning.
DOCUMENTS = [page for page in PAGES if page.name != "README.md" and not page.name[0].isdigit()]
MARKER = re.compile(r"<!-- (?:table|screen): (\S+) -->")


def load_script(name: str) -> Any:
    if str(DOCS) not in sys.path:
        sys.path.append(str(DOCS))
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = load_script("generate")


@pytest.mark.parametrize("page", GENERATE.PAGES)
def test_generated_page_is_current(page: str) -> None:
    written = (DOCS / page).read_text("utf-8")
    assert written == GENERATE.PAGES[page](), "run python docs/generate.py"


def test_every_marker_is_on_one_generated_page() -> None:
    """Text after a marker without an end would be overwritten."""
    # Pages outside of docs/ have no markers.
    found = [
        (page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else page.name, name)
        for page in PAGES
        for name in MARKER.findall(page.read_text("utf-8"))
    ]
    known = [*GENERATE.TABLES, *GENERATE.API, *GENERATE.SCREENS]
    assert sorted(name for _, name in found) == sorted(known)
    assert {page for page, _ in found} <= set(GENERATE.PAGES)
    for page in {page for page, _ in found}:
        text = (DOCS / page).read_text("utf-8")
        assert text.count("<!-- table: ") == text.count("<!-- end -->")


def test_every_public_name_has_example() -> None:
    sections = re.split(r"^#{2,3} ", (DOCS / "python-api.md").read_text("utf-8"), flags=re.MULTILINE)
    documented = [(name, section) for section in sections for name in MARKER.findall(section)]
    assert sorted(name for name, _ in documented) == sorted(GENERATE.API)
    assert [name for name, section in documented if "```python" not in section] == []
    presets = next(section for name, section in documented if name == "preset-functions")
    functions = [name for name, _ in load_script("generated_api").preset_functions()]
    assert [name for name in functions if f"presets.{name}(" not in presets] == []


def test_readme_commands_are_run_by_ci() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"```bash\n(.*?)\n```", readme, re.DOTALL)
    assert commands == ['pip install -e ".[demo]" && oidc-auth demo', 'pip install -e ".[test]" && pytest']
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert all(command in ci for command in commands)


def test_readme_has_120_to_150_lines() -> None:
    assert 120 <= len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_name_existing_files(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    # The site offers files for download; it has no page for a folder.
    assert [target for target in targets if not (page.parent / target).is_file()] == []


def test_architecture_names_existing_code() -> None:
    text = " ".join((DOCS / "architecture.md").read_text("utf-8").split())
    named = re.findall(r"`(\w+)`(?: and `(\w+)`)? in `([\w/]+\.py)`", text)
    places = {(name, path) for *names, path in named for name in names if name}
    samples = "tests/kit/provider_samples.py"
    assert {path for _, path in places} >= {"keys/jwk.py", "enforcement/ownership.py", samples}
    assert [place for place in sorted(places) if not is_defined(*place)] == []


def test_architecture_names_existing_files() -> None:
    named = re.findall(r"`([\w/]+(?:\.py|/))`", (DOCS / "architecture.md").read_text("utf-8"))
    assert [path for path in named if not find_source(path).exists()] == []


def find_source(path: str) -> Path:
    """Return a file or folder that a page names from the root or from the package."""
    return ROOT / path if (ROOT / path).exists() else ROOT / "oidc_auth" / path


def is_defined(name: str, path: str) -> bool:
    """Tell whether a file defines a class, function, method or constant."""
    text = find_source(path).read_text("utf-8")
    return re.search(rf"^\s*(?:(?:async )?def|class) {name}\b|^{name}(?::| =)", text, re.MULTILINE) is not None


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_starts_with_its_readers(page: Path) -> None:
    first = page.read_text("utf-8").split("\n\n")[1]
    assert re.match(r"This (page|site|section) is for ", first)
