"""What every test shares: a local issuer, and the real server, started once. And the documentation, which runs.

Every code block of a Markdown page is a test: Python is executed, TOML loaded as a configuration, JSON parsed.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.server import Server, running_server
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Example

# The examples' placeholders; nothing is fetched when a configuration is loaded.
os.environ.setdefault("OIDC_ISSUER", "https://issuer.test")


LOOPBACK = ("127.", "::1", "localhost")


def only_loopback(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse every connection that leaves this machine: a test that needs one is no test of ours."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not host.startswith(LOOPBACK):
            raise RuntimeError(f"a test wanted to connect to {host}")


sys.addaudithook(only_loopback)


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider with keys of its own."""
    return LocalIssuer()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the real langgraph-api, running in this process."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def load_toml(example: Example) -> None:
    """Load a TOML block as a configuration."""
    OIDCAuth.from_dict(tomllib.loads(example.parsed))


def parse_json(example: Example) -> None:
    """Parse a JSON block."""
    json.loads(example.parsed)


def enter_repository(namespace: dict[str, object]) -> None:
    """Read a page as its reader does: from the repository, wherever the server under test has its folder."""
    namespace["came_from"] = Path.cwd()
    os.chdir(Path(__file__).parent)


def leave_repository(namespace: dict[str, object]) -> None:
    """Go back to where the other tests are."""
    os.chdir(str(namespace["came_from"]))


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
