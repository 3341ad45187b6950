"""The examples of the page about approvals."""

from __future__ import annotations

import asyncio
import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from clients.harness import prepare_javascript, read_names
from kit.examples import EXAMPLES
from kit.snippets import code_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from clients.harness import ClientServer, JavaScript
    from kit.page_server import PageServer

PAGE = "approvals.md"
QUESTION = {
    "question": "Do you approve this payment?",
    "payment": {"to": "Globex", "amount": 5000, "fee": 100, "requested_by": "alice"},
}


@pytest.fixture
def scripts(tmp_path: Path, node_packages: Path, approvals_server: ClientServer, pages: PageServer) -> JavaScript:
    """Write the files of the pages."""
    return prepare_javascript(tmp_path, node_packages, approvals_server, pages, "clients/javascript.md", PAGE)


def test_page_has_roles_of_example() -> None:
    page = tomllib.loads(code_blocks(PAGE, "toml")[0])
    example = tomllib.loads((EXAMPLES / "approvals" / "oidc-auth.toml").read_text("utf-8"))
    assert (page["roles"], page["langgraph"]["resume"]) == (example["roles"], example["langgraph"]["resume"])


def test_python_examples_approve_payment(approvals_server: ClientServer) -> None:
    names = read_names(approvals_server.url, "clients/python.md", PAGE)

    def connect(name: str, role: str) -> Any:
        async def get_token() -> str:
            return approvals_server.token(name, role)

        return names["connect"](get_token)

    async def run() -> None:
        async with connect("alice", "requester") as alice, connect("carol", "approver") as carol:
            thread_id = await names["request_payment"](alice, "Globex", 5000, "carol")
            ((found, interrupt),) = await names["find_questions"](carol)
            assert (found, interrupt["value"]) == (thread_id, QUESTION)
            with pytest.raises(httpx.HTTPStatusError, match="403"):
                await names["answer"](alice, thread_id, interrupt["id"], True)
            async with connect("bob", "approver") as bob:
                assert await names["find_questions"](bob) == []
                with pytest.raises(httpx.HTTPStatusError, match="404"):
                    await names["answer"](bob, thread_id, interrupt["id"], True)
            state = await names["answer"](carol, thread_id, interrupt["id"], True)
            assert state["receipt"] == {"to": "Globex", "amount": 5000, "approved_by": "carol"}
            assert await names["find_approver"](alice, thread_id) == "carol"
            assert await names["find_questions"](carol) == []

    asyncio.run(run())


def test_javascript_examples_approve_payment(
    approvals_server: ClientServer, scripts: JavaScript, pages: PageServer
) -> None:
    def run(name: str, role: str, script: str) -> Any:
        pages.issue_token = lambda: approvals_server.token(name, role)
        (printed,) = scripts.run(script)
        return printed

    request = """
        import { requestPayment } from "./request.js";
        console.log(JSON.stringify(await requestPayment("Globex", 5000, "dora")));
    """
    thread_id = run("alice", "requester", request)
    find = """
        import { findQuestions } from "./questions.js";
        console.log(JSON.stringify(await findQuestions()));
    """
    ((found, interrupt),) = run("dora", "approver", find)
    assert (found, interrupt["value"]) == (thread_id, QUESTION)
    answer = """
        import { answer } from "./answer.js";
        const done = answer("THREAD", "ID", true);
        console.log(JSON.stringify(await done.then((state) => state.receipt, (error) => error.status)));
    """.replace("THREAD", thread_id).replace("ID", interrupt["id"])
    assert run("alice", "requester", answer) == 403
    assert run("bob", "approver", answer) == 404
    assert run("dora", "approver", answer) == {"to": "Globex", "amount": 5000, "approved_by": "dora"}
    approver = """
        import { findApprover } from "./approver.js";
        console.log(JSON.stringify(await findApprover("THREAD")));
    """.replace("THREAD", thread_id)
    assert run("alice", "requester", approver) == "dora"
