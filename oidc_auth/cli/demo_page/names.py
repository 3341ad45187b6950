"""The path of the page, its client, and the users that it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/demo"
"""The path of the page."""
CLIENT = "demo"
"""The client that logs users in. It is also the audience of logout tokens."""
PAGE_USERS: Mapping[str, str] = {
    "alice": "Editor of acme. She writes her own threads.",
    "bob": "Editor of globex. The same role, another tenant.",
    "ada": "Administrator of acme. She reads and changes all of acme.",
    "victor": "Viewer of acme. He may not create a thread.",
}
"""The users that the page offers for a login."""
