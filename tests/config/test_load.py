"""A configuration comes from one file, one mapping or the environment."""

from __future__ import annotations

import asyncio
import codecs
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.mapping import ISSUER, NOW, TOML, URL, authenticated, bearer, table, token, write_toml
from kit.mistakes import told

from oidc_auth import ConfigError, OIDCAuth, UpstreamError
from oidc_auth.config.load import load_environment
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.snapshots import Messages

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "oidc-auth.toml"


def refused(path: Path) -> ConfigError:
    """Return the error that a file gives."""
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_file(path)
    return caught.value


# --- files -----------------------------------------------------------------------------------------------------------


def test_toml_file_authenticates(tmp_path: Path) -> None:
    oidc = OIDCAuth.from_file(write_toml(tmp_path), fetcher=ISSUER, clock=lambda: NOW)
    assert authenticated(oidc, roles=["user"]).permissions == ["threads:read", "threads:search"]
    assert oidc.source == str(tmp_path / "oidc-auth.toml")


def test_json_file_authenticates(tmp_path: Path) -> None:
    path = write_toml(tmp_path, json.dumps({"issuer": [table()]}), "auth.json")
    assert authenticated(OIDCAuth.from_file(str(path), clock=lambda: NOW), roles=["user"]).permissions


def test_quickstart_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", URL)
    oidc = OIDCAuth.from_file(QUICKSTART, fetcher=ISSUER, clock=lambda: NOW)
    user = authenticated(oidc, roles=["viewer"], org="acme").user()
    assert (user["issuer"], user["tenant"]) == (URL, "acme")
    assert "threads:read" in user["permissions"]
    assert oidc.enforcement.webhooks == "deny"


def test_missing_file_names_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Messages
) -> None:
    monkeypatch.chdir(tmp_path)
    (problem,) = refused(Path("no-such.toml")).problems
    messages.check(told(problem), {tmp_path: "FOLDER"})


def test_folder_is_rejected_as_file(tmp_path: Path, messages: Messages) -> None:
    messages.check(refused(tmp_path).problems[0].message)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", b"[[issuer]\n"),
        ("a.toml", b"issuer = 1\nissuer = 2\n"),
        ("a.toml", b"issuer = '\xff'\n"),
        ("a.json", b"{"),
        ("a.json", b"\xff\xfe\x00"),
        ("a.json", b"[]"),
        ("a.json", b'"text"'),
        ("a.json", b"null"),
        ("a.toml", b""),
        ("a.toml", codecs.BOM_UTF8 + b"issuer = 1"),
        ("a.toml", "issuer = 1".encode("utf-16")),
        ("a.toml", codecs.BOM_UTF16_BE + "issuer = 1".encode("utf-16-be")),
        ("langgraph.json", b'{"graphs": {"agent": "./graph.py:graph"}}'),
        ("langgraph.json", b'{"graphs": {}, "auth": {"path": "oidc_auth.langgraph:auth"}}'),
    ],
)
def test_broken_file_is_one_named_problem(name: str, content: bytes, tmp_path: Path, messages: Messages) -> None:
    (tmp_path / name).write_bytes(content)
    error = refused(tmp_path / name)
    assert len(error.problems) == 1
    # The parsers of Python add their own words, which differ between versions.
    messages.check(error.problems[0].message.partition(": ")[0])
    assert str(error).startswith(f"{tmp_path / name}: 1 problem\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", codecs.BOM_UTF8),
        ("a.toml", codecs.BOM_UTF16_LE),
        ("langgraph.json", b'{"graphs": {}}'),
        (
            "a.toml",
            b"",
        ),
    ],
)
def test_wrong_file_kind_gets_hint(name: str, content: bytes, tmp_path: Path, messages: Messages) -> None:
    (tmp_path / name).write_bytes(content)
    messages.check(told(refused(tmp_path / name).problems[0]))


def test_json_may_start_with_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(codecs.BOM_UTF8 + json.dumps({"issuer": table()}).encode())
    assert OIDCAuth.from_file(tmp_path / "a.json").source.endswith("a.json")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"issuer": {"require": {"groups": "a"}, "require": {"email_verified": true}}}', ["issuer.require"]),
        ('{"issuer": [{}, {"permission_map": [{"claim": "a", "claim": "a"}]}]}', ["issuer[1].permission_map[0].claim"]),
        ('{"roles": {"a": [], "a": []}, "limits": {}, "limits": {}}', ["limits", "roles.a"]),
        ('{"issuer": {"leeway": 1, "leeway": 2}, "issuer": {}}', ["issuer"]),
    ],
)
def test_duplicate_json_key_is_reported_with_place(
    text: str, places: list[str], tmp_path: Path, messages: Messages
) -> None:
    error = refused(write_toml(tmp_path, text, "auth.json"))
    assert [problem.where for problem in error.problems] == places
    messages.check(error, {tmp_path: "FOLDER"})


def test_toml_date_is_reported_by_type(tmp_path: Path, messages: Messages) -> None:
    (problem,) = refused(write_toml(tmp_path, TOML.replace('audience = "agents"', "audience = 2026-11-24"))).problems
    assert problem.where == "issuer[0].audience"
    messages.check(problem.message)


# --- exactly one source ----------------------------------------------------------------------------------------------

LOCAL = "oidc-auth.toml"
ENV_ISSUER = {"OIDC_AUTH_ISSUER": URL, "OIDC_AUTH_AUDIENCE": "agents"}


def from_env(environ: Mapping[str, str]) -> OIDCAuth:
    return OIDCAuth.from_env(environ, fetcher=ISSUER, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("files", "environ", "source"),
    [
        ([LOCAL], {}, "{}/oidc-auth.toml"),
        ([LOCAL], {"OIDC_AUTH_CONFIG": ""}, "{}/oidc-auth.toml"),
        (["conf/a.toml"], {"OIDC_AUTH_CONFIG": "conf/a.toml"}, "{}/conf/a.toml"),
        (["conf/a.toml"], {"OIDC_AUTH_CONFIG": "{}/conf/a.toml"}, "{}/conf/a.toml"),
        ([LOCAL], {"OIDC_AUTH_CONFIG": LOCAL}, "{}/oidc-auth.toml"),
        ([LOCAL], {"OIDC_AUTH_CONFIG": "{}/oidc-auth.toml"}, "{}/oidc-auth.toml"),
        (["conf/a.toml", LOCAL], {"OIDC_AUTH_CONFIG": "conf/../oidc-auth.toml"}, "{}/oidc-auth.toml"),
        ([], ENV_ISSUER, "$OIDC_AUTH_ISSUER"),
        ([], {**ENV_ISSUER, "OIDC_AUTH_PRESET": ""}, "$OIDC_AUTH_ISSUER"),
        ([], {**ENV_ISSUER, "OIDC_AUTH_PRESET": "keycloak"}, "$OIDC_AUTH_ISSUER"),
        ([LOCAL], {"OIDC_AUTH_AUDIENCE": "agents", "OIDC_AUTH_PRESET": "keycloak"}, "{}/oidc-auth.toml"),
    ],
)
def test_single_configuration_source_is_found(
    files: list[str], environ: dict[str, str], source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in files:
        write_toml(tmp_path, name=name)
    oidc = from_env({name: value.format(tmp_path) for name, value in environ.items()})
    assert oidc.source == source.format(tmp_path)
    assert authenticated(oidc, roles=["user"], scope="threads:read").permissions == ["threads:read", "threads:search"]


def test_same_file_by_two_names_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    real = write_toml(tmp_path, name="conf/real.toml")
    (tmp_path / LOCAL).symlink_to(real)
    for name in ("conf/real.toml", LOCAL, str(real)):
        assert from_env({"OIDC_AUTH_CONFIG": name}).source == str(real)


@pytest.mark.parametrize(
    ("files", "environ", "count"),
    [
        ([LOCAL], ENV_ISSUER, 2),
        (["a.toml"], {**ENV_ISSUER, "OIDC_AUTH_CONFIG": "a.toml"}, 2),
        (["a.toml", LOCAL], {"OIDC_AUTH_CONFIG": "a.toml"}, 2),
        ([LOCAL], {"OIDC_AUTH_CONFIG": "missing.toml"}, 2),
        (["a.toml", LOCAL], {**ENV_ISSUER, "OIDC_AUTH_CONFIG": "a.toml"}, 3),
    ],
)
def test_two_configuration_sources_are_rejected(
    files: list[str], environ: dict[str, str], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in files:
        write_toml(tmp_path, name=name)
    with pytest.raises(ConfigError, match=f"{count} configurations: .*keep one") as caught:
        from_env(environ)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("environ", [{}, {"OIDC_AUTH_AUDIENCE": "agents"}, {"OIDC_AUTH_ISSUER": ""}])
def test_missing_configuration_lists_all_sources(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Messages
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        from_env(environ)
    messages.check(caught.value, {tmp_path: "FOLDER"})
    for word in ("OIDC_AUTH_CONFIG", "oidc-auth.toml", "OIDC_AUTH_ISSUER", str(tmp_path)):
        assert word in str(caught.value)


def test_missing_named_file_names_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Messages
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        from_env({"OIDC_AUTH_CONFIG": "missing.toml"})
    messages.check(caught.value, {tmp_path: "FOLDER"})


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"OIDC_AUTH_ISSUER": URL}, "issuer[0].audience"),
        ({**ENV_ISSUER, "OIDC_AUTH_PRESET": "keycloack"}, "issuer[0].preset"),
        ({**ENV_ISSUER, "OIDC_AUTH_ISSUER": "http://sso.acme.com"}, "issuer[0].issuer"),
    ],
)
def test_invalid_variable_is_reported_at_its_key(
    environ: dict[str, str], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Messages
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        from_env(environ)
    assert [problem.where for problem in caught.value.problems] == [where]
    messages.check(told(caught.value.problems[0]), {tmp_path: "FOLDER"})
    assert caught.value.source == "$OIDC_AUTH_ISSUER"


def test_issuer_variable_selects_generic_preset(tmp_path: Path) -> None:
    generic = load_environment(ENV_ISSUER, tmp_path).document.issuer[0]
    assert (generic.preset, [permission_map.claim for permission_map in generic.permission_map]) == (
        "generic",
        [["scope"], ["scp"]],
    )
    keycloak = load_environment({**ENV_ISSUER, "OIDC_AUTH_PRESET": "keycloak"}, tmp_path).document.issuer[0]
    assert (keycloak.preset, [permission_map.claim for permission_map in keycloak.permission_map]) == (
        "keycloak",
        [["scope"]],
    )


def test_process_environment_is_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OIDC_AUTH_CONFIG", raising=False)
    for name, value in ENV_ISSUER.items():
        monkeypatch.setenv(name, value)
    assert OIDCAuth.from_env().source == "$OIDC_AUTH_ISSUER"


def test_file_variables_use_given_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_toml(tmp_path, TOML.replace(URL, "https://${SSO_HOST}"))
    assert authenticated(from_env({"SSO_HOST": "issuer.test"}), roles=["user"]).issuer == URL


# --- nothing is fetched before it is needed --------------------------------------------------------------------------


def test_inline_keys_need_no_network() -> None:
    down = LocalIssuer(URL, algorithm="ES256")
    down.fault = Fault.DOWN
    oidc = OIDCAuth.from_dict({"issuer": table()}, fetcher=down, clock=lambda: NOW)
    assert authenticated(oidc, roles=["user"]).permissions
    assert down.fetched == []


def test_jwks_uri_skips_discovery() -> None:
    provider = LocalIssuer(URL, algorithm="ES256", clock=lambda: NOW)
    document = {"issuer": table(jwks=..., jwks_uri=f"{URL}/keys")}
    oidc = OIDCAuth.from_dict(document, fetcher=provider, clock=lambda: NOW)
    assert provider.fetched == []
    assert bearer(oidc, provider.token()).identity == "alice"
    assert provider.fetched == [f"{URL}/keys"]


def test_discovery_locates_keys() -> None:
    provider = LocalIssuer(URL, algorithm="ES256", clock=lambda: NOW)
    oidc = OIDCAuth.from_dict({"issuer": table(jwks=...)}, fetcher=provider, clock=lambda: NOW)
    assert bearer(oidc, provider.token()).identity == "alice"
    assert provider.fetched == [f"{URL}/.well-known/openid-configuration", f"{URL}/keys"]


def test_provider_outage_appears_at_first_token() -> None:
    down = LocalIssuer(URL, algorithm="ES256")
    down.fault = Fault.DOWN
    oidc = OIDCAuth.from_dict({"issuer": table(jwks=...)}, fetcher=down, clock=lambda: NOW)
    with pytest.raises(UpstreamError):
        bearer(oidc, token())


def test_limit_applies_to_token() -> None:
    oidc = OIDCAuth.from_dict({"issuer": table(), "limits": {"token_bytes": 100}}, clock=lambda: NOW)
    why = asyncio.run(oidc.explain_token(token()))
    assert why.refusal.startswith("token_too_long")


@pytest.mark.parametrize("algorithms", [["EdDSA"], ["Ed25519"]])
def test_eddsa_and_ed25519_are_one_algorithm(algorithms: list[str]) -> None:
    provider = LocalIssuer(URL, algorithm="EdDSA", clock=lambda: NOW)
    document = {"issuer": table(jwks=provider.key_set(), algorithms=algorithms)}
    assert bearer(OIDCAuth.from_dict(document, clock=lambda: NOW), provider.token()).identity == "alice"
