"""Read the Keycloak guide for the tests."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[3] / "docs" / "providers" / "keycloak.md"
REALM = "http://127.0.0.1:8080/realms/acme"


def blocks(language: str) -> list[str]:
    """Return the code blocks in one language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def assert_in_guide(said: str, issuer: str) -> None:
    """Compare the guide with the log. The address is that of the guide, and the user is removed."""
    line = said.partition(" (issuer ")[0].replace(issuer, REALM)
    # The guide can wrap a line anywhere.
    assert line in " ".join(GUIDE.read_text("utf-8").split())
