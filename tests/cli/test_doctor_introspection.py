"""``oidc-auth doctor``: the endpoint, the client's credentials, and what the provider says about a made-up token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import run
from kit.doctor import JWK, examined, text, write_configuration

from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.introspection import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.snapshots import Messages

MODE = 'mode = "always"'


@pytest.fixture
def served() -> Iterator[LocalIssuer]:
    issuer = LocalIssuer(algorithm="ES256")
    with issuer.served():
        yield issuer


def setting(secret: str = CLIENT[1], more: str = "") -> str:
    return f'introspection = {{ {MODE}, client_id = "{CLIENT[0]}", client_secret = "{secret}"{more} }}'


def found(folder: Path, issuer: LocalIssuer, introspection: str) -> dict[str, Any]:
    """Return the result of the check."""
    entry = examined(write_configuration(folder, issuer.url, introspection))["introspection"]
    assert CLIENT[1] not in text(entry)
    return entry


def test_working_introspection_is_ok(tmp_path: Path, served: LocalIssuer) -> None:
    assert found(tmp_path, served, setting())["status"] == "ok"
    (asked,) = served.introspection.requests
    assert asked["token"].startswith("doctor-")


def test_issuer_without_introspection_is_skipped(tmp_path: Path, served: LocalIssuer) -> None:
    entry = found(tmp_path, served, "")
    assert (entry["status"], served.introspection.requests) == ("skipped", [])


def test_refused_client_is_error(tmp_path: Path, served: LocalIssuer) -> None:
    entry = found(tmp_path, served, setting("a-wrong-secret"))
    assert (entry["status"], CLIENT[0] in text(entry), "a-wrong-secret" in text(entry)) == ("error", True, False)


@pytest.mark.parametrize("answer", [{"active": True}, {"active": "false"}, {}, b"[]"])
def test_answer_that_is_not_inactive_is_error(tmp_path: Path, served: LocalIssuer, answer: Any) -> None:
    served.introspection.answer = answer
    assert found(tmp_path, served, setting())["status"] == "error"


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.REDIRECT, Fault.HTML])
def test_fault_of_endpoint_is_error(tmp_path: Path, served: LocalIssuer, fault: Fault) -> None:
    served.introspection.fault = fault
    assert found(tmp_path, served, setting())["status"] == "error"


def test_metadata_without_endpoint_is_error(tmp_path: Path) -> None:
    class OnlyKeys(LocalIssuer):
        def answer(self, path: str) -> Any:
            response = super().answer(path)
            return response._replace(body=response.body.replace(b"introspection_endpoint", b"other"))

    issuer = OnlyKeys(algorithm="ES256")
    with issuer.served():
        entry = found(tmp_path, issuer, setting())
    assert (entry["status"], "introspection.endpoint" in text(entry)) == ("error", True)


def test_configured_endpoint_with_own_keys_is_asked(tmp_path: Path, served: LocalIssuer) -> None:
    more = f', endpoint = "{served.url}/introspect"'
    keys = f"jwks = {{ keys = [{JWK}] }}\n"
    assert found(tmp_path, served, keys + setting(more=more))["status"] == "ok"
    assert served.fetched == [f"{served.url}/introspect"]


def test_check_and_explain_show_introspection(tmp_path: Path, served: LocalIssuer, messages: Messages) -> None:
    file = write_configuration(tmp_path, served.url, setting())
    shown = run("check", str(file)).output
    messages.check(next(line for line in shown.splitlines() if line.startswith("asks")))
    assert CLIENT[1] not in shown
    token = served.opaque_token(roles=["editor"])
    explained = run("explain", str(file), env={"OIDC_AUTH_TOKEN": token})
    assert (explained.exit_code, "token active" in explained.output, token in explained.output) == (0, True, False)
