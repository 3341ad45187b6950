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
    "alice": "is an editor of acme: she writes her own threads",
    "bob": "is an editor of globex: the same role, another tenant",
    "ada": "is an administrator of acme: she reads and changes all of acme",
    "victor": "is a viewer of acme: he reads his own threads and may not create any",
}
"""The users that the page offers for a login."""
