"""A server does not start with a broken configuration, as published advisories describe.

The advisories (2022 to 2026) are about other libraries. Attacks that other modules contain are not repeated here.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.server_entry import ConfigurationExit, server_auth

if TYPE_CHECKING:
    from pathlib import Path


BROKEN: dict[str, str | None] = {
    "no configuration": None,
    "an empty file": "",
    "no TOML": "[[issuer",
    "no issuer": "[limits]\ntoken_bytes = 9",
    "no audience": '[[issuer]]\npreset = "generic"\nissuer = "https://issuer.test"',
    "a shared secret": '[[issuer]]\npreset = "generic"\nissuer = "https://issuer.test"\naudience = "a"\n'
    'algorithms = ["HS256"]',
}


@pytest.mark.parametrize("toml", BROKEN.values(), ids=BROKEN.keys())
def test_broken_configuration_stops_server(toml: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server logged the import error and served all requests as "anonymous". svelte-langgraph#302 (Aegra).

    Aegra catches ``Exception``; what ends it must not be one.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("OIDC_AUTH_CONFIG", "OIDC_AUTH_ISSUER", "OIDC_AUTH_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    if toml is not None:
        (tmp_path / "oidc-auth.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationExit) as stop:
        server_auth()
    assert isinstance(stop.value, SystemExit)
    assert not isinstance(stop.value, Exception)
    assert str(stop.value.code).startswith("oidc_auth: ")


def test_swallowed_error_still_stops_server(tmp_path: Path) -> None:
    """A process like Aegra imports the module, logs any error and goes on."""
    swallowing = (
        "import importlib\n"
        "try:\n"
        "    auth = getattr(importlib.import_module('oidc_auth.langgraph'), 'auth')\n"
        "except Exception as error:\n"
        "    print('serving all requests', error)\n"
    )
    environment = {"PATH": "", "OIDC_AUTH_CONFIG": str(tmp_path / "missing.toml")}
    ended = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", swallowing], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "missing.toml" in ended.stderr


def test_unexpected_error_stops_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any error at the start must stop the server, not only a wrong configuration. svelte-langgraph#302 (Aegra)."""

    def broken(*arguments: object, **options: object) -> OIDCAuth:
        raise RuntimeError(arguments, options)

    monkeypatch.setattr(OIDCAuth, "from_env", broken)
    with pytest.raises(ConfigurationExit):
        server_auth()
