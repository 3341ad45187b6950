"""Where a configuration comes from: a file, a mapping, the environment; exactly one of them, and nothing is fetched."""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import ISSUER, NOW, URL, USERS, authenticated, bearer, configured, table, token
from kit.messages import UNREADABLE_FILE

from oidc_auth import ConfigError, OIDCAuth, UpstreamError, presets
from oidc_auth.config.load import load_environment, load_file, load_mapping
from oidc_auth.config.schema import IssuerTable
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Mapping

TOML = f"""
[[issuer]]
issuer = "{URL}"
audience = "agents"
[[issuer.permission_map]]
claim = "roles"
values = {{ user = ["threads:read"] }}
"""
GUID = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"
QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "oidc-auth.toml"


def written(folder: Path, text: str = TOML, name: str = "oidc-auth.toml") -> Path:
    """Write a configuration into a folder."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path) -> ConfigError:
    """Return the error that a file gives."""
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_file(path)
    return caught.value


# --- files -----------------------------------------------------------------------------------------------------------


def test_toml_file_authenticates(tmp_path: Path) -> None:
    oidc = OIDCAuth.from_file(written(tmp_path), fetcher=ISSUER, clock=lambda: NOW)
    assert authenticated(oidc, roles=["user"]).permissions == ["threads:read", "threads:search"]
    assert oidc.source == str(tmp_path / "oidc-auth.toml")


def test_json_file_authenticates(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"issuer": [table()]}), "auth.json")
    assert authenticated(OIDCAuth.from_file(str(path), clock=lambda: NOW), roles=["user"]).permissions


def test_quickstart_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", URL)
    oidc = OIDCAuth.from_file(QUICKSTART, fetcher=ISSUER, clock=lambda: NOW)
    user = authenticated(oidc, roles=["viewer"], org="acme").user()
    assert (user["issuer"], user["tenant"]) == (URL, "acme")
    assert "threads:read" in user["permissions"]
    assert oidc.enforcement.webhooks == "deny"


def test_missing_file_names_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (problem,) = refused(Path("no-such.toml")).problems
    assert problem.message == "cannot be read: No such file or directory"
    assert str(tmp_path) in problem.hint


def test_folder_is_rejected_as_file(tmp_path: Path) -> None:
    assert UNREADABLE_FILE in refused(tmp_path).problems[0].message


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", b"[[issuer]\n", "cannot be parsed"),
        ("a.toml", b"issuer = 1\nissuer = 2\n", "cannot be parsed"),
        ("a.toml", b"issuer = '\xff'\n", "cannot be parsed"),
        ("a.json", b"{", "cannot be parsed"),
        ("a.json", b"\xff\xfe\x00", "cannot be parsed"),
        ("a.json", b"[]", "is not a table"),
        ("a.json", b'"text"', "is not a table"),
        ("a.json", b"null", "is not a table"),
        ("a.toml", b"", "is missing"),
        ("a.toml", codecs.BOM_UTF8 + b"issuer = 1", "begins with a byte order mark"),
        ("a.toml", "issuer = 1".encode("utf-16"), "it is UTF-16"),
        ("a.toml", codecs.BOM_UTF16_BE + "issuer = 1".encode("utf-16-be"), "it is UTF-16"),
        ("langgraph.json", b'{"graphs": {"agent": "./graph.py:graph"}}', "this is langgraph.json"),
        ("langgraph.json", b'{"graphs": {}, "auth": {"path": "oidc_auth.langgraph:auth"}}', "this is langgraph.json"),
    ],
)
def test_broken_file_is_one_named_problem(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    error = refused(tmp_path / name)
    assert len(error.problems) == 1
    assert says in error.problems[0].message
    assert str(error).startswith(f"{tmp_path / name}: 1 problem\n")


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("a.toml", codecs.BOM_UTF8, "save it as UTF-8 without one"),
        ("a.toml", codecs.BOM_UTF16_LE, "save it as UTF-8"),
        ("langgraph.json", b'{"graphs": {}}', "name the file with [[issuer]], such as oidc-auth.toml"),
        (
            "a.toml",
            b"",
            "add an [[issuer]] table with a preset and an audience; 'oidc-auth init PROVIDER' writes",
        ),
    ],
)
def test_wrong_file_kind_gets_hint(name: str, content: bytes, hint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert hint in refused(tmp_path / name).problems[0].hint


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
def test_duplicate_json_key_is_reported_with_place(text: str, places: list[str], tmp_path: Path) -> None:
    error = refused(written(tmp_path, text, "auth.json"))
    assert [(problem.where, problem.message) for problem in error.problems] == [
        (place, "is given twice") for place in places
    ]
    assert str(tmp_path) in str(error)


def test_toml_date_is_reported_by_type(tmp_path: Path) -> None:
    (problem,) = refused(written(tmp_path, TOML.replace('audience = "agents"', "audience = 2026-11-24"))).problems
    assert problem.where == "issuer[0].audience"
    assert problem.message == "should be a string, or a list of strings; found date"


# --- environment variables in values ---------------------------------------------------------------------------------


def test_variable_replaces_value_or_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "issuer.test")
    monkeypatch.setenv("ROLE", "user")
    oidc = configured({"claim": "${ROLE}s", "values": {"user": ["threads:read"]}}, issuer="https://${HOST}")
    assert authenticated(oidc, users=["user"]).permissions == ["threads:read", "threads:search"]


def test_variables_are_replaced_once_in_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "${B}")
    monkeypatch.setenv("B", "never")
    oidc = configured(
        {"claim": "roles", "values": {"${B}": ["threads:read"]}}, audience=["${A}", "x${A}y", "$A", "${a-b}"]
    )
    for audience in ("${B}", "x${B}y", "$A", "${a-b}"):
        assert authenticated(oidc, aud=audience, roles=["${B}"]).permissions == ["threads:read", "threads:search"]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"audience": "${NO_SUCH}"}, ["issuer[0].audience[0]"]),
        ({"audience": ["a", "x-${NO_SUCH}"]}, ["issuer[0].audience[1]"]),
        (
            {"require": {"a": ["${NO_SUCH}"]}, "claims": ["${NO_SUCH}x"]},
            ["issuer[0].claims[0]", "issuer[0].require.a[0]"],
        ),
        ({"identity_prefix": "${NO_SUCH}${NO_SUCH_2}"}, ["issuer[0].identity_prefix"] * 2),
    ],
)
def test_unset_variable_is_reported_at_its_place(changes: dict[str, Any], places: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": [table(**changes)]})
    assert sorted(problem.where for problem in caught.value.problems) == places
    for problem in caught.value.problems:
        assert problem.message.startswith("the environment has no variable NO_SUCH")
        assert problem.hint.startswith("set NO_SUCH")


def test_empty_variable_is_valid() -> None:
    environ = {"PREFIX": ""}
    loaded = load_mapping({"issuer": table(identity_prefix="${PREFIX}x:")}, environ=environ)
    assert loaded.document.issuer[0].identity_prefix == "x:"


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
        written(tmp_path, name=name)
    oidc = from_env({name: value.format(tmp_path) for name, value in environ.items()})
    assert oidc.source == source.format(tmp_path)
    assert authenticated(oidc, roles=["user"], scope="threads:read").permissions == ["threads:read", "threads:search"]


def test_same_file_by_two_names_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    real = written(tmp_path, name="conf/real.toml")
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
        written(tmp_path, name=name)
    with pytest.raises(ConfigError, match=f"{count} configurations: .*keep one") as caught:
        from_env(environ)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("environ", [{}, {"OIDC_AUTH_AUDIENCE": "agents"}, {"OIDC_AUTH_ISSUER": ""}])
def test_missing_configuration_lists_all_sources(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no configuration") as caught:
        from_env(environ)
    for word in ("OIDC_AUTH_CONFIG", "oidc-auth.toml", "OIDC_AUTH_ISSUER", str(tmp_path)):
        assert word in str(caught.value)


def test_missing_named_file_names_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=UNREADABLE_FILE) as caught:
        from_env({"OIDC_AUTH_CONFIG": "missing.toml"})
    assert f"the working directory is {tmp_path}" in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "where", "says"),
    [
        ({"OIDC_AUTH_ISSUER": URL}, "issuer[0].audience", "is missing"),
        ({**ENV_ISSUER, "OIDC_AUTH_PRESET": "keycloack"}, "issuer[0].preset", "unknown preset"),
        ({**ENV_ISSUER, "OIDC_AUTH_ISSUER": "http://sso.acme.com"}, "issuer[0].issuer", "use https"),
    ],
)
def test_invalid_variable_is_reported_at_its_key(
    environ: dict[str, str], where: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        from_env(environ)
    assert [problem.where for problem in caught.value.problems] == [where]
    assert says in caught.value.problems[0].message
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
    written(tmp_path, TOML.replace(URL, "https://${SSO_HOST}"))
    assert authenticated(from_env({"SSO_HOST": "issuer.test"}), roles=["user"]).issuer == URL


# --- one shape for each value ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("single", "listed"),
    [
        ({"audience": "agents"}, {"audience": ["agents"]}),
        ({"algorithms": "ES256"}, {"algorithms": ["ES256"]}),
        ({"allowed_clients": "spa"}, {"allowed_clients": ["spa"]}),
        ({"require": {"a.b": "*"}}, {"require": {"a.b": ["*"]}}),
        ({"require": {"a": 7, "b": [True, 1.5]}}, {"require": {"a": ["7"], "b": ["true", "1.5"]}}),
        ({"claims": "a.b"}, {"claims": [["a", "b"]]}),
        ({"identity": "oid"}, {"identity": [{"claim": ["oid"], "prefix": ""}]}),
        ({"identity": {"claim": "oid"}}, {"identity": [{"claim": ["oid"]}]}),
        ({"identity": ["oid"]}, {"identity": [{"claim": ["oid"]}]}),
        ({"tenant": "a.b"}, {"tenant": {"claim": ["a", "b"], "object_keys": False}}),
        ({"tenant": ["a", "b"]}, {"tenant": {"claim": "a.b"}}),
        ({"display_name": "a.b"}, {"display_name": ["a", "b"]}),
        ({"require": {"a": "b"}}, {"require": {"a": ["b"]}}),
        ({"client_claim": {"claim": "c", "values": "x"}}, {"client_claim": {"claim": ["c"], "values": ["x"]}}),
        ({"permission_map": USERS}, {"permission_map": [USERS]}),
        (
            {"permission_map": {"claim": "scope", "accept": "*"}},
            {"permission_map": [{"claim": ["scope"], "accept": ["*"]}]},
        ),
        (
            {"permission_map": {"claim": "r", "values": {"a": "*"}}},
            {"permission_map": [{"claim": "r", "values": {"a": ["*"]}}]},
        ),
        (
            {"permission_map": {"claim": "scope", "accept": "*", "when": {"azp": "x"}}},
            {"permission_map": [{"claim": "scope", "accept": ["*"], "when": {"azp": ["x"]}}]},
        ),
        ({"audience": ("a", "b")}, {"audience": ["a", "b"]}),
        ({"tenant": None, "max_token_age": None}, {}),
    ],
)
def test_single_value_becomes_list(single: dict[str, Any], listed: dict[str, Any]) -> None:
    also = {"require": {"x": "y"}} if "client_claim" in single else {}
    one, many = (load_mapping({"issuer": [table(**{**also, **form})]}).document for form in (single, listed))
    assert one == many


def test_single_issuer_table_becomes_list(tmp_path: Path) -> None:
    single = TOML.replace("[[issuer]]", "[issuer]").replace("[[issuer.permission_map]]", "[issuer.permission_map]")
    assert load_file(written(tmp_path, single)).document == load_file(written(tmp_path, TOML)).document


@pytest.mark.parametrize(
    "role", ["*:read", ["*:read"], {"permissions": "*:read"}, {"permissions": ["*:read"], "graphs": None}]
)
def test_role_accepts_name_list_or_table(role: object) -> None:
    assert load_mapping({"issuer": table(), "roles": {"r": role}}).document.roles["r"].permissions == ["*:read"]


def test_defaults_match_product_defaults() -> None:
    document = load_mapping({"issuer": table()}).document
    issuer = document.issuer[0]
    assert (issuer.leeway, issuer.max_token_age, issuer.token_type, issuer.strict_rfc9068) == (
        30,
        None,
        "access",
        False,
    )
    assert [source.claim for source in issuer.identity] == [["sub"]]
    assert not any(name.startswith("HS") or name == "none" for name in issuer.algorithms)
    assert document.limits.model_dump() == {
        "token_bytes": 16_384,
        "json_depth": 32,
        "key_set_bytes": 524_288,
        "fetch_timeout": 5,
        "jwks_refresh_after": 90,
        "jwks_max_age": 3_600,
        "jwks_max_stale": 86_400,
        "retry_after_failure": 10,
        "unknown_kid_fetches": 2,
        "unknown_kid_window": 30,
        "token_cache_entries": 4_096,
        "token_cache_seconds": 300,
    }
    langgraph = document.langgraph
    assert (langgraph.studio, langgraph.crons, langgraph.webhooks) == ("deny", "allow", "https")
    assert (langgraph.cron_max_age, langgraph.max_delay) == (90 * 86_400, 3_600)


def test_langgraph_table_reaches_enforcement() -> None:
    settings = {"studio": "own", "crons": "deny", "cron_max_age": 60, "max_delay": 0, "webhooks": "any"}
    enforcement = OIDCAuth.from_dict({"issuer": table(), "langgraph": settings}).enforcement
    assert {name: getattr(enforcement, name) for name in settings} == settings


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


# --- what the log says -----------------------------------------------------------------------------------------------


def test_startup_line_names_source_digest_issuers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oidc_auth")
    OIDCAuth.from_dict({"issuer": table()})
    digest = load_mapping({"issuer": table()}).digest
    assert [record.message for record in caplog.records] == [f"configuration mapping ({digest}): issuers {URL}"]


def test_skipped_audience_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    oidc = configured(USERS, audience=..., insecure_skip_audience=True)
    assert [(record.name, record.levelname) for record in caplog.records] == [("oidc_auth", "WARNING")]
    assert "insecure_skip_audience" in caplog.text
    assert "issuer[0]" in caplog.text
    assert authenticated(oidc, aud="anybody").identity == "alice"


INSECURE: dict[str, dict[str, Any]] = {
    "insecure_skip_audience": {"insecure_skip_audience": True},
    "insecure_http_hosts": {"insecure_http_hosts": ["sso"], "jwks": ..., "jwks_uri": "http://sso/keys"},
}


@pytest.mark.parametrize("name", [name for name in IssuerTable.model_fields if name.startswith("insecure_")])
def test_each_dangerous_setting_warns_at_each_start(name: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        caplog.clear()
        OIDCAuth.from_dict({"issuer": table(**INSECURE[name])})
        assert [name in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(
    "settings",
    [
        {"audience": "1234-abc.apps.googleusercontent.com"},
        {"audience": ["agents", "0oabskvc6442nkvQO0h7"]},
        {"audience": "spa", "allowed_clients": ["spa"]},
        {"audience": "spa", "client_claim": {"claim": "azp", "values": ["spa"]}, "require": {"org": "acme"}},
        {"audience": "any", "issuer": "https://auth.acme.com/application/o/agents/"},
    ],
)
def test_client_id_as_audience_is_warned(settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    configured(USERS, **settings)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is a client id: ID tokens of that client have it too" in caplog.text
    caplog.clear()
    configured(USERS, token_type="id", **settings)
    configured(USERS, strict_rfc9068=True, **settings)
    assert caplog.records == []


def test_unused_role_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    roles = {"user": "threads:read", "admin": ["user", "*"], "spare": ["helper"], "helper": "store:get"}
    configured({"claim": "roles", "values": {"a": ["admin"]}}, roles=roles)
    assert [record.getMessage().partition(":")[0] for record in caplog.records if record.levelname == "WARNING"] == [
        "roles.spare",
        "roles.helper",
    ]
    assert "roles.spare: no caller can have it" in caplog.text
    caplog.clear()
    configured({"claim": "roles", "values": {"a": ["admin"], "b": ["spare"]}}, roles=roles)
    assert caplog.records == []


def test_role_of_one_issuer_counts_as_used() -> None:
    names = {"a": ["user"], "b": ["threads:read"]}
    document = {"issuer": [table(permission_map={"claim": "r", "values": names}), table(issuer="https://b.test")]}
    for number, one in enumerate(document["issuer"]):
        one["identity_prefix"] = "b:" * number
    assert load_mapping({**document, "roles": {"user": "*:read"}}).warnings == ()


@pytest.mark.parametrize(
    "require",
    [
        {"repository": "acme/*"},
        {"repository": ["acme/agents", "acme/*"], "ref": "refs/*"},
        {"repository_owner_id": "12345", "repository": "acme/agents-*"},
    ],
)
def test_public_issuer_may_require_one_owner(require: dict[str, Any]) -> None:
    github = "https://token.actions.githubusercontent.com"
    assert configured(USERS, issuer=github, require=require).source == "mapping"


@pytest.mark.parametrize("path", ["repository_owner_id", '"repository_owner_id"'])
def test_quoted_claim_is_same_condition(path: str) -> None:
    github = "https://token.actions.githubusercontent.com"
    require = {path: "12345", '"email_verified"': True}
    oidc = configured(USERS, issuer=github, identity='"email"', require=require)
    claims = {"iss": github, "email": "a@acme.com", "email_verified": True, "repository_owner_id": "12345"}
    assert authenticated(oidc, **claims).identity == "a@acme.com"


REALM = "https://sso.acme.com/realms/a"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
OTHER_GUID = GUID.replace("0", "1")


@pytest.mark.parametrize(
    ("issuer", "aliases", "more", "other"),
    [
        (REALM, ["https://sso.acme.com/realms/b"], {}, "https://sso.acme.com/realms/b"),
        (
            REALM,
            ["https://keycloak:8443/realms/a", "https://keycloak:8443/realms/b"],
            {},
            "https://keycloak:8443/realms/b",
        ),
        ("https://acme.eu.auth0.com/", ["https://evil.eu.auth0.com/"], {}, "https://evil.eu.auth0.com/"),
        (
            TEMPLATE,
            [f"https://sts.windows.net/{OTHER_GUID}/"],
            {"tenants": [GUID]},
            f"https://sts.windows.net/{OTHER_GUID}/",
        ),
        (f"https://sts.windows.net/{GUID}/", [TEMPLATE], {"tenants": [OTHER_GUID]}, TEMPLATE),
        (REALM, ["https://keycloak:8443/realms/a"], {}, None),
        (REALM, ["https://login.acme.test"], {}, "https://login.acme.test"),
        # A custom domain of the same tenant.
        ("https://acme.eu.auth0.com/", ["https://login.acme.test/"], {}, None),
        ("https://login.acme.test/", ["https://acme.eu.auth0.com/"], {}, None),
        ("https://acme.eu.auth0.com/", ["https://acme.eu.auth0.com", "acme.eu.auth0.com"], {}, None),
        (TEMPLATE, ["https://sts.windows.net/{tenantid}/"], {"tenants": [GUID]}, None),
        (f"https://sts.windows.net/{GUID}/", [TEMPLATE], {"tenants": [GUID]}, None),
    ],
)
def test_alias_of_other_realm_is_warned(
    issuer: str, aliases: list[str], more: dict[str, Any], other: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    configured(USERS, issuer=issuer, aliases=aliases, **more)
    said = f"{issuer} and its alias {other} can produce the same identity"
    assert [said in record.message for record in caplog.records] == ([] if other is None else [True])


@pytest.mark.parametrize(
    "table",
    [
        presets.google(
            audience="1-a.apps.googleusercontent.com",
            require={"hd": "acme.com"},
            permission_map={"hd": {"acme.com": "*"}},
        ),
        presets.workos("client_01", audience="agents"),
        presets.cognito("eu-west-1", "p", audience="agents", permission_map={"cognito:groups": {"a": "*"}}),
    ],
)
def test_known_preset_aliases_are_not_warned(table: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    OIDCAuth.from_dict({"issuer": table})
    assert caplog.records == []


def test_safe_configuration_has_no_warnings(caplog: pytest.LogCaptureFixture) -> None:
    configured(USERS, insecure_skip_audience=False)
    configured(USERS, audience=GUID)
    configured(USERS, audience=GUID, issuer=f"https://login.microsoftonline.com/{GUID}/v2.0")
    assert caplog.records == []


def test_digest_differs_between_configurations() -> None:
    digest = load_mapping({"issuer": table()}).digest
    assert len(digest) == 12
    assert digest == load_mapping({"issuer": table()}).digest
    assert digest == load_mapping({"issuer": dict(reversed(table().items()))}).digest
    others: list[dict[str, Any]] = [
        {"leeway": 31},
        {"audience": "other"},
        {"permission_map": [{**USERS, "object_keys": True}]},
        {"tenant": "org"},
    ]
    assert len({digest, *(load_mapping({"issuer": table(**change)}).digest for change in others)}) == 5


def test_digest_includes_variable_values() -> None:
    document = {"issuer": table(audience="${AUDIENCE}")}
    digests = {load_mapping(document, environ={"AUDIENCE": value}).digest for value in ("a", "b", "a")}
    assert len(digests) == 2
