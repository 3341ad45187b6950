"""The examples of the page for curl."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from clients.harness import CONVERSATION
from kit.requirements import skip_or_fail
from kit.snippets import SERVER_ADDRESS, block, code_blocks, section

if TYPE_CHECKING:
    from clients.harness import ClientServer

PAGE = "clients/curl.md"
TEXT = re.compile(r"^```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
RUN_INPUT = '{"messages": [{"role": "user", "content": "hello"}]}'
# Headers of every answer, which the page leaves out.
COMMON_HEADERS = re.compile(r"^(?:date|server|content-length|vary|connection): .*\n", re.MULTILINE)


def run(server: ClientServer, *names: str, token: str = "", run_input: str = RUN_INPUT, **environ: str) -> str:
    """Run scripts of the page, which begin with their names, in one shell, and return what they print.

    Only the last one sends a request, which has the input of the run.
    """
    if shutil.which("curl") is None:
        skip_or_fail("curl", "curl is not installed")
    scripts = {code.partition("\n")[0]: code for code in code_blocks(PAGE, "bash")}
    *before, last = [scripts[f"# {name}"].replace(SERVER_ADDRESS, server.url) for name in names]
    # Of the scripts before, only the variables are needed.
    variables = [line for script in before for line in script.splitlines() if not line.startswith("curl ")]
    script = "\n".join([*variables, last.replace(RUN_INPUT, run_input)])
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euc", script],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        env={"ACCESS_TOKEN": token, "PATH": "/usr/local/bin:/usr/bin:/bin", **environ},
    )
    return done.stdout.replace("\r\n", "\n")


def without_common_headers(answer: str) -> str:
    return COMMON_HEADERS.sub("", answer).strip()


def test_five_lines_get_an_answer(client_server: ClientServer) -> None:
    answer = json.loads(run(client_server, "ask.sh", token=client_server.token()))
    assert [message["content"] for message in answer["messages"]] == CONVERSATION


@pytest.mark.parametrize(
    ("role", "lifetime", "heading"), [("editor", -60, "Expired token"), ("viewer", 300, "Refused action")]
)
def test_refusals_are_printed_as_documented(
    client_server: ClientServer, role: str, lifetime: float, heading: str
) -> None:
    printed = run(client_server, "ask.sh", "expired.sh", token=client_server.token("alice", role, lifetime))
    documented = TEXT.findall(section(PAGE, heading))[0]
    assert without_common_headers(printed) == documented


def test_whoami_shows_identity(closing_server: ClientServer) -> None:
    answer = json.loads(run(closing_server, "ask.sh", "whoami.sh", token=closing_server.token("alice", "viewer")))
    assert answer["identity"] == "alice"
    assert "threads:read" in answer["permissions"]


def test_missing_token_is_printed_as_documented(client_server: ClientServer) -> None:
    script = block(PAGE, "Expired token", "bash")
    assert '--header "$AUTHORIZATION"' in script
    answer = httpx.post(f"{client_server.url}/threads", json={})
    documented = TEXT.findall(section(PAGE, "Expired token"))[1].splitlines()
    assert documented[0] == f"HTTP/1.1 {answer.status_code} Unauthorized"
    assert f"www-authenticate: {answer.headers['www-authenticate']}" in documented
    assert documented[-1] == answer.text


def test_stream_is_joined_after_last_event(client_server: ClientServer) -> None:
    token = client_server.token()
    headers = {"Authorization": f"Bearer {token}"}
    thread = httpx.post(f"{client_server.url}/threads", json={}, headers=headers).json()["thread_id"]
    printed = run(client_server, "ask.sh", "stream.sh", token=token, THREAD_ID=thread)
    ids = re.findall(r"^id: (\S+)$", printed, re.MULTILINE)
    location = re.search(r"^location: (\S+)$", printed, re.MULTILINE)
    assert location
    assert len(ids) == 3  # metadata, the question, the answer
    joined = run(client_server, "ask.sh", "join.sh", token=token, LOCATION=location[1], LAST_EVENT_ID=ids[1])
    assert re.findall(r"^id: (\S+)$", joined, re.MULTILINE) == ids[2:]
