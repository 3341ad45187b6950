"""The requests of ``oidc-auth demo approvals``: a payment that a second user must approve.

Every row is a real request to a real server with the files of ``examples/approvals``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ERROR_DETAILS, ErrorCode
from .scenario import AGENT, AUDIENCE, expect_fact, expect_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from ..testing import LocalIssuer
    from .scenario import Row


class Person(NamedTuple):
    """The claims of a user."""

    roles: tuple[str, ...]
    tenant: str
    subject: str = ""
    """The identity, if it is not the name in the table."""

    @property
    def description(self) -> str:
        """The roles and the tenant."""
        identity = f"{self.subject}, " if self.subject else ""
        return f"{identity}{' and '.join(self.roles)}, {self.tenant}"

    def token(self, issuer: LocalIssuer, name: str) -> str:
        """Return a token of the user."""
        return issuer.token(self.subject or name, audience=AUDIENCE, roles=[*self.roles], org=self.tenant)


USERS: Mapping[str, Person] = {
    "alice": Person(("requester",), "acme"),
    "bob": Person(("approver",), "acme"),
    "carol": Person(("approver",), "acme"),
    "dave": Person(("approver",), "globex", subject="carol"),
    "erin": Person(("requester", "approver"), "acme"),
}
"""Dave has the same identity as Carol, in another tenant. Erin has both roles."""


def user_tokens(issuer: LocalIssuer) -> dict[str, str]:
    """Return a token of each user."""
    return {name: person.token(issuer, name) for name, person in USERS.items()}


PAYMENT = {"to": "Globex", "amount": 5000}
RECEIPT = {**PAYMENT, "approved_by": "carol"}


@dataclass(frozen=True, slots=True)
class Session:
    """The server, and a token of each user."""

    client: httpx.Client
    tokens: Mapping[str, str]

    def request(self, name: str, method: str, path: str, body: object = None) -> httpx.Response:
        """Send a request as a user."""
        headers = {"authorization": f"Bearer {self.tokens[name]}"}
        return self.client.request(method, path, json=body, headers=headers)


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread with a payment that waits for an answer."""

    session: Session
    path: str
    interrupt_id: str

    def send(self, name: str, method: str, below: str = "", body: object = None) -> httpx.Response:
        """Send a request for the thread as a user."""
        return self.session.request(name, method, self.path + below, body)

    def run(self, name: str, **body: object) -> httpx.Response:
        """Start a run on the thread as a user, and wait for its result."""
        return self.send(name, "POST", "/runs/wait", {**AGENT, **body})

    def resume(self, name: str) -> httpx.Response:
        """Approve the payment as a user, in the form that the server accepts."""
        return self.run(name, command={"resume": {self.interrupt_id: True}})

    def share(self, name: str, **lists: list[str]) -> httpx.Response:
        """Change the lists of the thread as a user."""
        return self.send(name, "PATCH", "", {"metadata": lists})


def request_payment(session: Session, name: str) -> Thread:
    """Create a thread and run the agent until it asks for an approval."""
    path = f"/threads/{session.request(name, 'POST', '/threads', {}).json().get('thread_id')}"
    session.request(name, "POST", f"{path}/runs/wait", {**AGENT, "input": PAYMENT})
    return Thread(session, path, find_interrupt(session.request(name, "GET", f"{path}/state")).get("id", ""))


def message(code: ErrorCode) -> str:
    """Return what a client reads for an error code."""
    return ERROR_DETAILS[code].client_message


def find_interrupt(state: httpx.Response) -> dict[str, Any]:
    """Return the only interrupt in an answer with a thread state, or {}."""
    found: list[dict[str, Any]] = state.json().get("interrupts", []) if state.is_success else []
    return found[0] if len(found) == 1 else {}


def rows(session: Session) -> Iterator[Row]:
    """Send all requests."""
    thread = request_payment(session, "alice")
    yield expect_fact(
        "alice (requester, acme)", "request a payment", "the run waits", thread.interrupt_id, thread.interrupt_id
    )
    yield from rows_before_listing(thread)
    yield from list_rows(thread)
    yield from refused_approvals(thread)
    yield from approval_rows(thread)
    yield from own_payment_rows(session)


def rows_before_listing(thread: Thread) -> Iterator[Row]:
    """Send requests while no approver is listed."""
    # 404 and not 403, so that the answer does not tell whether the thread exists.
    yield expect_status("bob (approver, acme)", "read the thread", thread.send("bob", "GET"), 404)
    yield expect_status("bob", "approve", thread.resume("bob"), 404)
    yield expect_status("alice", "approve her own payment", thread.resume("alice"), 403, "threads:resume")
    # The agent would continue with another amount, and the approver would not see it.
    amount = {"values": {"payment": {"to": "Globex", "amount": 9}}}
    changed = thread.send("alice", "POST", "/state", amount)
    yield expect_status("alice", "change the state", changed, 403, message(ErrorCode.RESUME_NOT_ALLOWED))


def list_rows(thread: Thread) -> Iterator[Row]:
    """Write the lists of readers and approvers."""
    refusal = message(ErrorCode.SHARING_LIST_INVALID)
    own = thread.share("alice", shared_approvers=["alice"], shared_editors=[])
    yield expect_status("alice", "list herself as approver", own, 403, refusal)
    both = thread.share("alice", shared_approvers=["carol"], shared_editors=["carol"])
    yield expect_status("alice", "list carol as editor and approver", both, 403, refusal)
    listed = thread.share("alice", shared_approvers=["carol", "erin"], shared_editors=[])
    yield expect_status("alice", "list carol and erin as approvers", listed, 200)
    yield expect_status("alice", "list bob as reader", thread.share("alice", shared_with=["bob"]), 200)


def refused_approvals(thread: Thread) -> Iterator[Row]:
    """Send requests of users who are not listed as approvers, and invalid answers."""
    yield expect_status("bob", "read the thread", thread.send("bob", "GET"), 200)
    yield expect_status("bob", "approve", thread.resume("bob"), 404)
    yield expect_status("dave (carol in globex)", "read the thread", thread.send("dave", "GET"), 404)
    yield expect_status("dave", "approve", thread.resume("dave"), 404)
    refusal = message(ErrorCode.RESUME_NOT_ALLOWED)
    # It would answer any question, also one that carol has not read.
    bare = thread.run("carol", command={"resume": True})
    yield expect_status("carol (approver, acme)", "approve without the interrupt id", bare, 403, refusal)
    yield expect_status("carol", "start a run", thread.run("carol", input=PAYMENT), 403, "threads:create_run")
    shared = thread.share("carol", shared_approvers=["bob"], shared_editors=[])
    yield expect_status("carol", "list bob as approver", shared, 403, "threads:update")
    command = {"resume": {thread.interrupt_id: True}, "update": {"amount": 1}}
    changed = thread.run("erin", command=command)
    yield expect_status("erin (both roles, acme)", "approve and change the state", changed, 403, refusal)
    yield expect_status("erin", "start a run", thread.run("erin", input=PAYMENT), 404)


def approval_rows(thread: Thread) -> Iterator[Row]:
    """Read the question, approve it, and look at the record of it."""
    asked = find_interrupt(thread.send("carol", "GET", "/state")).get("value", {})
    payment = asked.get("payment", {})
    yield expect_fact("carol", "read the question", "the payment", payment.items() >= PAYMENT.items(), payment)
    receipt = thread.resume("carol").json().get("receipt")
    yield expect_fact("carol", "approve with the interrupt id", "the receipt names carol", receipt == RECEIPT, receipt)
    runs = thread.send("alice", "GET", "/runs").json()
    approved = sorted(str(run.get("metadata", {}).get("approved_by")) for run in runs)
    yield expect_fact("alice", "list the runs", "approved by carol", approved == ["None", "carol"], approved)
    yield expect_status(
        "alice", "remove the approvers", thread.share("alice", shared_approvers=[], shared_editors=[]), 200
    )
    yield expect_status("carol", "read the thread", thread.send("carol", "GET"), 404)


def own_payment_rows(session: Session) -> Iterator[Row]:
    """Send requests of a user with both roles."""
    own = request_payment(session, "erin")
    yield expect_status("erin", "approve her own payment", own.resume("erin"), 404)
    listed = own.share("erin", shared_approvers=["erin"], shared_editors=[])
    yield expect_status("erin", "list herself as approver", listed, 403, message(ErrorCode.SHARING_LIST_INVALID))
