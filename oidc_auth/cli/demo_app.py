"""The application that ``oidc-auth demo`` runs: the quickstart with the page, a chat and revocations."""

from __future__ import annotations

import json
import shutil
import tomllib
from typing import TYPE_CHECKING, Any

from ..config.load import FILE_NAME
from ..local_provider.accounts import Client
from .demo_page.names import CLIENT, PREFIX
from .dev_server import URL_VARIABLE, quickstart_folder
from .langgraph_json import LANGGRAPH_JSON

if TYPE_CHECKING:
    from pathlib import Path

PAGE_MODULE = "oidc_auth.cli.demo_page"
CONFIGURATION = "oidc-auth.json"
LOGOUT_PATH = "/auth/backchannel-logout"


def demo_client(url: str) -> Client:
    """Return the client of the page.

    Args:
        url: The address of the server, which receives the logout tokens.
    """
    return Client(CLIENT, redirect_uris=(f"{url}{PREFIX}/",), backchannel_logout_uri=f"{url}{LOGOUT_PATH}")


def write_demo_app(folder: Path) -> Path:
    """Write the application into a new folder and return its configuration."""
    shutil.copytree(quickstart_folder(), folder, ignore=shutil.ignore_patterns("__pycache__", ".langgraph_api"))
    langgraph_json = folder / LANGGRAPH_JSON
    document: dict[str, Any] = json.loads(langgraph_json.read_text("utf-8"))
    document["graphs"]["chat"] = f"{PAGE_MODULE}.chat:graph"
    document["auth"]["path"] = f"{PAGE_MODULE}.server:auth"
    document["http"]["app"] = f"{PAGE_MODULE}.server:app"
    langgraph_json.write_text(json.dumps(document), "utf-8")
    configuration = folder / CONFIGURATION
    configuration.write_text(json.dumps(_configure(folder / FILE_NAME)), "utf-8")
    # The server reads one configuration only.
    (folder / FILE_NAME).unlink()
    return configuration


def _configure(toml: Path) -> dict[str, Any]:
    """Return the configuration of the quickstart with logouts."""
    tables = tomllib.loads(toml.read_text("utf-8"))
    tables["issuer"][0]["logout_clients"] = [CLIENT]
    return {**tables, "web": {"public_url": f"${{{URL_VARIABLE}}}"}, "revocation": {"store": "memory"}}
