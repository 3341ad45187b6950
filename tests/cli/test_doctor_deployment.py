"""``oidc-auth doctor``: checks of langgraph.json and of packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.doctor import JWK, examined, run_doctor, text, write_configuration

import oidc_auth
from oidc_auth.cli.doctor import CHECKS

if TYPE_CHECKING:
    from kit.snapshots import Messages

WHEEL = "langgraph_oidc_auth-0.1.0-py3-none-any.whl"

GOOD: dict[str, Any] = {
    "dependencies": [".", "langgraph-oidc-auth"],
    "graphs": {"agent": "./graph.py:graph"},
    "auth": {"path": "oidc_auth.langgraph:auth", "disable_studio_auth": True},
    "http": {
        "app": "./web.py:app",
        "enable_custom_route_auth": True,
        "cors": {
            "allow_origins": ["*"],
            "allow_methods": ["*"],
            "allow_headers": ["*"],
            "expose_headers": ["www-authenticate"],
        },
        "mount_prefix": "/agents",
    },
}


def deployment(folder: Path, document: object) -> dict[str, dict[str, Any]]:
    (folder / "langgraph.json").write_text(json.dumps(document), "utf-8")
    return examined(write_configuration(folder, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}"))


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
    entry = examined(write_configuration(tmp_path, "https://unknown.invalid", more))["token-not-copied"]
    assert (entry["status"], "x-proxy-token" in text(entry)) == (status, status == "error")


def test_missing_langgraph_json_is_skipped(tmp_path: Path) -> None:
    checks = examined(write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}"))
    assert {checks[name]["status"] for name in OF_DEPLOYMENT} == {"skipped"}


@pytest.mark.parametrize(
    ("check", "change", "status"),
    [
        ("auth-hook-configured", {"auth": {}}, "error"),
        ("auth-hook-configured", {"auth": {"path": "./mine.py:auth"}}, "error"),
        ("studio-disabled", {"auth": {"path": "x"}}, "warning"),
        ("studio-disabled", {"auth": {"disable_studio_auth": "true"}}, "warning"),
        ("langsmith-keys", {"auth": {"allow_langsmith_api_keys": True}}, "error"),
        ("mount-prefix", {"http": {"mount_prefix": "/ui"}}, "error"),
        ("mount-prefix", {"http": {"mount_prefix": "/uix/a"}}, "error"),
        ("custom-routes", {"http": {"app": "./web.py:app"}}, "error"),
        ("custom-routes", {"http": {}}, "skipped"),
        ("token-not-copied", {"http": {"configurable_headers": {"includes": ["*"]}}}, "error"),
        ("token-not-copied", {"http": {"configurable_headers": {"include": ["auth*"]}}}, "error"),
        ("token-not-copied", {"http": {"logging_headers": {"includes": ["cookie"]}}}, "error"),
        ("token-not-copied", {"http": {"configurable_headers": {"includes": ["x-*"]}}}, "ok"),
        (
            "token-not-copied",
            {"http": {"configurable_headers": {"includes": ["*"], "excludes": ["*auth*", "cookie"]}}},
            "ok",
        ),
        ("configuration-found", {"env": {"OIDC_AUTH_CONFIG": "other.toml"}}, "error"),
        ("configuration-found", {"env": {"OIDC_AUTH_CONFIG": "./oidc-auth.toml"}}, "ok"),
        ("configuration-found", {"env": ".env"}, "ok"),
        ("configuration-included", {"dependencies": ["./src", "langchain"]}, "warning"),
        ("configuration-included", {"dependencies": []}, "warning"),
        ("library-included", {"dependencies": ["."]}, "warning"),
        ("library-included", {"dependencies": [".", f"./{WHEEL}"]}, "warning"),
        (
            "library-included",
            {"dependencies": ["."], "dockerfile_lines": ["RUN pip install langgraph-oidc-auth"]},
            "ok",
        ),
        (
            "library-included",
            {"dependencies": ["."], "dockerfile_lines": [f"ADD {WHEEL} /tmp/", f"RUN pip install /tmp/{WHEEL}"]},
            "ok",
        ),
        ("challenge-exposed", {"http": {}}, "info"),
        ("challenge-exposed", {"http": {"cors": {"expose_headers": ["x"]}}}, "warning"),
    ],
)
def test_langgraph_json_mistake_is_named(
    tmp_path: Path, check: str, change: dict[str, Any], status: str, messages: Messages
) -> None:
    entry = deployment(tmp_path, {**GOOD, **change})[check]
    assert entry["status"] == status
    messages.check(text(entry), {tmp_path: "FOLDER"})


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "setup.cfg", "setup.py"])
@pytest.mark.parametrize("library", ["langgraph-oidc-auth[redis]>=0.1", "Langgraph_OIDC_Auth", "langgraph-auth"])
def test_library_is_found_in_folder_requirements(tmp_path: Path, name: str, library: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / name).write_text(f"httpx\n{library}\n", "utf-8")
    entry = deployment(tmp_path, {**GOOD, "dependencies": [".", "./src"]})["library-included"]
    assert entry["status"] == ("warning" if library == "langgraph-auth" else "ok")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"./{WHEEL}", "warning"),
        (f"langgraph-oidc-auth @ file:{WHEEL}", "warning"),
        (f"https://wheels.example.com/{WHEEL}", "ok"),
        (f"langgraph-oidc-auth  # not {WHEEL}", "ok"),
        ("langgraph-oidc-auth\n./other-1.0-py3-none-any.whl", "ok"),
    ],
)
def test_wheel_path_in_requirements_is_named(tmp_path: Path, line: str, status: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"httpx\n{line}\n", "utf-8")
    assert deployment(tmp_path, {**GOOD, "dependencies": ["."]})["library-included"]["status"] == status


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
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}").rename(
        tmp_path / "acme.toml"
    )
    assert examined(file)["configuration-found"]["status"] == status


def test_configuration_in_environment_needs_no_file(tmp_path: Path) -> None:
    settings = {"OIDC_AUTH_ISSUER": "http://127.0.0.1:9", "OIDC_AUTH_AUDIENCE": "agents"}
    (tmp_path / "langgraph.json").write_text(json.dumps({**GOOD, "env": settings}), "utf-8")
    done = run_doctor("--langgraph-json", str(tmp_path / "langgraph.json"), "--json")
    checks = {check["id"]: check["status"] for check in json.loads(done.output)["checks"]}
    names = ("configuration", "configuration-found", "configuration-included")
    assert [checks[name] for name in names] == ["ok", "skipped", "skipped"]


@pytest.mark.parametrize("content", ["no json", "[]"])
def test_invalid_langgraph_json_is_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content, "utf-8")
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    checks = examined(file, "--langgraph-json", str(tmp_path / "other.json"))
    assert (checks["auth-hook-configured"]["status"], checks["mount-prefix"]["status"]) == ("error", "skipped")


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
    entry = examined(write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}"))[
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
    """Run doctor in a separate process, with a folder of distributions before the others."""
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
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    entry = examined_in(environment, file)
    assert (entry["status"], entry["exit"]) == ("error", 1)
    assert "pip uninstall drf-oidc-auth" in text(entry)


def test_this_library_alone_owns_its_import_name(environment: Path, tmp_path: Path) -> None:
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    entry = examined_in(environment, file)
    assert (entry["status"], entry["exit"]) == ("ok", 0)


def test_table_shows_findings_and_hints(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text(json.dumps({**GOOD, "auth": {}}), "utf-8")
    shown = run_doctor(str(write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")))
    assert shown.exit_code == 1
    assert all(check.id in shown.output for check in CHECKS)
    assert '-> Set "auth"' in shown.output


def test_each_check_has_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")
    for check in CHECKS:
        assert len(check.documentation) > 50
        assert f"\n## {check.id}\n" in page
    assert len({check.id for check in CHECKS}) == len(CHECKS) == 33
