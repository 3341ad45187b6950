"""The entry point, and settings that Aegra cannot enforce. No test here needs Aegra."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from aegra.conftest import configuration_for
from aegra.server import write_configuration
from langgraph_sdk import Auth

import oidc_auth.aegra
from oidc_auth import ConfigError, OIDCAuth, TokenError
from oidc_auth.aegra.protect import protect
from oidc_auth.aegra.server_entry import AegraOIDCAuth
from oidc_auth.langgraph import authenticate_hook
from oidc_auth.missing_names import watch_imports

if TYPE_CHECKING:
    from pathlib import Path

    from kit.snapshots import Messages

    from oidc_auth.testing import LocalIssuer

READER = {"claim": "roles", "values": {"reader": ["threads:read@all"]}}
SCOPES = {"claim": "scope", "accept": ["threads:read", "threads:read@tenant"]}
UNSUPPORTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "tenant in role": ({"roles": {"a": ["*@tenant"], "b": ["threads:read"]}}, ["roles.a"]),
    "all in role": ({"roles": {"a": ["threads:read", "store:read@all"]}}, ["roles.a"]),
    "both in roles": ({"roles": {"a": ["*@tenant"], "b": ["*@all"]}}, ["roles.a", "roles.b"]),
    "all in values": ({"map": READER}, ["issuer[0].permission_map[0].values.reader"]),
    "tenant in accept": ({"map": SCOPES}, ["issuer[0].permission_map[0].accept"]),
    "sharing": ({"roles": {"a": ["threads:share"]}}, ["roles.a"]),
    "sharing in tenant": ({"roles": {"a": ["threads:share@tenant"]}}, ["roles.a"]),
    "approvals in role": (
        {"roles": {"a": ["threads:resume"]}, "langgraph": {"resume": "permission"}},
        ["roles.a", "langgraph.resume"],
    ),
    "approvals by others": ({"langgraph": {"resume": "other"}}, ["langgraph.resume"]),
    "age of crons": ({"langgraph": {"cron_max_age": 60}}, ["langgraph.cron_max_age"]),
    "streams": ({"web": {"public_url": "https://a.test", "stream_expiry": "close"}}, ["web.stream_expiry"]),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_setting_is_an_error(issuer: LocalIssuer, messages: Messages, name: str) -> None:
    tables, places = UNSUPPORTED[name]
    document = configuration_for(issuer)
    roles, maps = tables.get("roles", {}), tables.get("map")
    document["roles"] |= roles
    document["issuer"]["permission_map"] = maps or {"claim": "roles", "values": {role: [role] for role in roles}}
    document |= {key: table for key, table in tables.items() if key in ("langgraph", "web")}
    with pytest.raises(ConfigError) as refused:
        protect(OIDCAuth.from_dict(document, fetcher=issuer))
    assert [problem.where for problem in refused.value.problems] == places
    for problem in refused.value.problems:
        messages.check(str(problem))


def test_other_settings_are_supported(issuer: LocalIssuer) -> None:
    settings = {"crons": "deny", "webhooks": "deny", "max_delay": 0, "studio": "deny"}
    document = configuration_for(issuer, langgraph=settings, web={"public_url": "https://a.test"})
    auth = protect(OIDCAuth.from_dict(document, fetcher=issuer))
    assert isinstance(auth, Auth)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory of a server. The entry has no object yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OIDC_AUTH_CONFIG", raising=False)
    monkeypatch.delitem(vars(oidc_auth.aegra), "auth", raising=False)
    return tmp_path


def test_entry_is_an_auth_object(folder: Path, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_AUTH_CONFIG", "oidc-auth.json")
    write_configuration(folder, configuration_for(issuer))
    assert isinstance(oidc_auth.aegra.auth, Auth)
    assert oidc_auth.aegra.auth is oidc_auth.aegra.auth


@pytest.mark.parametrize("text", [None, "[[issuer]\n", "[[issuer]]\nisuer = 'x'\n", "[roles]\na = ['*@all']\n"])
def test_broken_configuration_is_no_exception(folder: Path, text: str | None) -> None:
    if text is not None:
        (folder / "oidc-auth.toml").write_text(text, "utf-8")
    # Aegra catches each Exception, and then treats all users as anonymous.
    with pytest.raises(SystemExit) as ended:
        _ = oidc_auth.aegra.auth
    assert "oidc_auth: " in str(ended.value)
    assert "auth" not in vars(oidc_auth.aegra)


def test_missing_package_is_no_exception(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "oidc_auth.aegra.server_entry", raising=False)
    monkeypatch.setitem(sys.modules, "oidc_auth.aegra.protect", None)
    with pytest.raises(SystemExit):
        _ = oidc_auth.aegra.auth


WRONG_NAMES = [
    ("oidc_auth", "auth"),
    ("oidc_auth.aegra", "auht"),
    ("oidc_auth.aegra", "_auth"),
    ("oidc_auth.langgraph", "app"),
    ("oidc_auth.web", "auth"),
]


@pytest.fixture
def in_aegra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process look like Aegra before it loaded its hook."""
    del folder
    monkeypatch.setitem(sys.modules, "aegra_api", ModuleType("aegra_api"))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])


@pytest.mark.parametrize(("module", "name"), WRONG_NAMES)
def test_misspelt_name_is_no_exception_in_aegra(in_aegra: None, module: str, name: str) -> None:
    del in_aegra
    loaded = import_module(module)
    with pytest.raises(SystemExit) as ended:
        getattr(loaded, name)
    assert "oidc_auth.aegra:auth" in str(ended.value)
    # The import system and other tools ask for such names.
    assert not hasattr(loaded, "__wrapped__")


@pytest.mark.parametrize(("module", "name"), WRONG_NAMES)
def test_misspelt_name_is_an_exception_elsewhere(folder: Path, module: str, name: str) -> None:
    del folder
    with pytest.raises(AttributeError):
        getattr(import_module(module), name)


def test_loaded_entry_allows_questions_for_names(in_aegra: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool such as pickle asks each module for a name. Aegra does not load its hook again."""
    del in_aegra
    monkeypatch.setitem(vars(oidc_auth.aegra), "auth", Auth())
    assert not any(hasattr(import_module(module), name) for module, name in WRONG_NAMES)


def test_missing_module_is_no_exception_in_aegra(in_aegra: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del in_aegra
    watch_imports("oidc_auth")
    with pytest.raises(SystemExit):
        import_module("oidc_auth.agra")
    with pytest.raises(ImportError):
        import_module("oidc_auth_aegra")
    monkeypatch.setitem(vars(oidc_auth.aegra), "auth", Auth())
    with pytest.raises(ImportError):
        import_module("oidc_auth.agra")


def test_imports_are_watched_in_aegra_only() -> None:
    before = [*sys.meta_path]
    watch_imports("oidc_auth")
    assert sys.meta_path == before


def test_star_is_an_identity_on_aegra_only(issuer: LocalIssuer) -> None:
    headers = {"authorization": f"Bearer {issuer.token('*', org='acme')}"}
    document = configuration_for(issuer)
    caller = asyncio.run(AegraOIDCAuth.from_dict(document, fetcher=issuer).authenticate(headers))
    assert caller.identity == "*"
    with pytest.raises(TokenError) as refused:
        asyncio.run(OIDCAuth.from_dict(document, fetcher=issuer).authenticate(headers))
    assert refused.value.code == "identity_invalid"


@pytest.mark.parametrize("identity", ["system", "anonymous"])
def test_owners_of_aegra_are_no_identities(issuer: LocalIssuer, identity: str) -> None:
    headers = {"authorization": f"Bearer {issuer.token(identity, org='acme')}"}
    oidc = AegraOIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer)
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate(headers))
    assert refused.value.code == "identity_invalid"


def test_hook_of_langgraph_servers_refuses_on_aegra(issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    hook: Any = authenticate_hook(OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer))
    headers = {"authorization": f"Bearer {issuer.token('alice', roles=['editor'], org='acme')}"}
    assert asyncio.run(hook(headers))["identity"] == "alice"
    monkeypatch.setitem(sys.modules, "aegra_api.main", ModuleType("aegra_api.main"))
    with pytest.raises(Auth.exceptions.HTTPException) as refused:
        asyncio.run(hook(headers))
    assert "oidc_auth.aegra:auth" in refused.value.detail
