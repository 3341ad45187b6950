"""What a configuration costs: mapping the claims of a verified token to a caller, and loading a file.

``python benchmarks/configuration.py``. Processor time, which other processes disturb less than the clock on the wall:
the median of rounds, and the best of them beside it. Never run by the tests: a timing decides nothing there.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING, Any

from oidc_auth.config.build import build
from oidc_auth.config.load import load_file, load_mapping
from oidc_auth.observability import EventReporter
from oidc_auth.permissions.permission_maps import map_caller
from oidc_auth.tokens.states import VerifiedToken

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
ISSUER = "https://sso.acme.com/realms/acme"
GROUPS = 200
SERVER = "import pydantic, langgraph_sdk.auth, jwt.algorithms, httpx, cachetools"
"""What the process of a LangGraph server, and its HTTP client, have loaded anyway."""

TOML = """
[[issuer]]
preset = "keycloak"
url = "https://sso.acme.com/realms/acme"
audience = "langgraph-api"
tenant = { claim = "organization", object_keys = true }
claims = ["email"]
[[issuer.permission_map]]
claim = "realm_access.roles"
values = { agent-user = ["user"], agent-admin = ["admin"] }
[[issuer.permission_map]]
claim = "resource_access.langgraph-api.roles"
accept = ["threads:*", "assistants:*", "crons:*", "store:*"]
[[issuer.permission_map]]
claim = "groups"
values = { "/department-7/team" = ["user"], "/department-1*" = ["assistants:read"], "/admins" = ["admin"] }
[roles]
user = ["threads:write", "assistants:read", "crons:write", "store:write"]
admin = ["user", "*:read@all", "assistants:write@all"]
"""

CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "0f1c3b4a-7a9a-4c2e-9d1b-6f7c8d9e0a1b",
    "aud": ["langgraph-api", "account"],
    "azp": "web",
    "scope": "openid email profile",
    "preferred_username": "alice",
    "email": "alice@acme.example",
    "organization": {"acme": {"id": "7"}},
    "realm_access": {"roles": ["agent-user", "default-roles-acme", "offline_access", "uma_authorization"]},
    "resource_access": {"langgraph-api": {"roles": ["threads:read"]}, "account": {"roles": ["view-profile"]}},
    "groups": [f"/department-{number}/team" for number in range(GROUPS)],
}
"""What Keycloak says of somebody in 200 groups, of which 112 match the map."""


def microseconds(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Return the median and the best of the rounds, for one call."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - start) / times * 1e6)
    return statistics.median(rounds), min(rounds)


def mapped() -> Callable[[], object]:
    """Return what maps the token."""
    loaded = load_mapping(_document())
    rules = build(loaded.document, fetcher=None, reporter=EventReporter()).mapping[ISSUER]
    token = VerifiedToken(issuer=ISSUER, claims=CLAIMS, expires_at=1, valid_until=1, key_generation=1)
    assert {"threads:write", "assistants:search"} < set(map_caller(token, rules).rights)
    return lambda: map_caller(token, rules)


def _document() -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - beside the one use

    return tomllib.loads(TOML)


def fresh_process(brought: str) -> tuple[float, float]:
    """Return how long a new interpreter takes to import the loader and load the file, less what it brings itself."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "oidc-auth.toml"
        file.write_text(TOML, encoding="utf-8")
        code = f"{brought}; from oidc_auth.config.load import load_file; load_file({str(file)!r})"
        took = {text: [_run(text) for _ in range(7)] for text in (brought, code)}
    return statistics.median(took[code]) - statistics.median(took[brought]), min(took[code]) - min(took[brought])


def _run(code: str) -> float:
    timed = f"import time; {code}; print(time.process_time())"
    return float(run([sys.executable, "-c", timed], check=True, capture_output=True).stdout) * 1e6  # noqa: S603 - ours


def main() -> None:
    """Print the table."""
    ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "oidc-auth.toml"
        file.write_text(TOML, encoding="utf-8")
        rows = {
            f"mapping a token with {GROUPS} groups": microseconds(mapped(), 2_000),
            "loading a file, the package at hand": microseconds(lambda: load_file(file), 20),
            "the same in a new process of a LangGraph server": fresh_process(SERVER),
            "the same in a bare new process": fresh_process("pass"),
        }
    print(f"{'':52}{'median us':>12}{'best us':>12}")
    for name, (median, best) in rows.items():
        print(f"{name:52}{median:12.1f}{best:12.1f}")


if __name__ == "__main__":
    main()
