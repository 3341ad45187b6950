"""The package as others see it: its names, what importing it costs, the wheel, the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import oidc_auth
import oidc_auth.langgraph
from oidc_auth.cli.dev_server import running_dev_server
from oidc_auth.testing import LocalIssuer

ROOT = Path(__file__).parents[2]

NAMES = [
    "Caller",
    "ConfigError",
    "DeniedError",
    "ErrorCode",
    "Explanation",
    "Fetcher",
    "OIDCAuth",
    "OIDCAuthError",
    "Observer",
    "TokenError",
    "UpstreamError",
    "__version__",
    "presets",
    "store_label",
]


def run_python(code: str) -> str:
    """Run code in a fresh process and return what it prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "COV_"))}
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=environ,
    )
    return done.stdout + done.stderr


def test_public_names_are_importable() -> None:
    assert oidc_auth.__all__ == NAMES
    assert all(getattr(oidc_auth, name) is not None for name in NAMES)
    assert dir(oidc_auth) == NAMES
    assert oidc_auth.langgraph.__all__ == ["authenticate_hook", "protect"]


def test_unknown_name_is_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = oidc_auth.nothing_like_it
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = oidc_auth.langgraph.nothing_like_it


def test_import_loads_no_heavy_packages() -> None:
    heavy = ["httpx", "langgraph_sdk", "starlette", "pydantic", "click", "rich", "jwt", "cryptography", "redis"]
    code = f"import sys, oidc_auth; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_inline_keys_need_no_httpx_or_sdk() -> None:
    code = """
import asyncio, sys
from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer
issuer = LocalIssuer()
table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "jwks": issuer.key_set()}
oidc = OIDCAuth.from_dict({"issuer": table})
caller = asyncio.run(oidc.authenticate({"authorization": f"Bearer {issuer.token(scope='threads:read')}"}))
print(caller.identity, [name for name in ("httpx", "langgraph_sdk", "starlette") if name in sys.modules])
"""
    assert run_python(code).strip() == "alice []"


def test_first_request_imports_no_package() -> None:
    code = """
import asyncio, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from oidc_auth.keys.fetch import HttpFetcher
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *said): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.handle_request).start()
fetcher = HttpFetcher(max_bytes=9_999, timeout=5)
before = set(sys.modules)
answer = asyncio.run(fetcher("GET", f"http://127.0.0.1:{server.server_port}/", {}, None))
print(answer.status, sorted(set(sys.modules) - before - {"concurrent.futures.thread"}))
server.server_close()
"""
    assert run_python(code).strip() == "501 []"


def test_sdk_exception_works_without_starlette() -> None:
    code = """
import sys
sys.modules["starlette"] = sys.modules["starlette.exceptions"] = None
import asyncio
from langgraph_sdk import Auth
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticate_hook
table = {"preset": "generic", "issuer": "https://x.test", "audience": "a", "jwks_uri": "https://x.test/keys"}
hook = authenticate_hook(OIDCAuth.from_dict({"issuer": table}))
try:
    asyncio.run(hook(headers={}))
except Auth.exceptions.HTTPException as refusal:
    print(type(refusal).__name__, refusal.status_code, refusal.headers)
"""
    assert run_python(code).startswith("HTTPException 401 {'WWW-Authenticate': 'Bearer realm=\"langgraph\"'}")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    builder = f"WheelBuilder({str(ROOT)!r}).build(directory={str(folder)!r})"
    build = f"from hatchling.builders.wheel import WheelBuilder; print(*{builder})"
    return Path(run_python(build).strip().splitlines()[-1])


def test_wheel_contains_package_types_and_example(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for expected in (
        "oidc_auth/py.typed",
        "oidc_auth/quickstart/oidc-auth.toml",
        "oidc_auth/providers/keycloak.py",
        "oidc_auth/config/oidc-auth.schema.json",
        "oidc_auth/langgraph/server_entry.py",
    ):
        assert expected in names
    assert not any(name.startswith(("tests/", "examples/", "docs/")) for name in names)
    assert not any("react-chat" in name for name in names)
    points = next(name for name in names if name.endswith("entry_points.txt"))
    assert "[pytest11]\noidc_auth = oidc_auth.testing.plugin" in zipfile.ZipFile(wheel).read(points).decode()


def test_wheel_contains_every_file_of_demo_page(wheel: Path) -> None:
    static = "oidc_auth/cli/demo_page/static"
    files = {f"{static}/{file.name}" for file in (ROOT / static).iterdir()}
    assert f"{static}/index.html" in files
    assert files <= set(zipfile.ZipFile(wheel).namelist())


def test_example_in_wheel_names_its_schema(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    example = tmp_path / "oidc_auth" / "quickstart" / "oidc-auth.toml"
    directive = example.read_text("utf-8").splitlines()[0].removeprefix("#:schema ")
    assert (example.parent / directive).resolve() == tmp_path / "oidc_auth" / "config" / "oidc-auth.schema.json"


def test_wheel_has_version_of_package(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {oidc_auth.__version__}\n" in archive.read(metadata).decode()


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    builder = f"SdistBuilder({str(ROOT)!r}).build(directory={str(folder)!r})"
    build = f"from hatchling.builders.sdist import SdistBuilder; print(*{builder})"
    return Path(run_python(build).strip().splitlines()[-1])


def test_sdist_holds_what_tests_need(sdist: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    for expected in (
        "conftest.py",
        "pyproject.toml",
        "README.md",
        ".ci/run",
        "tests/kit/routes/row.py",
        "docs/generate.py",
        "examples/quickstart/oidc-auth.toml",
        "examples/react-chat/.env.example",
        "examples/react-chat/src/App.tsx",
        "oidc_auth/cli/demo_page/static/index.html",
        "docs/images/demo-refused.webp",
        "benchmarks/server.py",
        "fuzz/fuzz_tokens.py",
    ):
        assert (unpacked / expected).is_file(), expected
    # A developer may have installed and built the example.
    assert {path.name for path in (unpacked / "examples" / "react-chat").iterdir()}.isdisjoint({"node_modules", "dist"})


def test_zero_code_setup_works_from_wheel(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.chdir(tmp_path)
    assert run_python("import oidc_auth; print(oidc_auth.__file__)").startswith(str(site))
    issuer = LocalIssuer()
    (tmp_path / "run").mkdir()
    with issuer.served() as url:
        example = site / "oidc_auth" / "quickstart"
        import httpx

        with running_dev_server(example, tmp_path / "run", {"OIDC_ISSUER": url}) as server:
            sent = {"authorization": f"Bearer {issuer.token(roles=['editor'])}"}
            statuses = [httpx.post(f"{server.url}/threads", json={}, headers=h).status_code for h in ({}, sent)]
    assert statuses == [401, 200]


def demo(*options: str, columns: str = "80") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "oidc_auth.cli", "demo", *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": columns},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_demo_rows_pass() -> None:
    done = demo()
    assert "39 of 39 as expected" in done.stdout
    assert "NO " not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert len(done.stdout.splitlines()) < 70
    assert done.stderr == ""
    # Without a terminal it does not wait for anybody.
    assert done.stdout.splitlines()[-1].split() == ["next:", "oidc-auth", "init"]


def test_demo_prints_json_and_table() -> None:
    done = demo("--json")
    told = json.loads(done.stdout)
    assert (set(told), told["passed"], len(told["rows"])) == ({"rows", "passed"}, True, 39)
    assert {key for row in told["rows"] for key in row} == {
        "caller",
        "request",
        "expected",
        "got",
        "reason",
        "passed",
    }
    assert "39 of 39 as expected" in done.stderr
    assert done.stderr.splitlines()[-1].split() == ["next:", "oidc-auth", "init"]


def test_missing_cli_extra_is_named() -> None:
    code = "import sys; sys.modules['click'] = None; from oidc_auth.cli import main; main()"
    assert "pip install 'langgraph-oidc-auth[cli]'" in run_python(code)
