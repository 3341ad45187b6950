"""The scenarios of ``oidc-auth demo``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import approvals_scenario, scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..testing import LocalIssuer


@dataclass(frozen=True, slots=True)
class Scenario:
    """A demo with a server.

    Attributes:
        example: The folder in ``examples``.
        users: The role and the tenant of each user, as text.
        token: Returns a token of a user.
        rows: Sends the requests.
        curl_users: The users of the curl commands of ``--keep``.
    """

    example: str
    users: Mapping[str, str]
    token: Callable[[LocalIssuer, str], str]
    rows: Callable[[scenario.DemoSession], Iterator[scenario.Row]]
    curl_users: tuple[str, ...]


SCENARIOS: Mapping[str, Scenario] = {
    "permissions": Scenario(
        "quickstart",
        {name: f"{role}, {tenant}" for name, (role, tenant) in scenario.USERS.items()},
        scenario.user_token,
        scenario.rows,
        ("alice", "guest"),
    ),
    "approvals": Scenario(
        "approvals",
        {name: person.description for name, person in approvals_scenario.USERS.items()},
        lambda issuer, name: approvals_scenario.USERS[name].token(issuer, name),
        approvals_scenario.rows,
        ("alice", "carol"),
    ),
}
