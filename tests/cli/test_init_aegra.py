"""``oidc-auth init --server aegra``: its files are valid for Aegra."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from cli.test_init import OPTIONS
from kit.command_runner import error_of, run

from oidc_auth.aegra.unsupported import find_unsupported
from oidc_auth.config.load import load_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def init(folder: Path, provider: str = "generic", *more: str) -> Result:
    return run("init", provider, *OPTIONS[provider], "--server", "aegra", "--dir", str(folder), *more)


def read(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "aegra.json").read_text("utf-8"))
    return document


@pytest.mark.parametrize("provider", OPTIONS)
def test_aegra_can_enforce_new_configuration(tmp_path: Path, provider: str) -> None:
    assert init(tmp_path, provider).exit_code == 0
    text = (tmp_path / "oidc-auth.toml").read_text("utf-8")
    assert [*find_unsupported(load_mapping(tomllib.loads(text)).document)] == []
    assert "@all" not in text
    assert "@tenant" not in text


def test_new_folder_gets_files_of_aegra(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "aegra.json",
        "graph.py",
        "oidc-auth.toml",
        "requirements.txt",
    }
    assert read(tmp_path)["auth"] == {"path": "oidc_auth.aegra:auth"}
    assert "aegra-api" in (tmp_path / "requirements.txt").read_text("utf-8")
    assert "uvicorn aegra_api.main:app" in done.output


def test_existing_settings_stay(tmp_path: Path) -> None:
    (tmp_path / "aegra.json").write_text('{"graphs": {"mine": "./mine.py:graph"}, "store": {}}', "utf-8")
    (tmp_path / "langgraph.json").write_text("{}", "utf-8")
    assert init(tmp_path).exit_code == 0
    assert (read(tmp_path)["graphs"], read(tmp_path)["store"]) == ({"mine": "./mine.py:graph"}, {})
    assert (tmp_path / "langgraph.json").read_text("utf-8") == "{}"


@pytest.mark.parametrize("path", ["./auth.py:auth", "oidc_auth.langgraph:auth"])
def test_other_hook_is_not_replaced(tmp_path: Path, path: str) -> None:
    (tmp_path / "aegra.json").write_text(json.dumps({"graphs": {}, "auth": {"path": path}}), "utf-8")
    done = init(tmp_path, "generic", "--force")
    assert (done.exit_code, path in error_of(done)) == (1, True)
    assert read(tmp_path)["auth"] == {"path": path}


def test_web_application_is_refused(tmp_path: Path) -> None:
    done = init(tmp_path, "generic", "--public-url", "https://agents.acme.com")
    assert done.exit_code == 2
    assert [*tmp_path.iterdir()] == []
