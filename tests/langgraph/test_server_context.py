"""The names in langgraph-api that the reset of a connection's user needs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from kit.sample_users import configuration_for, user_token
from kit.uvicorn_server import environment

from oidc_auth import ErrorCode, OIDCAuth
from oidc_auth.errors import ServerNotSupportedError
from oidc_auth.langgraph import authenticate_hook, protect
from oidc_auth.langgraph.http_errors import HTTP_EXCEPTIONS
from oidc_auth.langgraph.server_context import LOADED, prepare_server

if TYPE_CHECKING:
    from pathlib import Path

    from kit.server import Server

    from oidc_auth.testing import LocalIssuer

NAMES = [
    ("langgraph_api.utils", "AuthContext"),
    ("langgraph_api.logging", "worker_config"),
    ("langgraph_api.auth.custom", "CustomAuthBackend"),
]


def test_server_uses_pinned_variables(server: Server) -> None:
    from langgraph_api.logging import set_logging_context
    from langgraph_api.utils import get_auth_ctx, set_auth_ctx

    def write() -> None:
        context = prepare_server()
        assert context is not None
        set_auth_ctx(None, ["threads:read"])
        set_logging_context({"method": "GET"})
        assert context.user.get() is get_auth_ctx() is not None
        assert context.log.get() == {"method": "GET"}

    copy_context().run(write)


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_server_without_variable_does_not_start(tmp_path: Path, issuer: LocalIssuer, module: str, name: str) -> None:
    (tmp_path / "renamed.py").write_text(
        f"import {module}\ndel {module}.{name}\nfrom oidc_auth.langgraph import auth\n", "utf-8"
    )
    environ = environment(tmp_path, issuer, "renamed:auth")
    ended = subprocess.run(
        [sys.executable, "-c", "import langgraph_api.server"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 1
    assert f"{ErrorCode.SERVER_NOT_COMPATIBLE}: " in ended.stderr
    assert f"{module}.{name}" in ended.stderr


def hook_made_before_server(monkeypatch: pytest.MonkeyPatch, issuer: LocalIssuer) -> Any:
    with monkeypatch.context() as unloaded:
        for name in LOADED:
            unloaded.delitem(sys.modules, name)
        return authenticate_hook(OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer))


def test_server_loaded_later_is_reset(server: Server, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    from langgraph_api.utils import get_auth_ctx, set_auth_ctx

    hook = hook_made_before_server(monkeypatch, issuer)
    headers = {b"authorization": f"Bearer {user_token(issuer, 'bob', 'editor')}".encode()}

    async def authenticate() -> object:
        set_auth_ctx(None, ["threads:read"])
        assert (await hook(headers=headers))["identity"] == "bob"
        return get_auth_ctx()

    assert asyncio.run(authenticate()) is None


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_server_loaded_later_without_variable_is_refused(
    server: Server,
    issuer: LocalIssuer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    module: str,
    name: str,
) -> None:
    hook = hook_made_before_server(monkeypatch, issuer)
    monkeypatch.delattr(f"{module}.{name}")
    headers = {b"authorization": f"Bearer {user_token(issuer, 'bob', 'editor')}".encode()}
    with pytest.raises(HTTP_EXCEPTIONS) as refusal:
        asyncio.run(hook(headers=headers))
    assert getattr(refusal.value, "status_code", None) == 403
    assert ErrorCode.SERVER_NOT_COMPATIBLE in caplog.text


def test_module_of_renamed_server_does_not_load(
    server: Server, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("langgraph_api.utils.AuthContext")
    with pytest.raises(ServerNotSupportedError) as refusal:
        protect(configuration_for(issuer))
    assert refusal.value.code is ErrorCode.SERVER_NOT_COMPATIBLE
