"""Configuration of the documentation site: ``sphinx-build -W -n -b html docs build/docs``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]

project = "oidc_auth"
author = "The oidc_auth authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "oidc_auth"
exclude_patterns = ["_build"]
myst_heading_anchors = 3

ROOT_PAGES = {
    "readme": "README.md",
    "security": "SECURITY.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
}
"""Pages of the site with a text in the repository's root, where code hosts look for it."""


INDEXES = ("index", "clients/index", "decisions/index")
"""Pages with tables of pages; the navigation is made of these tables, so that code hosts show no directives."""


class App(Protocol):
    """What this file uses of Sphinx."""

    def connect(self, event: str, callback: Callable[..., None]) -> int:
        """Call a function at an event."""
        ...


def prepare(_app: object, page: str, source: list[str]) -> None:
    """Change a page for the site: use texts of the root, point links at pages, and add the navigation."""
    if page in ROOT_PAGES:
        source[0] = _read_root_page(ROOT_PAGES[page])
    for name, file in ROOT_PAGES.items():
        source[0] = source[0].replace(f"](../{file}", f"]({name}.md").replace(f"](../../{file}", f"](../{name}.md")
    if page in INDEXES:
        source[0] += "".join(_navigation(section) for section in re.split(r"^## ", source[0], flags=re.MULTILINE))


def _read_root_page(file: str) -> str:
    """Return a page of the root with its links as seen from ``docs``."""
    text = (ROOT / file).read_text("utf-8")
    return re.sub(r"\]\((docs/)?(?=[\w./-])(?!https?:)", lambda link: "](" if link[1] else "](../", text)


def _navigation(section: str) -> str:
    """Return a table of contents with the pages that a section's table links to."""
    pages = re.findall(r"^\| \[[^\]]*\]\(([\w./-]+)\.md\)", section, re.MULTILINE)
    caption = section.partition("\n")[0].removeprefix("# ")
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]) if pages else ""


def setup(app: App) -> None:
    """Register the changes."""
    app.connect("source-read", prepare)
