"""The installed langgraph-api is supported, or the server does not start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.mapping import table

from oidc_auth import ErrorCode, OIDCAuth
from oidc_auth.errors import ServerNotSupportedError
from oidc_auth.langgraph import authenticate_hook, protect
from oidc_auth.langgraph.server_version import OLDEST_SERVER, check_server_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph_sdk import Auth

REPOSITORY = Path(__file__).parents[2]
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))


@pytest.mark.parametrize(
    "version", ["0.10.3", "0.10.4", "0.10.10", "0.16.7", "0.18.0.dev12", "0.11.0a1", "0.10.3+patched", "1!0.1", "v0.11"]
)
def test_supported_version_is_accepted(version: str) -> None:
    check_server_version(version)


@pytest.mark.parametrize("version", ["0.7.32", "0.9.99", "0.10.2", "0.10.3rc1", "0.10.3.dev1", "", "None", "latest"])
def test_unsupported_version_is_refused(version: str) -> None:
    with pytest.raises(ServerNotSupportedError) as refusal:
        check_server_version(version)
    assert refusal.value.code is ErrorCode.SERVER_VERSION_NOT_SUPPORTED
    assert OLDEST_SERVER in refusal.value.expected
    assert version in refusal.value.found
    assert f"langgraph-api>={OLDEST_SERVER}" in refusal.value.hint


def install(site: Path, version: str) -> None:
    """Write the metadata of an installed package. An empty version is omitted."""
    metadata = site / "langgraph_api-0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    line = f"Version: {version}\n" if version else ""
    metadata.write_text(f"Metadata-Version: 2.1\nName: langgraph-api\n{line}", "utf-8")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    file = tmp_path / "oidc-auth.json"
    file.write_text(json.dumps({"issuer": table()}), "utf-8")
    return file


def load_entry_point(configuration: Path, site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Import the entry point of langgraph.json in a process that finds packages in ``site`` first."""
    code = f"import sys; sys.path[:0] = [{str(site)!r}, {str(REPOSITORY)!r}]; from oidc_auth.langgraph import auth"
    environ = {**os.environ, "OIDC_AUTH_CONFIG": str(configuration)}
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, *options, "-c", code], env=environ, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.parametrize("version", ["0.7.32", "unreadable", ""])
def test_entry_point_stops_on_unsupported_server(tmp_path: Path, configuration: Path, version: str) -> None:
    install(tmp_path / "site", version)
    ended = load_entry_point(configuration, tmp_path / "site")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"oidc_auth: {ErrorCode.SERVER_VERSION_NOT_SUPPORTED}: ")
    assert f"langgraph-api {version}" in ended.stderr


def test_entry_point_works_without_server(tmp_path: Path, configuration: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for entry in SITE_PACKAGES.iterdir():
        if not entry.name.startswith("langgraph_api"):
            (site / entry.name).symlink_to(entry)
    ended = load_entry_point(configuration, site, "-S")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("make", [protect, authenticate_hook])
def test_old_server_stops_module_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[OIDCAuth], Auth | object]
) -> None:
    install(tmp_path / "site", "0.9.0")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(ServerNotSupportedError):
        make(OIDCAuth.from_dict({"issuer": table()}))
