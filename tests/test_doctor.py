"""``oidc-auth doctor``: each check fails where something is wrong, and holds where nothing is."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

import oidc_auth
from oidc_auth.cli.app import app
from oidc_auth.cli.dev_server import quickstart_folder, running_dev_server
from oidc_auth.cli.doctor import CHECKS
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD: dict[str, Any] = {
    "dependencies": [".", "langgraph-oidc-auth"],
    "graphs": {"agent": "./graph.py:graph"},
    "auth": {"path": "oidc_auth.langgraph:auth", "disable_studio_auth": True},
    "http": {
        "app": "./web.py:app",
        "enable_custom_route_auth": True,
        "cors": {"expose_headers": ["www-authenticate"]},
        "mount_prefix": "/agents",
    },
}
GRANT = '[[issuer.permission_map]]\nclaim = "roles"\nvalues = { editor = ["threads:write"] }\n'


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider whose key is quickly made."""
    return LocalIssuer(algorithm="ES256")


def run(*arguments: str, token: str = "") -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments], env={"OIDC_AUTH_TOKEN": token, "COLUMNS": "160"})


def configured(folder: Path, issuer: str, more: str = "", *, limits: str = "") -> Path:
    file = folder / "oidc-auth.toml"
    file.write_text(f'[[issuer]]\nissuer = "{issuer}"\naudience = "agents"\n{more}\n{GRANT}{limits}', "utf-8")
    return file


def examined(file: Path, *options: str, token: str = "") -> dict[str, dict[str, Any]]:
    """Return each check's entry by its id; the exit status says whether one is an error."""
    done = run(str(file), *options, "--json", token=token)
    checks = {check["id"]: check for check in json.loads(done.output)["checks"]}
    assert done.exit_code == int(any(check["status"] == "error" for check in checks.values())), done.output
    return checks


def text(entry: dict[str, Any]) -> str:
    return " ".join(f"{found['what']} -> {found['hint']}" for found in entry["findings"])


# --- the provider ----------------------------------------------------------------------------------------------------


def test_healthy_provider_has_no_findings(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url))
    names = [
        "keys-reachable",
        "issuer-match",
        "no-redirects",
        "response-size",
        "clock-skew",
        "key-quality",
        "key-algorithms",
    ]
    assert {name: checks[name]["status"] for name in ["configuration", *names]} == dict.fromkeys(
        ["configuration", *names], "ok"
    )


def test_invalid_configuration_fetches_nothing(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, "audiance = 'x'"))
    assert (checks["configuration"]["status"], issuer.fetched) == ("error", [])
    assert "audiance: unknown key (did you mean 'audience'?)" in text(checks["configuration"])
    assert checks["keys-reachable"]["skipped"] == "the configuration is wrong"


def test_dangerous_setting_is_warning(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, "insecure_skip_audience = true"))
    assert (checks["configuration"]["status"], "insecure_skip_audience" in text(checks["configuration"])) == (
        "warning",
        True,
    )


def test_missing_file_is_configuration_error(tmp_path: Path) -> None:
    assert "cannot be read" in text(examined(tmp_path / "none.toml")["configuration"])


@pytest.mark.parametrize(
    ("fault", "said"), [(Fault.ERROR, "500"), (Fault.HTML, "not JSON"), (Fault.DOWN, "RemoteProtocolError")]
)
def test_provider_without_keys_is_error(tmp_path: Path, issuer: LocalIssuer, fault: Fault, said: str) -> None:
    issuer.fault = fault
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url))
    assert (checks["keys-reachable"]["status"], said in text(checks["keys-reachable"])) == ("error", True)


def test_unreachable_provider_skips_checks(tmp_path: Path, issuer: LocalIssuer) -> None:
    issuer.fault = Fault.DOWN
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url))
    for name in ("no-redirects", "response-size", "clock-skew", "issuer-match", "key-quality", "key-algorithms"):
        assert checks[name]["status"] == "skipped"


@pytest.mark.parametrize(
    "check", ["issuer-match", "no-redirects", "response-size", "clock-skew", "key-quality", "key-algorithms"]
)
def test_unreachable_provider_beside_reachable_is_named(tmp_path: Path, issuer: LocalIssuer, check: str) -> None:
    with LocalIssuer(algorithm="ES256").served() as gone:
        pass
    other = f'[[issuer]]\nname = "b"\nidentity_prefix = "b:"\nissuer = "{gone}"\naudience = "agents"\n{GRANT}'
    with issuer.served() as url:
        entry = examined(configured(tmp_path, url, 'name = "a"\nidentity_prefix = "a:"', limits=other))[check]
    assert (entry["status"], f"not looked at: {gone} (" in text(entry)) == ("skipped", True)
    assert url not in text(entry)


def test_inline_keys_need_no_provider(tmp_path: Path, issuer: LocalIssuer) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    checks = examined(configured(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}"))
    assert "nothing is fetched" in checks["keys-reachable"]["skipped"]
    assert (checks["key-quality"]["status"], checks["key-algorithms"]["status"]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("path", "configured_path", "said"),
    [
        ("/", "", "only a '/' at the end differs"),
        ("", "/", "only a '/' at the end differs"),
        ("/Realms/a", "/realms/a", "upper and lower case differ"),
    ],
)
def test_issuer_mismatch_shows_correct_value(tmp_path: Path, path: str, configured_path: str, said: str) -> None:
    issuer = AnyCase(algorithm="ES256")
    with issuer.served(path=path) as url:
        file = configured(tmp_path, url.removesuffix(path) + configured_path)
        checks = examined(file)
    assert (checks["issuer-match"]["status"], said in text(checks["issuer-match"])) == ("error", True)
    assert f"write issuer = '{url}'" in text(checks["issuer-match"])


class AnyCase(LocalIssuer):
    """A provider that answers on its path in upper and lower case, as some do."""

    def answer(self, path: str) -> Any:
        return super().answer(path.replace("/realms/", "/Realms/"))


def test_issuer_is_compared_with_own_jwks_uri(tmp_path: Path) -> None:
    issuer = LocalIssuer(algorithm="ES256")
    with issuer.served() as url:
        checks = examined(configured(tmp_path, f"{url}/", f'jwks_uri = "{url}/keys"'))
    assert (checks["keys-reachable"]["status"], checks["issuer-match"]["status"]) == ("ok", "error")


TENANTS = ("8d5f2a3e-0000-4000-8000-000000000001", "8d5f2a3e-0000-4000-8000-000000000002")


def test_each_tenant_is_checked(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served(path=f"/{TENANTS[0]}/v2.0") as url:
        template = url.replace(TENANTS[0], "{tenantid}")
        one = examined(configured(tmp_path, template, f"tenants = ['{TENANTS[0]}']"))
        both = examined(configured(tmp_path, template, f"tenants = {list(TENANTS)}\ntenant = 'tid'"))
    assert (one["keys-reachable"]["status"], one["issuer-match"]["status"]) == ("ok", "ok")
    assert [found["what"].partition("/v2.0")[0][-36:] for found in both["keys-reachable"]["findings"]] == [TENANTS[1]]


def test_unserved_issuer_mismatch_is_warning(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, f"aliases = ['{url}/other']"))
    assert (checks["keys-reachable"]["status"], "/other" in text(checks["keys-reachable"])) == ("warning", True)


def test_silent_provider_times_out(tmp_path: Path, issuer: LocalIssuer) -> None:
    issuer.fault = Fault.STALL
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, limits="[limits]\nfetch_timeout = 0.3\n"))
    assert checks["keys-reachable"]["status"] == "error"


def test_invalid_ca_file_is_error(tmp_path: Path, issuer: LocalIssuer) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", "utf-8")
    with issuer.served() as url:
        more = f'jwks_uri = "{url}/keys"\nca_file = "{tmp_path}/ca.pem"'
        checks = examined(configured(tmp_path, url, more))
    assert checks["keys-reachable"]["status"] == "error"


def test_redirect_is_error_with_target(tmp_path: Path, issuer: LocalIssuer) -> None:
    issuer.fault = Fault.REDIRECT
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url))
    assert checks["no-redirects"]["status"] == "error"
    assert f"{url}/keys redirects to https://elsewhere.test/keys" in text(checks["no-redirects"])


class Keyed(LocalIssuer):
    """A provider that wants a key of its own in the query."""

    def answer(self, path: str) -> Any:
        return super().answer(path.removesuffix("?key=s3cr3t"))


@pytest.mark.parametrize(
    ("fault", "said"), [(Fault.REDIRECT, "redirects"), (None, "bytes of"), (Fault.ERROR, "status 500")]
)
def test_query_secret_is_hidden(tmp_path: Path, fault: Fault | None, said: str) -> None:
    issuer = Keyed(algorithm="ES256")
    issuer.fault = fault
    with issuer.served() as url:
        more, limit = f'jwks_uri = "{url}/keys?key=s3cr3t"', "[limits]\nkey_set_bytes = 300\n"
        shown = run(str(configured(tmp_path, url, more, limits=limit)), "--json").output
    assert (f"{url}/keys?..." in shown, said in shown, "s3cr3t" in shown) == (True, True, False)


@pytest.mark.parametrize(("limit", "status"), [(100_000, "ok"), (300, "warning")])
def test_response_near_limit_is_warning(tmp_path: Path, issuer: LocalIssuer, limit: int, status: str) -> None:
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, limits=f"[limits]\nkey_set_bytes = {limit}\n"))
    assert checks["response-size"]["status"] == status


@pytest.mark.parametrize(
    ("offset", "leeway", "status", "said"),
    [
        (0, 30, "ok", ""),
        (90, 30, "error", "90 s behind"),
        (-90, 30, "error", "90 s ahead of"),
        (45, 60, "ok", ""),
    ],
)
def test_clock_skew_over_leeway_is_error(tmp_path: Path, offset: float, leeway: int, status: str, said: str) -> None:
    issuer = LocalIssuer(algorithm="ES256", clock=lambda: time.time() + offset)
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, f"leeway = {leeway}"))
    assert checks["clock-skew"]["status"] == status
    # Date has whole seconds: 89 to 91.
    assert said.partition(" s ")[2] in text(checks["clock-skew"])


@pytest.mark.parametrize(
    ("date", "age"),
    [
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", "0"),
        ("yesterday", "0"),
        ("Mon, 01 Jan 2024 00:00:00 GMT", "old"),
        ("Mon, 01 Jan 2024 00:00:00 GMT", "inf"),
        ("Mon, 01 Jan 2024 00:00:00 GMT", "nan"),
    ],
)
def test_unreadable_time_is_warning(tmp_path: Path, issuer: LocalIssuer, date: str, age: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.url = f"http://{self.headers['host']}"
            status, _, body = issuer.answer(self.path)
            self.send_response_only(status)
            for name, value in {"date": date, "age": age, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet."""

    with serving(Handler) as url:
        checks = examined(configured(tmp_path, url))
    assert (checks["keys-reachable"]["status"], checks["clock-skew"]["status"]) == ("ok", "warning")
    assert f"Date {date}; Age {age}" in text(checks["clock-skew"])


class Publishing(LocalIssuer):
    """A provider that publishes exactly these keys."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        super().__init__(algorithm="ES256")
        self.published = keys

    def key_set(self) -> dict[str, Any]:
        return {"keys": [*self.published, self.keys[0].jwk()]}


RSA = SigningKey.make("rsa", "RS256").jwk()
NAMELESS = {name: value for name, value in RSA.items() if name != "kid"}
WEAK = SigningKey.make("weak", "RS256", bits=1024).jwk()


@pytest.mark.parametrize(
    ("keys", "status", "said"),
    [
        ((RSA,), "ok", ""),
        (({**RSA, "use": "enc", "alg": "RSA-OAEP"},), "ok", ""),
        ((NAMELESS,), "ok", ""),
        ((WEAK,), "warning", "1024 bits"),
        (({"kty": "oct", "k": "c2VjcmV0", "kid": "hs"},), "warning", "key 0 (hs)"),
        (({**RSA, "d": "AQAB"},), "error", "anyone could sign with it"),
        (
            (NAMELESS, {**SigningKey.make("", "RS256").jwk(), "kid": None}),
            "warning",
            "several keys without kid fit RS256",
        ),
        ((RSA,) * 200, "warning", "201 keys: only the first 200 are read"),
    ],
)
def test_unusable_keys_are_named(tmp_path: Path, keys: tuple[dict[str, Any], ...], status: str, said: str) -> None:
    with Publishing(*keys).served() as url:
        checks = examined(configured(tmp_path, url))
    assert (checks["key-quality"]["status"], said in text(checks["key-quality"])) == (status, True)
    assert checks["keys-reachable"]["status"] == "ok"


@pytest.mark.parametrize(("algorithms", "status"), [('["ES256"]', "ok"), ('["RS256"]', "error")])
def test_keys_without_allowed_algorithm_are_error(
    tmp_path: Path, issuer: LocalIssuer, algorithms: str, status: str
) -> None:
    with issuer.served() as url:
        checks = examined(configured(tmp_path, url, f"algorithms = {algorithms}"))
    assert checks["key-algorithms"]["status"] == status


class EscapeSequences(LocalIssuer):
    """A provider whose document would paint the operator's terminal."""

    def answer(self, path: str) -> Any:
        answer = super().answer(path)
        return answer._replace(body=answer.body.replace(b'"http', b'"\\u001b[31m[bold]http', 1))


def test_foreign_response_is_shown_as_plain_text(tmp_path: Path) -> None:
    with EscapeSequences(algorithm="ES256").served() as url:
        file = configured(tmp_path, url)
        shown, entry = run(str(file)).output, examined(file)["issuer-match"]
    assert entry["status"] == "error"
    assert "[31m[bold]http" in "".join(shown.split())
    assert "\x1b" not in shown + text(entry)


# --- langgraph.json --------------------------------------------------------------------------------------------------


def deployment(folder: Path, document: object) -> dict[str, dict[str, Any]]:
    (folder / "langgraph.json").write_text(json.dumps(document), "utf-8")
    return examined(configured(folder, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}"))


JWK = json.dumps(RSA).replace('": ', '" = ')
OF_DEPLOYMENT = [
    "auth-hook-configured",
    "studio-disabled",
    "langsmith-keys",
    "mount-prefix",
    "custom-routes",
    "token-not-copied",
    "configuration-found",
    "configuration-included",
    "library-included",
    "challenge-exposed",
]


def test_safe_langgraph_json_has_no_findings(tmp_path: Path) -> None:
    checks = deployment(tmp_path, GOOD)
    assert {checks[name]["status"] for name in OF_DEPLOYMENT} == {"ok"}


@pytest.mark.parametrize(
    ("patterns", "status"),
    [
        ({"include": ["x-*"]}, "error"),
        ({"includes": ["x-proxy-token"]}, "error"),
        ({"includes": ["*-token"], "excludes": ["x-other"]}, "error"),
        ({"includes": ["x-*"], "excludes": ["X-PROXY-TOKEN"]}, "error"),
        ({"include": ["x-*"], "exclude": ["*token"]}, "ok"),
        ({"includes": ["X-*"]}, "ok"),
        ({"excludes": ["x-other"]}, "ok"),
        ({}, "ok"),
        (None, "ok"),
        ("x-*", "ok"),
        ({"includes": "x-*"}, "error"),
        ({"includes": "x-proxy-token"}, "ok"),
    ],
)
@pytest.mark.parametrize("setting", ["configurable_headers", "logging_headers"])
def test_issuers_header_must_not_be_copied(tmp_path: Path, setting: str, patterns: object, status: str) -> None:
    (tmp_path / "langgraph.json").write_text(json.dumps({**GOOD, "http": {setting: patterns}}), "utf-8")
    more = f"header = 'x-proxy-token'\njwks = {{ keys = [{JWK}] }}"
    entry = examined(configured(tmp_path, "https://unknown.invalid", more))["token-not-copied"]
    assert (entry["status"], "x-proxy-token" in text(entry)) == (status, status == "error")


def test_missing_langgraph_json_is_skipped(tmp_path: Path) -> None:
    checks = examined(configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}"))
    assert {checks[name]["status"] for name in OF_DEPLOYMENT} == {"skipped"}


@pytest.mark.parametrize(
    ("check", "change", "status", "said"),
    [
        ("auth-hook-configured", {"auth": {}}, "error", "every request is let in"),
        ("auth-hook-configured", {"auth": {"path": "./mine.py:auth"}}, "info", "a module of your own"),
        ("studio-disabled", {"auth": {"path": "x"}}, "warning", "disable_studio_auth is not true"),
        ("studio-disabled", {"auth": {"disable_studio_auth": "true"}}, "warning", "is not true"),
        ("langsmith-keys", {"auth": {"allow_langsmith_api_keys": True}}, "error", "take it out"),
        ("mount-prefix", {"http": {"mount_prefix": "/ui"}}, "error", "every GET is anonymous"),
        ("mount-prefix", {"http": {"mount_prefix": "/uix/a"}}, "error", "every GET is anonymous"),
        ("custom-routes", {"http": {"app": "./web.py:app"}}, "error", "ask for no token"),
        ("custom-routes", {"http": {}}, "skipped", ""),
        ("token-not-copied", {"http": {"configurable_headers": {"includes": ["*"]}}}, "error", "authorization, cookie"),
        ("token-not-copied", {"http": {"configurable_headers": {"include": ["auth*"]}}}, "error", "into run records"),
        ("token-not-copied", {"http": {"logging_headers": {"includes": ["cookie"]}}}, "error", "into log lines"),
        ("token-not-copied", {"http": {"configurable_headers": {"includes": ["x-*"]}}}, "ok", ""),
        (
            "token-not-copied",
            {"http": {"configurable_headers": {"includes": ["*"], "excludes": ["*auth*", "cookie"]}}},
            "ok",
            "",
        ),
        ("configuration-found", {"env": {"OIDC_AUTH_CONFIG": "other.toml"}}, "error", "two configurations"),
        ("configuration-found", {"env": {"OIDC_AUTH_CONFIG": "./oidc-auth.toml"}}, "ok", ""),
        ("configuration-found", {"env": ".env"}, "ok", ""),
        ("configuration-included", {"dependencies": ["./src", "langchain"]}, "warning", "lies in none of"),
        ("configuration-included", {"dependencies": []}, "warning", "(none)"),
        ("library-included", {"dependencies": ["."]}, "warning", "no dependency names langgraph-oidc-auth"),
        ("library-included", {"dependencies": [".", "./langgraph_oidc_auth-0.1.0-py3-none-any.whl"]}, "ok", ""),
        (
            "library-included",
            {"dependencies": ["."], "dockerfile_lines": ["RUN pip install langgraph-oidc-auth"]},
            "ok",
            "",
        ),
        ("challenge-exposed", {"http": {}}, "info", "lacks WWW-Authenticate"),
        ("challenge-exposed", {"http": {"cors": {"expose_headers": ["x"]}}}, "info", "lacks WWW-Authenticate"),
    ],
)
def test_langgraph_json_mistake_is_named(
    tmp_path: Path, check: str, change: dict[str, Any], status: str, said: str
) -> None:
    entry = deployment(tmp_path, {**GOOD, **change})[check]
    assert (entry["status"], said in text(entry)) == (status, True)


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "setup.cfg", "setup.py"])
@pytest.mark.parametrize("library", ["langgraph-oidc-auth[redis]>=0.1", "Langgraph_OIDC_Auth", "langgraph-auth"])
def test_library_is_found_in_folder_requirements(tmp_path: Path, name: str, library: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / name).write_text(f"httpx\n{library}\n", "utf-8")
    entry = deployment(tmp_path, {**GOOD, "dependencies": [".", "./src"]})["library-included"]
    assert entry["status"] == ("warning" if library == "langgraph-auth" else "ok")


@pytest.mark.parametrize(
    ("env_file", "status"),
    [
        ("OIDC_AUTH_CONFIG=acme.toml\n", "ok"),
        ("export OIDC_AUTH_CONFIG='acme.toml'\n", "ok"),
        ("# OIDC_AUTH_CONFIG=acme.toml\n", "warning"),
        ("OIDC_AUTH_CONFIG=other.toml\n", "warning"),
        ("", "warning"),
    ],
)
def test_renamed_configuration_needs_env(tmp_path: Path, env_file: str, status: str) -> None:
    (tmp_path / ".env").write_text(env_file, "utf-8")
    (tmp_path / "langgraph.json").write_text(json.dumps({**GOOD, "env": ".env"}), "utf-8")
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}").rename(
        tmp_path / "acme.toml"
    )
    assert examined(file)["configuration-found"]["status"] == status


def test_configuration_in_environment_needs_no_file(tmp_path: Path) -> None:
    settings = {"OIDC_AUTH_ISSUER": "http://127.0.0.1:9", "OIDC_AUTH_AUDIENCE": "agents"}
    (tmp_path / "langgraph.json").write_text(json.dumps({**GOOD, "env": settings}), "utf-8")
    done = run("--langgraph-json", str(tmp_path / "langgraph.json"), "--json")
    checks = {check["id"]: check["status"] for check in json.loads(done.output)["checks"]}
    names = ("configuration", "configuration-found", "configuration-included")
    assert [checks[name] for name in names] == ["ok", "skipped", "skipped"]


@pytest.mark.parametrize("content", ["no json", "[]"])
def test_invalid_langgraph_json_is_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content, "utf-8")
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    checks = examined(file, "--langgraph-json", str(tmp_path / "other.json"))
    assert (checks["auth-hook-configured"]["status"], checks["mount-prefix"]["status"]) == ("error", "skipped")


# --- what is installed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "version", "status"),
    [
        ("langgraph_sdk", "0.4.5", "error"),
        ("langgraph_sdk", "0.4.6", "ok"),
        ("langgraph_sdk", "0.4.14", "ok"),
        ("langgraph_checkpoint_postgres", "3.1.0", "error"),
        ("langgraph_checkpoint_sqlite", "3.1.1", "ok"),
        ("pyjwt", "2.9.0", "error"),
        ("langgraph_api", "0.7.32", "error"),
        ("langgraph_api", "0.10.2", "error"),
        ("langgraph_api", "0.10.3", "ok"),
        ("langgraph_api", "0.18.0.dev12", "ok"),
        ("langgraph_api", "unreadable", "error"),
    ],
)
def test_vulnerable_package_is_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, version: str, status: str
) -> None:
    metadata = tmp_path / "site" / f"{package}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    entry = examined(configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}"))[
        "known-vulnerabilities"
    ]
    assert (entry["status"], f"{version}:" in text(entry)) == (status, status == "error")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return a folder for ``PYTHONPATH`` with a copy of this library."""
    site = tmp_path / "site"
    shutil.copytree(Path(oidc_auth.__file__).parent, site / "oidc_auth", ignore=shutil.ignore_patterns("__pycache__"))
    return site


def install_drf_oidc_auth(site: Path, *, before_ours: bool, declares: str) -> None:
    """Write what pip writes for drf-oidc-auth: its metadata, and its empty ``__init__.py`` if it came last."""
    info = site / "DRF_oidc.auth-4.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: DRF_oidc.auth\nVersion: 4.0.0\n", "utf-8")
    (info / declares).write_text({"top_level.txt": "oidc_auth\n", "RECORD": "oidc_auth/util.py,,\n"}[declares], "utf-8")
    if not before_ours:
        (site / "oidc_auth" / "__init__.py").write_text("", "utf-8")


def examined_in(site: Path, file: Path) -> dict[str, Any]:
    """Run doctor in a process of its own, with a folder of distributions before the others."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "oidc_auth.cli", "doctor", str(file), "--json"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=file.parent,
    )
    assert done.stdout, done.stderr
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    found: dict[str, Any] = checks["import-name-unique"]
    return {**found, "exit": done.returncode}


@pytest.mark.parametrize("before_ours", [True, False], ids=["installed first", "installed last"])
@pytest.mark.parametrize("declares", ["top_level.txt", "RECORD"])
def test_second_owner_of_our_import_name_is_error(
    environment: Path, tmp_path: Path, *, before_ours: bool, declares: str
) -> None:
    install_drf_oidc_auth(environment, before_ours=before_ours, declares=declares)
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    entry = examined_in(environment, file)
    assert (entry["status"], entry["exit"]) == ("error", 1)
    assert "pip uninstall drf-oidc-auth" in text(entry)


def test_this_library_alone_owns_its_import_name(environment: Path, tmp_path: Path) -> None:
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    entry = examined_in(environment, file)
    assert (entry["status"], entry["exit"]) == ("ok", 0)


# --- a running server ------------------------------------------------------------------------------------------------

OF_SERVER = ["anonymous-denied", "studio-denied", "token-accepted"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalIssuer, str]]:
    """Return a provider, and the address of a real server that trusts it (the quickstart's configuration)."""
    issuer = LocalIssuer()
    folder = tmp_path_factory.mktemp("server")
    with (
        issuer.served() as url,
        running_dev_server(quickstart_folder(), folder, {"OIDC_ISSUER": url}) as server,
    ):
        yield issuer, server.url


def quickstart(monkeypatch: pytest.MonkeyPatch, issuer: LocalIssuer) -> Path:
    monkeypatch.setenv("OIDC_ISSUER", issuer.url)
    return quickstart_folder() / "oidc-auth.toml"


def test_real_server_passes_with_token(world: tuple[LocalIssuer, str], monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, url = world
    token = issuer.token(roles=["viewer"], org="acme")
    checks = examined(quickstart(monkeypatch, issuer), "--url", url, token=token)
    assert {name: checks[name]["status"] for name in OF_SERVER} == {
        "anonymous-denied": "ok",
        "studio-denied": "ok",
        "token-accepted": "info",
    }
    said = "identity alice; may threads:search, assistants:search, store:list_namespaces"
    assert text(checks["token-accepted"]) == f"{said} -> "


def test_other_server_configuration_is_detected(world: tuple[LocalIssuer, str], tmp_path: Path) -> None:
    issuer, url = world
    token = issuer.token(roles=["editor"], org="acme")
    entry = examined(configured(tmp_path, issuer.url), "--url", url, token=token)["token-accepted"]
    assert entry["status"] == "error"
    assert "store:list_namespaces: the configuration does not allow it, the server answers 200" in text(entry)
    assert "threads:search" not in text(entry).partition("identity")[0]


def test_token_rejected_on_both_sides_is_explained(
    world: tuple[LocalIssuer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, url = world
    token = issuer.token(audience="billing")
    file = quickstart(monkeypatch, issuer)
    entry = examined(file, "--url", url, token=token)["token-accepted"]
    assert entry["status"] == "error"
    assert text(entry).startswith("audience_mismatch")
    shown = run(str(file), "--url", url, token=token).output
    assert not any(part in shown for part in token.split("."))


def test_refusal_is_shown_completely(world: tuple[LocalIssuer, str], tmp_path: Path) -> None:
    issuer, url = world
    audience = "https://agents.acme.com/" + 100 * "a"
    file = configured(tmp_path, issuer.url)
    file.write_text(file.read_text("utf-8").replace('"agents"', f'"{audience}"'), "utf-8")
    token = issuer.token(audience="account", azp="web", realm_access={"roles": []})
    entry = examined(file, "--url", url, token=token)["token-accepted"]
    assert f"Included Client Audience > {audience}. -> oidc-auth explain shows each check" in text(entry)


def test_nothing_is_compared_during_outage(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        token = issuer.token()
    with answering(503) as server:
        entry = examined(configured(tmp_path, url), "--url", server, token=token)["token-accepted"]
    assert entry["status"] == "skipped"
    assert entry["skipped"].startswith("the token cannot be verified here: keys_unavailable: ")


def test_server_unable_to_verify_is_error(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url, answering(503) as server:
        file = configured(tmp_path, url)
        entry = examined(file, "--url", server, token=issuer.token(roles=["editor"]))["token-accepted"]
    assert entry["status"] == "error"
    assert [found["what"].partition(" (")[0] for found in entry["findings"]] == ["the server answers 503"]


@contextmanager
def answering(status: int, says: Callable[[str], str] = lambda _: "[]") -> Iterator[str]:
    """Serve a server that answers everybody the same, or repeats of the credential what it likes, on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            codes.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers["content-length"]))
            said = says(codes[-1].get("authorization", "")).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet."""

    codes.clear()
    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


codes: list[dict[str, str]] = []


@contextmanager
def closed() -> Iterator[str]:
    """Hold a port of this machine at which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def test_anonymous_access_is_error(tmp_path: Path) -> None:
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    with answering(200) as url:
        checks = examined(file, "--url", url)
    assert (checks["anonymous-denied"]["status"], checks["studio-denied"]["status"]) == ("error", "error")
    assert "POST /threads/search without a token: 200, expected 401" in text(checks["anonymous-denied"])
    assert checks["token-accepted"]["skipped"].startswith("no token")


def test_foreign_401_is_not_accepted(tmp_path: Path) -> None:
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    with answering(401) as url:
        checks = examined(file, "--url", url)
    assert "without WWW-Authenticate" in text(checks["anonymous-denied"])


def test_unreachable_server_is_error(tmp_path: Path) -> None:
    with answering(200) as gone:
        pass
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    checks = examined(file, "--url", gone, token="t")
    assert "no answer from" in text(checks["anonymous-denied"])
    assert (checks["anonymous-denied"]["status"], checks["studio-denied"]["status"]) == ("error", "skipped")


def test_token_needs_https_or_loopback(tmp_path: Path) -> None:
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    checks = examined(file, "--url", "http://server.invalid:8000", token="secret")
    assert "http is allowed for loopback only" in checks["token-accepted"]["skipped"]


@pytest.mark.parametrize(
    "says",
    [
        lambda field: f"unknown credential {field}",
        lambda field: f"not understood: {field[7:40]}...",
        lambda field: f"no such user: {field.split('.')[1] if '.' in field else ''}",
        lambda field: f'{{"detail":"{field[-20:]}"}}',
    ],
    ids=["the field", "its beginning", "the claims", "its end"],
)
def test_repeated_token_is_masked(tmp_path: Path, issuer: LocalIssuer, says: Callable[[str], str]) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = configured(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}")
    token = issuer.token(roles=["editor"])
    with answering(400, says) as url:
        shown = run(str(file), "--url", url, "--json", token=token).output
    assert "the server answers 400" in shown
    assert not any(token[start : start + 12] in shown for start in range(len(token) - 12))


def test_server_message_is_shown(tmp_path: Path, issuer: LocalIssuer) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = configured(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}")
    with answering(400, lambda _: "request 8d5f2a3e-0000-4000-8000-000000000001 went astray") as url:
        entry = examined(file, "--url", url, token=issuer.token(roles=["editor"]))["token-accepted"]
    assert "(request 8d5f2a3e-0000-4000-8000-000000000001 went astray)" in text(entry)


def test_unsendable_token_is_reported(tmp_path: Path) -> None:
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    with answering(200) as url:
        entry = examined(file, "--url", url, token="t\u00f6ken")["token-accepted"]
    assert "UnicodeEncodeError" in entry["skipped"]


@pytest.mark.parametrize("url", ["https://admin:s3cr3t@server.invalid", "http://server.invalid/?s3cr3t", "s3cr3t"])
def test_server_url_with_secret_is_hidden(tmp_path: Path, url: str) -> None:
    file = configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    done = run(str(file), "--url", url, "--json", token="t")
    assert (done.exit_code, "is expected, without a user name" in done.output) == (2, True), done.output
    assert "s3cr3t" not in done.output


def test_loopback_token_bypasses_proxy(tmp_path: Path, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = configured(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}")
    with answering(200) as proxy, closed() as gone:
        monkeypatch.setenv("http_proxy", proxy)
        checks = examined(file, "--url", gone, token=issuer.token(roles=["editor"]))
    assert codes == []
    assert "no answer from" in checks["token-accepted"]["skipped"]


def test_token_uses_issuer_header(tmp_path: Path, issuer: LocalIssuer) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = configured(tmp_path, issuer.url, f"header = 'x-proxy-token'\njwks = {{ keys = [{key}] }}")
    token = issuer.token(roles=["editor"])
    with answering(200) as url:
        entry = examined(file, "--url", url, token=token)["token-accepted"]
    sent = [headers for headers in codes if token in str(headers)]
    assert sent
    assert {headers["x-proxy-token"] for headers in sent} == {token}
    assert not any("authorization" in headers for headers in codes)
    assert "threads:search" not in text(entry).partition("identity")[0]


# --- the whole -------------------------------------------------------------------------------------------------------


def test_table_shows_findings_and_hints(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text(json.dumps({**GOOD, "auth": {}}), "utf-8")
    shown = run(str(configured(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")))
    assert shown.exit_code == 1
    assert all(check.id in shown.output for check in CHECKS)
    assert "every request is let in" in shown.output
    assert '-> write "auth"' in shown.output


def test_each_check_has_file_and_documentation() -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs" / "doctor.md").read_text("utf-8")
    for check in CHECKS:
        assert (root / "oidc_auth" / "cli" / "doctor" / f"{check.id.replace('-', '_')}.py").is_file()
        assert f"\n## {check.id}\n" in page
