"""``threads:share`` and ``threads:resume``: no pattern gives them, and a configuration must fit their names."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import configured, names, table

from oidc_auth import OIDCAuth
from oidc_auth.config.load import load_mapping
from oidc_auth.permissions.names import Reach, expand
from oidc_auth.permissions.permission_maps import Right, format_rights

LITERALS = ["threads:share", "threads:resume"]
WIDE = ["*", "*@all", "*@tenant", "threads:*@all", "*:read", "*:write", "threads:write@all"]


def document(*permissions: str, resume: str = "run", accept: bool = False) -> dict[str, Any]:
    given = {"accept": list(permissions)} if accept else {"values": {"x": list(permissions)}}
    return {
        "issuer": table(permission_map=[{"claim": "roles", **given}], tenant="org"),
        "langgraph": {"resume": resume},
    }


@pytest.mark.parametrize("permission", WIDE)
def test_pattern_gives_no_literal_permission(permission: str) -> None:
    oidc = configured({"claim": "roles", "values": {"x": [permission]}}, tenant="org")
    assert not set(LITERALS) & {name.partition("@")[0] for name in names(oidc, roles=["x"], org="acme")}
    assert not oidc.enforcement.sharing


@pytest.mark.parametrize("name", LITERALS)
def test_token_cannot_name_literal_permission(name: str) -> None:
    oidc = configured({"claim": "scope", "accept": ["*"]})
    assert names(oidc, scope=f"{name} threads:search") == ["threads:search"]


@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("suffix", ["", "@tenant", "@all"])
def test_named_permission_turns_sharing_on(suffix: str, *, accept: bool) -> None:
    assert OIDCAuth.from_dict(document(f"threads:share{suffix}", accept=accept)).enforcement.sharing
    assert not OIDCAuth.from_dict(document(f"threads:resume{suffix}", accept=accept)).enforcement.sharing


def test_role_turns_sharing_on() -> None:
    roles = {"lead": ["threads:write", "threads:share@tenant"], "boss": ["lead"]}
    assert OIDCAuth.from_dict({**document("boss"), "roles": roles}).enforcement.sharing


def test_resume_setting_reaches_enforcement() -> None:
    found = [OIDCAuth.from_dict(document("*", resume=value)).enforcement.resume for value in ("run", "other")]
    assert (found, OIDCAuth.from_dict({"issuer": table()}).enforcement.resume) == (["run", "other"], "run")


@pytest.mark.parametrize(
    ("resume", "permissions", "count"),
    [
        ("run", ["*"], 0),
        ("run", ["threads:share"], 0),
        ("run", ["threads:resume"], 1),
        ("run", ["threads:resume@tenant"], 1),
        ("permission", ["threads:resume@tenant"], 0),
        ("permission", ["*@all"], 1),
        ("other", ["threads:resume", "threads:share"], 0),
        ("other", ["threads:resume"], 1),
        ("other", ["threads:share"], 1),
        ("other", ["*"], 2),
        ("other", ["threads:resume@all", "threads:share"], 1),
        ("other", ["threads:resume@tenant", "threads:resume@all", "threads:share"], 1),
    ],
)
def test_unfit_permissions_are_warned(resume: str, permissions: list[str], count: int) -> None:
    assert len(load_mapping(document(*permissions, resume=resume)).warnings) == count


def test_text_lists_literals_beside_patterns() -> None:
    rights = [Right(name, Reach.ALL) for name in (*expand("*"), "threads:share")]
    assert format_rights(rights) == "*@all, threads:share@all"
    threads = [right for right in rights if right.name.startswith("threads:")]
    assert format_rights(threads) == "threads:*@all, threads:share@all"
