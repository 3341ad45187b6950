"""Measure the time to map claims to permissions and to load a configuration.

Run ``python benchmarks/configuration.py``. It measures processor time, because other processes disturb wall time more.
The table has the median and the best of all rounds. No test runs this script.
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
"""Modules that a LangGraph server and its HTTP client import in any case."""

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
"""Claims of a Keycloak user in 200 groups. 112 of them match the permission map."""


def microseconds(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Return the median and the best time of one call, in microseconds."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - start) / times * 1e6)
    return statistics.median(rounds), min(rounds)


def mapping_call() -> Callable[[], object]:
    """Return a function that maps the claims of one token."""
    loaded = load_mapping(_document())
    rules = build(loaded.document, fetcher=None, reporter=EventReporter()).mapping[ISSUER]
    token = VerifiedToken(issuer=ISSUER, claims=CLAIMS, expires_at=1, valid_until=1, is_current=_always)
    assert {"threads:write", "assistants:search"} < set(map_caller(token, rules).rights)
    return lambda: map_caller(token, rules)


async def _always(now: float) -> bool:
    return now >= 0


def _document() -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - only used here

    return tomllib.loads(TOML)


def fresh_process(imports: str) -> tuple[float, float]:
    """Return the median and the best time to load a file in a new process, in microseconds.

    Args:
        imports: code that runs first. Its time is subtracted.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "oidc-auth.toml"
        file.write_text(TOML, encoding="utf-8")
        code = f"{imports}; from oidc_auth.config.load import load_file; load_file({str(file)!r})"
        times = {text: [_run(text) for _ in range(7)] for text in (imports, code)}
    return statistics.median(times[code]) - statistics.median(times[imports]), min(times[code]) - min(times[imports])


def _run(code: str) -> float:
    timed = f"import time; {code}; print(time.process_time())"
    return float(run([sys.executable, "-c", timed], check=True, capture_output=True).stdout) * 1e6  # noqa: S603 - our own code


def main() -> None:
    """Print the table."""
    ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "oidc-auth.toml"
        file.write_text(TOML, encoding="utf-8")
        rows = {
            f"mapping a token with {GROUPS} groups": microseconds(mapping_call(), 2_000),
            "loading a file, package already imported": microseconds(lambda: load_file(file), 20),
            "loading a file in a new LangGraph server process": fresh_process(SERVER),
            "loading a file in a new, empty process": fresh_process("pass"),
        }
    print(f"{'':52}{'median us':>12}{'best us':>12}")
    for name, (median, best) in rows.items():
        print(f"{name:52}{median:12.1f}{best:12.1f}")


if __name__ == "__main__":
    main()
