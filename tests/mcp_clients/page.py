"""The programs of ``docs/clients/mcp.md``, with the addresses of a test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_clients.clients import Session

PAGE = Path(__file__).parents[2] / "docs" / "clients" / "mcp.md"
ADDRESS = "https://agents.acme.com/mcp"
CALLBACK = "http://127.0.0.1:3030/callback"


def program(heading: str, url: str, port: int) -> tuple[str, str]:
    """Return the definitions and the main part of the program under a heading."""
    (section,) = re.findall(rf"^### {heading}\n(.*?)(?=^#|\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    *definitions, main = re.findall(r"```(?:py|js)\n(.*?)```", section, re.DOTALL)
    return _adapt("\n\n".join(definitions), url, port), _adapt(main, url, port)


def cors_settings() -> dict[str, Any]:
    """Return the ``cors`` table of langgraph.json that the page shows."""
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)]
    (cors,) = (block["http"]["cors"] for block in blocks if "cors" in block.get("http", {}))
    return dict(cors)


def assert_on_page(message: str, session: Session) -> None:
    """Check that a client reports a message, and that the page explains it."""
    assert message in session.output
    assert f"`{message}" in PAGE.read_text("utf-8")


def _adapt(text: str, url: str, port: int) -> str:
    return text.replace(ADDRESS, url).replace(CALLBACK, CALLBACK.replace("3030", str(port)))
