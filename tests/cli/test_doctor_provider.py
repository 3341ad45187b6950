"""``oidc-auth doctor``: checks of the providers."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.doctor import GRANT, RSA, examined, run_doctor, serving, text, write_configuration

from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from kit.snapshots import Messages


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider with a key that is fast to create."""
    return LocalIssuer(algorithm="ES256")


def test_healthy_provider_has_no_findings(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url))
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


def test_invalid_configuration_fetches_nothing(tmp_path: Path, issuer: LocalIssuer, messages: Messages) -> None:
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url, "audiance = 'x'"))
    assert (checks["configuration"]["status"], issuer.fetched) == ("error", [])
    messages.check(text(checks["configuration"]), {tmp_path: "FOLDER"})
    messages.check(checks["keys-reachable"]["skipped"])


def test_dangerous_setting_is_warning(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url, "insecure_skip_audience = true"))
    assert (checks["configuration"]["status"], "insecure_skip_audience" in text(checks["configuration"])) == (
        "warning",
        True,
    )


def test_missing_file_is_configuration_error(tmp_path: Path, messages: Messages) -> None:
    messages.check(text(examined(tmp_path / "none.toml")["configuration"]), {tmp_path: "FOLDER", Path.cwd(): "HERE"})


@pytest.mark.parametrize(
    ("fault", "said"), [(Fault.ERROR, "500"), (Fault.HTML, "not JSON"), (Fault.DOWN, "RemoteProtocolError")]
)
def test_provider_without_keys_is_error(tmp_path: Path, issuer: LocalIssuer, fault: Fault, said: str) -> None:
    issuer.fault = fault
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url))
    assert (checks["keys-reachable"]["status"], said in text(checks["keys-reachable"])) == ("error", True)


def test_unreachable_provider_skips_checks(tmp_path: Path, issuer: LocalIssuer) -> None:
    issuer.fault = Fault.DOWN
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url))
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
        entry = examined(write_configuration(tmp_path, url, 'name = "a"\nidentity_prefix = "a:"', limits=other))[check]
    assert (entry["status"], f"not checked: {gone} (" in text(entry)) == ("skipped", True)
    assert url not in text(entry)


def test_inline_keys_need_no_provider(tmp_path: Path, issuer: LocalIssuer, messages: Messages) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    checks = examined(write_configuration(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}"))
    messages.check(checks["keys-reachable"]["skipped"])
    assert (checks["key-quality"]["status"], checks["key-algorithms"]["status"]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("path", "configured_path"),
    [
        ("/", ""),
        ("", "/"),
        ("/Realms/a", "/realms/a"),
    ],
)
def test_issuer_mismatch_shows_correct_value(
    tmp_path: Path, path: str, configured_path: str, messages: Messages
) -> None:
    issuer = AnyCase(algorithm="ES256")
    with issuer.served(path=path) as url:
        file = write_configuration(tmp_path, url.removesuffix(path) + configured_path)
        checks = examined(file)
    assert checks["issuer-match"]["status"] == "error"
    messages.check(text(checks["issuer-match"]), {url.removesuffix(path): "PROVIDER"})
    assert f'Set issuer = "{url}"' in text(checks["issuer-match"])


class AnyCase(LocalIssuer):
    """A provider that answers on its path in upper and lower case, as some do."""

    def answer(self, path: str) -> Any:
        return super().answer(path.replace("/realms/", "/Realms/"))


def test_issuer_is_compared_with_own_jwks_uri(tmp_path: Path) -> None:
    issuer = LocalIssuer(algorithm="ES256")
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, f"{url}/", f'jwks_uri = "{url}/keys"'))
    assert (checks["keys-reachable"]["status"], checks["issuer-match"]["status"]) == ("ok", "error")


TENANTS = ("8d5f2a3e-0000-4000-8000-000000000001", "8d5f2a3e-0000-4000-8000-000000000002")


def test_each_tenant_is_checked(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served(path=f"/{TENANTS[0]}/v2.0") as url:
        template = url.replace(TENANTS[0], "{tenantid}")
        one = examined(write_configuration(tmp_path, template, f"tenants = ['{TENANTS[0]}']"))
        both = examined(write_configuration(tmp_path, template, f"tenants = {list(TENANTS)}\ntenant = 'tid'"))
    assert (one["keys-reachable"]["status"], one["issuer-match"]["status"]) == ("ok", "ok")
    assert [found["what"].partition("/v2.0")[0][-36:] for found in both["keys-reachable"]["findings"]] == [TENANTS[1]]


def test_unserved_issuer_mismatch_is_warning(tmp_path: Path, issuer: LocalIssuer) -> None:
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url, f"aliases = ['{url}/other']"))
    assert (checks["keys-reachable"]["status"], "/other" in text(checks["keys-reachable"])) == ("warning", True)


def test_silent_provider_times_out(tmp_path: Path, issuer: LocalIssuer) -> None:
    issuer.fault = Fault.STALL
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url, limits="[limits]\nfetch_timeout = 0.3\n"))
    assert checks["keys-reachable"]["status"] == "error"


def test_invalid_ca_file_is_error(tmp_path: Path, issuer: LocalIssuer) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", "utf-8")
    with issuer.served() as url:
        more = f'jwks_uri = "{url}/keys"\nca_file = "{tmp_path}/ca.pem"'
        checks = examined(write_configuration(tmp_path, url, more))
    assert checks["keys-reachable"]["status"] == "error"


def test_redirect_is_error_with_target(tmp_path: Path, issuer: LocalIssuer, messages: Messages) -> None:
    issuer.fault = Fault.REDIRECT
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url))
    assert checks["no-redirects"]["status"] == "error"
    messages.check(text(checks["no-redirects"]), {url: "PROVIDER"})


class Keyed(LocalIssuer):
    """A provider that needs an API key in the query."""

    def answer(self, path: str) -> Any:
        return super().answer(path.removesuffix("?key=s3cr3t"))


@pytest.mark.parametrize(("fault", "said"), [(Fault.REDIRECT, "redirects"), (None, "bytes of"), (Fault.ERROR, "500")])
def test_query_secret_is_hidden(tmp_path: Path, fault: Fault | None, said: str) -> None:
    issuer = Keyed(algorithm="ES256")
    issuer.fault = fault
    with issuer.served() as url:
        more, limit = f'jwks_uri = "{url}/keys?key=s3cr3t"', "[limits]\nkey_set_bytes = 300\n"
        shown = run_doctor(str(write_configuration(tmp_path, url, more, limits=limit)), "--json").output
    assert (f"{url}/keys?..." in shown, said in shown, "s3cr3t" in shown) == (True, True, False)


@pytest.mark.parametrize(("limit", "status"), [(100_000, "ok"), (300, "warning")])
def test_response_near_limit_is_warning(tmp_path: Path, issuer: LocalIssuer, limit: int, status: str) -> None:
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url, limits=f"[limits]\nkey_set_bytes = {limit}\n"))
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
        checks = examined(write_configuration(tmp_path, url, f"leeway = {leeway}"))
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
        checks = examined(write_configuration(tmp_path, url))
    assert (checks["keys-reachable"]["status"], checks["clock-skew"]["status"]) == ("ok", "warning")
    assert f"Date {date}; Age {age}" in text(checks["clock-skew"])


class Publishing(LocalIssuer):
    """A provider that publishes exactly these keys."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        super().__init__(algorithm="ES256")
        self.published = keys

    def key_set(self) -> dict[str, Any]:
        return {"keys": [*self.published, self.keys[0].jwk()]}


NAMELESS = {name: value for name, value in RSA.items() if name != "kid"}
WEAK = SigningKey.make("weak", "RS256", bits=1024).jwk()


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ((RSA,), "ok"),
        (({**RSA, "use": "enc", "alg": "RSA-OAEP"},), "ok"),
        ((NAMELESS,), "ok"),
        ((WEAK,), "warning"),
        (({"kty": "oct", "k": "c2VjcmV0", "kid": "hs"},), "warning"),
        (({**RSA, "d": "AQAB"},), "error"),
        (
            (NAMELESS, {**SigningKey.make("", "RS256").jwk(), "kid": None}),
            "warning",
        ),
        ((RSA,) * 200, "warning"),
    ],
)
def test_unusable_keys_are_named(
    tmp_path: Path, keys: tuple[dict[str, Any], ...], status: str, messages: Messages
) -> None:
    with Publishing(*keys).served() as url:
        checks = examined(write_configuration(tmp_path, url))
    assert checks["key-quality"]["status"] == status
    messages.check(text(checks["key-quality"]), {url: "PROVIDER"})
    assert checks["keys-reachable"]["status"] == "ok"


@pytest.mark.parametrize(("algorithms", "status"), [('["ES256"]', "ok"), ('["RS256"]', "error")])
def test_keys_without_allowed_algorithm_are_error(
    tmp_path: Path, issuer: LocalIssuer, algorithms: str, status: str
) -> None:
    with issuer.served() as url:
        checks = examined(write_configuration(tmp_path, url, f"algorithms = {algorithms}"))
    assert checks["key-algorithms"]["status"] == status


class EscapeSequences(LocalIssuer):
    """A provider with control characters for the operator's terminal in its document."""

    def answer(self, path: str) -> Any:
        answer = super().answer(path)
        return answer._replace(body=answer.body.replace(b'"http', b'"\\u001b[31m[bold]http', 1))


def test_foreign_response_is_shown_as_plain_text(tmp_path: Path) -> None:
    with EscapeSequences(algorithm="ES256").served() as url:
        file = write_configuration(tmp_path, url)
        shown, entry = run_doctor(str(file)).output, examined(file)["issuer-match"]
    assert entry["status"] == "error"
    assert "[31m[bold]http" in "".join(shown.split())
    assert "\x1b" not in shown + text(entry)
