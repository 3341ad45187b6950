"""The examples of the page about approvals."""

from __future__ import annotations

import asyncio
import re
import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from clients.harness import prepare_javascript, read_names
from kit.examples import EXAMPLES
from kit.snippets import code_blocks, section

from oidc_auth.errors import ERROR_DETAILS, ErrorCode

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


def send(server: ClientServer, name: str, role: str, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.token(name, role)}"}
    return httpx.request(method, server.url + path, json=body, headers=headers, timeout=20)


def request_payment(server: ClientServer) -> tuple[str, str]:
    """Return the path of a thread of Alice that Carol may approve, and the id of its question."""
    lists = {"shared_approvers": ["carol"], "shared_editors": []}
    made = send(server, "alice", "requester", "POST", "/threads", {"metadata": lists}).json()
    path = f"/threads/{made['thread_id']}"
    run = {"assistant_id": "agent", "input": {"to": "Globex", "amount": 5000}}
    send(server, "alice", "requester", "POST", f"{path}/runs/wait", run)
    return path, open_question(server, path)


def open_question(server: ClientServer, path: str) -> str:
    (interrupt,) = send(server, "alice", "requester", "GET", f"{path}/state").json()["interrupts"]
    return str(interrupt["id"])


def answer(server: ClientServer, name: str, role: str, path: str, resume: object, **more: object) -> httpx.Response:
    body = {"assistant_id": "agent", "command": {"resume": resume}, **more}
    return send(server, name, role, "POST", f"{path}/runs/wait", body)


def test_refusals_are_those_of_page(approvals_server: ClientServer) -> None:
    rows = re.findall(r"^\| (\d+) \| `(.+?)` \| (?:`(\w+)`)? ?\|", section(PAGE, "Refusals"), re.MULTILINE)
    documented = {(int(status), message) for status, message, _ in rows}
    path, question = request_payment(approvals_server)
    own = {"shared_approvers": ["alice"], "shared_editors": []}
    refused = [
        answer(approvals_server, "alice", "requester", path, {question: True}),
        answer(approvals_server, "carol", "approver", path, True),
        answer(approvals_server, "carol", "approver", path, {question: True}, config={"tags": ["x"]}),
        answer(approvals_server, "bob", "approver", path, {question: True}),
        send(approvals_server, "alice", "requester", "PATCH", path, {"metadata": own}),
    ]
    found = [(response.status_code, response.json()["detail"]) for response in refused]
    assert set(found) <= documented
    assert len(set(found)) == 4
    codes = {message: code for _, message, code in rows if code and "threads:" not in message}
    assert {message: ERROR_DETAILS[ErrorCode(code)].client_message for message, code in codes.items()} == {
        message: message for message in codes
    }


def test_old_question_cannot_be_answered(approvals_server: ClientServer) -> None:
    path, question = request_payment(approvals_server)
    assert answer(approvals_server, "carol", "approver", path, {"0" * 32: True}).status_code == 200
    assert open_question(approvals_server, path) == question


def test_changed_payment_needs_new_answer(approvals_server: ClientServer) -> None:
    path, question = request_payment(approvals_server)
    run = {"assistant_id": "agent", "input": {"to": "Globex", "amount": 9000}}
    assert send(approvals_server, "alice", "requester", "POST", f"{path}/runs/wait", run).status_code == 200
    second = open_question(approvals_server, path)
    values = answer(approvals_server, "carol", "approver", path, {question: True}).json()
    assert not values["receipt"]
    assert open_question(approvals_server, path) == second != question
    paid = answer(approvals_server, "carol", "approver", path, {second: True}).json()["receipt"]
    assert (paid["amount"], paid["approved_by"]) == (9000, "carol")


@pytest.mark.parametrize("reply", [False, "no", "yes", 1])
def test_only_true_approves_payment(approvals_server: ClientServer, reply: object) -> None:
    path, question = request_payment(approvals_server)
    values = answer(approvals_server, "carol", "approver", path, {question: reply}).json()
    assert (values["approved"], values["receipt"]) == (False, {})


def test_removed_approver_is_refused(approvals_server: ClientServer) -> None:
    path, question = request_payment(approvals_server)
    lists: dict[str, Any] = {"metadata": {"shared_approvers": [], "shared_editors": []}}
    assert send(approvals_server, "alice", "requester", "PATCH", path, lists).status_code == 200
    assert answer(approvals_server, "carol", "approver", path, {question: True}).status_code == 404


def test_python_examples_approve_payment(approvals_server: ClientServer) -> None:
    names = read_names(approvals_server.url, "clients/python.md", PAGE)

    def connect(name: str, role: str) -> Any:
        async def get_token() -> str:
            return approvals_server.token(name, role)

        return names["connect"](get_token)

    async def run() -> None:
        async with connect("alice", "requester") as alice, connect("frank", "approver") as frank:
            thread_id = await names["request_payment"](alice, "Globex", 5000, "frank")
            ((found, interrupt),) = await names["find_questions"](frank)
            assert (found, interrupt["value"]) == (thread_id, QUESTION)
            with pytest.raises(httpx.HTTPStatusError, match="403"):
                await names["answer"](alice, thread_id, interrupt["id"], True)
            async with connect("bob", "approver") as bob:
                assert await names["find_questions"](bob) == []
                with pytest.raises(httpx.HTTPStatusError, match="404"):
                    await names["answer"](bob, thread_id, interrupt["id"], True)
            state = await names["answer"](frank, thread_id, interrupt["id"], True)
            assert state["receipt"] == {"to": "Globex", "amount": 5000, "approved_by": "frank"}
            assert await names["find_approver"](alice, thread_id) == "frank"
            assert await names["find_questions"](frank) == []

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
