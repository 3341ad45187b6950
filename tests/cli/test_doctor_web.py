"""``oidc-auth doctor``: checks of the web application."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from kit.doctor import examined, run_doctor, text
from kit.web import web_document
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from oidc_auth import OIDCAuth
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.web import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

PUBLIC_URL = "https://agents.test/lg"
HTTP = {"app": "oidc_auth.web:app", "mount_prefix": "/lg"}
OF_DEPLOYMENT = ["web-application", "web-address", "mcp-enabled"]


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider with a key that is fast to create."""
    return LocalIssuer(algorithm="ES256")


def write(folder: Path, issuer: LocalIssuer, http: Any = None, web: Any = None, **settings: Any) -> Path:
    """Write both files."""
    document = web_document(issuer, web={"public_url": PUBLIC_URL, **(web or {})}, jwks=issuer.key_set())
    document["issuer"][0] |= settings
    if web is False:
        del document["web"]
    if http is not None:
        auth = {"path": "oidc_auth.langgraph:auth", "disable_studio_auth": True}
        (folder / "langgraph.json").write_text(json.dumps({"auth": auth, "http": http}), "utf-8")
    file = folder / "oidc-auth.json"
    file.write_text(json.dumps(document), "utf-8")
    return file


def deployment(folder: Path, issuer: LocalIssuer, http: Any, web: Any = None) -> dict[str, dict[str, Any]]:
    file = write(folder, issuer, http, web)
    return examined(file, "--langgraph-json", str(folder / "langgraph.json"))


def test_fitting_files_have_no_findings(tmp_path: Path, issuer: LocalIssuer) -> None:
    checks = deployment(tmp_path, issuer, HTTP)
    assert {checks[name]["status"] for name in OF_DEPLOYMENT} == {"ok"}
    # It has no routes of the user.
    assert checks["custom-routes"]["status"] == "skipped"


@pytest.mark.parametrize(
    ("check", "http", "web", "status", "fix"),
    [
        ("web-application", {}, {}, "error", '"http": {"app": "oidc_auth.web:app"}'),
        ("web-application", {"app": "oidc_auth.web:app"}, False, "error", "public_url ="),
        ("web-application", {"app": "./mine.py:app"}, {}, "ok", ""),
        ("web-application", {"app": "./mine.py:app"}, False, "skipped", ""),
        ("web-application", {}, False, "skipped", ""),
        ("web-address", {**HTTP, "mount_prefix": "/v1"}, {}, "warning", 'public_url = "https://agents.test/v1"'),
        ("web-address", {"app": "oidc_auth.web:app"}, {}, "warning", 'public_url = "https://agents.test"'),
        ("web-address", HTTP, {"public_url": "https://agents.test"}, "warning", "https://agents.test/lg"),
        ("web-address", HTTP, {"public_url": "https://agents.test/v1/lg"}, "ok", ""),
        ("web-address", {}, {"public_url": "https://agents.test"}, "ok", ""),
        ("web-address", {**HTTP, "mount_prefix": 5}, {}, "ok", ""),
        ("web-address", HTTP, False, "skipped", ""),
        ("mcp-enabled", {**HTTP, "disable_mcp": True}, {}, "warning", "mcp = false"),
        ("mcp-enabled", {**HTTP, "disable_mcp": True}, {"mcp": False}, "ok", ""),
        ("mcp-enabled", {**HTTP, "disable_mcp": False}, {}, "ok", ""),
    ],
)
def test_mistake_has_finding_with_fix(
    tmp_path: Path, issuer: LocalIssuer, check: str, http: Any, web: Any, status: str, fix: str
) -> None:
    entry = deployment(tmp_path, issuer, http, web)[check]
    assert (entry["status"], fix in text(entry)) == (status, True), text(entry)


@pytest.mark.parametrize(
    ("cors", "status", "missing"),
    [
        ({"expose_headers": ["WWW-Authenticate"]}, "warning", "allow_origins, allow_methods, allow_headers"),
        ({"allow_origins": ["https://app.test"], "expose_headers": ["www-authenticate"]}, "warning", "allow_methods"),
        ({"allow_origins": ["https://app.test"], "allow_methods": ["*"], "allow_headers": ["*"]}, "info", "lacks WWW"),
        (None, "info", "lacks WWW"),
    ],
)
def test_cors_finding_shows_working_rule(
    tmp_path: Path, issuer: LocalIssuer, cors: Any, status: str, missing: str
) -> None:
    entry = deployment(tmp_path, issuer, {**HTTP, "cors": cors})["challenge-exposed"]
    assert (entry["status"], missing in text(entry)) == (status, True)
    hint = entry["findings"][0]["hint"]
    rule = json.loads(hint[hint.index("{") : hint.rindex("}") + 1])
    assert set(rule) == {"allow_origins", "allow_methods", "allow_headers", "expose_headers"}
    assert "www-authenticate" in [name.lower() for name in rule["expose_headers"]]
    assert rule["allow_origins"] == (cors or {}).get("allow_origins", ["https://app.acme.com"])


class Described(LocalIssuer):
    """A provider with more metadata."""

    more: dict[str, Any]

    def answer(self, path: str) -> Any:
        response = super().answer(path)
        if path.endswith("openid-configuration"):
            return response._replace(body=json.dumps({**json.loads(response.body), **self.more}).encode())
        return response


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"registration_endpoint": "https://x.test", "code_challenge_methods_supported": ["S256"]}, "ok", ""),
        (
            {"client_id_metadata_document_supported": True, "code_challenge_methods_supported": ["plain", "S256"]},
            "ok",
            "",
        ),
        ({"code_challenge_methods_supported": ["S256"]}, "info", "cannot register"),
        (
            {"client_id_metadata_document_supported": "true", "code_challenge_methods_supported": ["S256"]},
            "info",
            "cannot register",
        ),
        ({"registration_endpoint": "https://x.test", "code_challenge_methods_supported": ["plain"]}, "info", "no S256"),
        ({"registration_endpoint": "https://x.test"}, "info", "no S256"),
    ],
)
def test_provider_for_mcp_clients(tmp_path: Path, more: dict[str, Any], status: str, said: str) -> None:
    issuer = Described(algorithm="ES256")
    issuer.more = more
    with issuer.served():
        file = write(tmp_path, issuer, HTTP)
        document = json.loads(file.read_text())
        del document["issuer"][0]["jwks"]
        file.write_text(json.dumps(document))
        entry = examined(file)["mcp-registration"]
    assert (entry["status"], said in text(entry)) == (status, True), text(entry)


@pytest.mark.parametrize(
    ("web", "reason"), [({"mcp": False}, "mcp is false"), ({}, "no discovery"), (False, "no [web]")]
)
def test_registration_check_is_skipped(tmp_path: Path, issuer: LocalIssuer, web: Any, reason: str) -> None:
    assert reason in deployment(tmp_path, issuer, HTTP, web)["mcp-registration"]["skipped"]


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve an application on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serving(oidc: OIDCAuth) -> Iterator[str]:
    app = Starlette()
    install(app, oidc)
    with served(app) as url:
        yield url


def test_running_server_with_same_file_passes(tmp_path: Path, issuer: LocalIssuer) -> None:
    file = write(tmp_path, issuer)
    with serving(OIDCAuth.from_file(file)) as url:
        checks = examined_server(file, url, issuer.token("alice", scope="threads:read"))
    assert {name: checks[name]["status"] for name in ("server-ready", "metadata-published", "whoami")} == {
        "server-ready": "ok",
        "metadata-published": "info",
        "whoami": "ok",
    }
    note = text(checks["metadata-published"])
    assert "agents.test" in note
    assert url.removeprefix("http://") in note


def examined_server(file: Path, url: str, token: str = "") -> dict[str, dict[str, Any]]:
    done = run_doctor(str(file), "--url", url, "--json", token=token)
    return {check["id"]: check for check in json.loads(done.output)["checks"]}


def test_changed_file_takes_effect_at_restart(tmp_path: Path, issuer: LocalIssuer) -> None:
    file = write(tmp_path, issuer)
    running = OIDCAuth.from_file(file)
    with serving(running) as url:
        file = write(
            tmp_path, issuer, permission_map=[{"claim": "scope", "accept": ["assistants:read", "threads:read"]}]
        )
        token = issuer.token("alice", scope="threads:read threads:write assistants:read")
        checks = examined_server(file, url, token)
        entry = checks["server-ready"]
        assert (entry["status"], running.loaded.digest in text(entry), "Restart" in text(entry)) == (
            "error",
            True,
            True,
        )
        assert "threads:create" in text(checks["whoami"])
        assert checks["whoami"]["status"] == "error"
        write(tmp_path, issuer)
        assert examined_server(file, url, token)["server-ready"]["status"] == "ok"


def test_other_identity_is_reported(tmp_path: Path, issuer: LocalIssuer) -> None:
    file = write(tmp_path, issuer)
    with serving(OIDCAuth.from_file(file)) as url:
        entry = examined_server(write(tmp_path, issuer, audience="other"), url, issuer.token(scope="threads:read"))
        assert entry["whoami"]["status"] == "error"
        changed = write(tmp_path, issuer, identity_prefix="corp:")
        entry = examined_server(changed, url, issuer.token(scope="threads:read"))
    assert "'corp:alice'" in text(entry["whoami"])


def test_missing_keys_are_reported(tmp_path: Path, issuer: LocalIssuer) -> None:
    issuer.fault = Fault.DOWN
    document = web_document(issuer, web={"public_url": PUBLIC_URL})
    with serving(OIDCAuth.from_dict(document, fetcher=issuer)) as url:
        entry = examined_server(write(tmp_path, issuer), url)["server-ready"]
    assert (entry["status"], issuer.url in text(entry)) == ("error", True)


def test_degraded_server_is_warning(tmp_path: Path, issuer: LocalIssuer) -> None:
    file = write(tmp_path, issuer)
    digest = OIDCAuth.from_file(file).loaded.digest
    body = {"ready": True, "configuration": digest, "issuers": {"https://a.test": "ready", "https://b.test": "x"}}

    async def ready(_request: Request) -> JSONResponse:
        return JSONResponse(body)

    with served(Starlette(routes=[Route("/auth/ready", ready)])) as url:
        entry = examined_server(file, url)["server-ready"]
    assert (entry["status"], "https://b.test" in text(entry)) == ("warning", True)


@pytest.mark.parametrize("body", ["", "[]", "{}", "[" * 5000, '{"configuration": 5}'])
def test_foreign_answers_are_findings(tmp_path: Path, issuer: LocalIssuer, body: str) -> None:
    async def answer(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(body)

    with served(Starlette(routes=[Route("/{path:path}", answer)])) as url:
        checks = examined_server(write(tmp_path, issuer), url, issuer.token(scope="threads:read"))
    for name in ("server-ready", "metadata-published", "whoami"):
        assert checks[name]["status"] == "error"


def test_server_without_web_application_is_reported(tmp_path: Path, issuer: LocalIssuer) -> None:
    with served(Starlette()) as url:
        checks = examined_server(write(tmp_path, issuer), url, issuer.token(scope="threads:read"))
    for name in ("server-ready", "metadata-published", "whoami"):
        assert (checks[name]["status"], "oidc_auth.web:app" in text(checks[name])) == ("error", True)


def test_refused_token_skips_whoami(tmp_path: Path, issuer: LocalIssuer) -> None:
    file = write(tmp_path, issuer)
    with serving(OIDCAuth.from_file(file)) as url:
        checks = examined_server(file, url, issuer.token(scope="threads:read", audience="other"))
    assert checks["whoami"]["status"] == "skipped"


def test_answers_reveal_no_token(tmp_path: Path, issuer: LocalIssuer) -> None:
    async def repeat(request: Request) -> JSONResponse:
        field = request.headers.get("authorization", "")
        return JSONResponse({"identity": field, "permissions": [field], "configuration": field, "resource": field})

    token = issuer.token(scope="threads:read")
    with served(Starlette(routes=[Route("/{path:path}", repeat)])) as url:
        shown = run_doctor(str(write(tmp_path, issuer)), "--url", url, "--json", token=token).output
    assert not any(token[start : start + 12] in shown for start in range(len(token) - 12))


@pytest.mark.parametrize("check", ["server-ready", "metadata-published", "whoami"])
def test_unreachable_server_skips_checks(tmp_path: Path, issuer: LocalIssuer, check: str) -> None:
    with served(Starlette()) as gone:
        pass
    entry = examined_server(write(tmp_path, issuer), gone, issuer.token(scope="threads:read"))[check]
    assert (entry["status"], "no answer" in entry["skipped"]) == ("skipped", True)


def test_without_mcp_only_one_document_is_read(tmp_path: Path, issuer: LocalIssuer) -> None:
    file = write(tmp_path, issuer, web={"mcp": False})
    with serving(OIDCAuth.from_file(file)) as url:
        assert examined_server(file, url)["metadata-published"]["status"] == "info"


def test_unavailable_whoami_is_skipped(tmp_path: Path, issuer: LocalIssuer) -> None:
    async def unavailable(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("", status_code=503)

    with served(Starlette(routes=[Route("/{path:path}", unavailable)])) as url:
        checks = examined_server(write(tmp_path, issuer), url, issuer.token(scope="threads:read"))
    assert (checks["whoami"]["status"], "503" in checks["whoami"]["skipped"]) == ("skipped", True)
