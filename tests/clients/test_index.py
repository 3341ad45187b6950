"""The page that all clients share."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest
from clients.harness import PACKAGES
from kit.snippets import DOCS, block, section

from oidc_auth.cli.langgraph_json import EXPOSED_HEADERS

if TYPE_CHECKING:
    from clients.harness import ClientServer

PAGE = "clients/index.md"


def test_cors_rule_is_that_of_init() -> None:
    rule = json.loads(block(PAGE, "Browsers", "json"))["http"]["cors"]
    assert rule["expose_headers"] == list(EXPOSED_HEADERS)


@pytest.mark.parametrize("page", ["javascript.md", "react.md"])
def test_page_names_tested_version(page: str) -> None:
    version = json.loads(PACKAGES[1].read_text("utf-8"))["dependencies"]["@langchain/langgraph-sdk"]
    assert f"examples are tested with version {version}." in (DOCS / "clients" / page).read_text("utf-8")


def test_wrong_headers_are_refused_as_documented(client_server: ClientServer) -> None:
    rows = re.findall(
        r"^\|[^|]*\| `([\w-]+): ([^`]*)`[^|]*\| (\d+) `(\w+)` \|", section(PAGE, "Wrong headers"), re.MULTILINE
    )
    assert len(rows) == 5
    for name, value, status, code in rows:
        sent = value.replace("<token>", client_server.token()).replace("<key>", "lsv2_pt_0123")
        answer = httpx.post(f"{client_server.url}/threads", json={}, headers={name: sent})
        assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (int(status), code), name


def test_right_header_is_accepted(client_server: ClientServer) -> None:
    (name, value) = block(PAGE, "Clients", "text").strip().split(": ", 1)
    assert value.startswith("Bearer ey")
    headers = {name: f"Bearer {client_server.token()}"}
    assert httpx.post(f"{client_server.url}/threads", json={}, headers=headers).status_code == 200
