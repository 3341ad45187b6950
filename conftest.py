"""Shared fixtures, and tests of the documentation.

Every code block of a Markdown page is a test. Python runs, TOML is loaded as a configuration, and JSON is parsed.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit import browser as kit_browser
from kit import redis_server as kit_redis
from kit.requirements import skip_or_fail
from kit.server import Server, running_server
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from oidc_auth import OIDCAuth
from oidc_auth.local_provider.users_file import read_accounts
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Example

# Placeholders of the examples. Loading a configuration sends no request.
os.environ.setdefault("OIDC_ISSUER", "https://issuer.test")
os.environ.setdefault("INTROSPECTION_SECRET", "not-a-secret")

pytest_plugins = ["kit.workers"]

LOOPBACK = ("127.", "::1", "localhost")


def block_remote_connections(event: str, arguments: tuple[object, ...]) -> None:
    """Reject connections to other machines, because tests must not need the network."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not host.startswith(LOOPBACK):
            raise RuntimeError(f"a test tried to connect to {host}")


sys.addaudithook(block_remote_connections)


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a local provider with new keys."""
    return LocalIssuer()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a real langgraph-api server, which all tests share."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[kit_redis.RedisServer]:
    """Return a real Redis server of this test."""
    with kit_redis.running_redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[kit_browser.Browser]:
    """Return a headless Chromium, which all tests share."""
    skip_or_fail("browser", kit_browser.missing_requirement())
    with kit_browser.running_browser() as running:
        yield running


def load_toml(example: Example) -> None:
    """Load a TOML block as a configuration, or as the users of the local provider."""
    document = tomllib.loads(example.parsed)
    if document.keys() <= {"user", "client"}:
        read_accounts(document)
    else:
        OIDCAuth.from_dict(document)


def parse_json(example: Example) -> None:
    """Parse a JSON block."""
    json.loads(example.parsed)


def enter_repository(namespace: dict[str, object]) -> None:
    """Change to the repository, because the pages use relative paths."""
    namespace["previous_folder"] = Path.cwd()
    os.chdir(Path(__file__).parent)


def leave_repository(namespace: dict[str, object]) -> None:
    """Change back to the previous folder."""
    os.chdir(str(namespace["previous_folder"]))


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="toml", evaluator=load_toml),
        CodeBlockParser(language="json", evaluator=parse_json),
    ],
    patterns=["*.md"],
    setup=enter_repository,
    teardown=leave_repository,
).pytest()
