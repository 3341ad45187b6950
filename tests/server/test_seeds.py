"""The rules of the LangGraph documentation, on the real server, with tokens in place of its stub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from world.server import Server

    from oidc_auth.testing import LocalIssuer


def protected(issuer: LocalIssuer) -> OIDCAuth:
    return OIDCAuth.from_dict(
        {"issuer": {"preset": "generic", "issuer": issuer.url, "audience": "agents"}}, fetcher=issuer
    )


def test_threads_write_may_create_and_the_owner_is_stamped(server: Server, issuer: LocalIssuer) -> None:
    server.install(protect(protected(issuer)))
    made = server.ask("POST", "/threads", issuer.token(scope="threads:write"), {"metadata": {"owner": "mallory"}})
    assert made.status_code == 200
    assert made.json()["metadata"]["owner"] == "alice"
    ran = server.ask(
        "POST",
        f"/threads/{made.json()['thread_id']}/runs/wait",
        issuer.token(scope="threads:write"),
        {"assistant_id": "agent", "input": {"text": "hello"}},
    )
    assert ran.json()["answer"] == "alice said hello"
