"""Write the generated parts of the documentation: ``python docs/generate.py``. A test compares them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER))
# The table of routes is in the tests that use it.
sys.path.append(str(FOLDER.parent / "tests"))

from generated_api import API  # noqa: E402 - found once the path above is set
from generated_pages import doctor, error_codes, malformed_claims, permissions  # noqa: E402
from generated_providers import providers  # noqa: E402
from generated_screens import SCREENS  # noqa: E402
from generated_tables import TABLES  # noqa: E402
from markers import fill  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _filled(page: str) -> Callable[[], str]:
    """Return a function that returns a page with its tables, screens and API entries as they are now."""
    return lambda: fill((FOLDER / page).read_text("utf-8"), tables={**TABLES, **API}, screens=SCREENS)


PAGES: Mapping[str, Callable[[], str]] = {
    "error-codes.md": error_codes,
    "permissions.md": permissions,
    "providers.md": providers,
    "doctor.md": doctor,
    "malformed-claims.md": malformed_claims,
    **{
        page: _filled(page)
        for page in (
            "architecture.md",
            "command-line.md",
            "configuration.md",
            "enforcement.md",
            "operate/aegra.md",
            "python-api.md",
            "testing.md",
            "web.md",
        )
    },
}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (FOLDER / page).write_text(write(), encoding="utf-8")
