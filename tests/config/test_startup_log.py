"""What the log says when a configuration is loaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import URL, USERS, authenticated, configured, table

from oidc_auth import OIDCAuth, presets
from oidc_auth.config.load import load_mapping
from oidc_auth.config.schema import IssuerTable

if TYPE_CHECKING:
    from kit.snapshots import Messages

GUID = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"


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
def test_client_id_as_audience_is_warned(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture, messages: Messages
) -> None:
    configured(USERS, **settings)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    messages.check(caplog.messages[0])
    caplog.clear()
    configured(USERS, token_type="id", **settings)
    configured(USERS, strict_rfc9068=True, **settings)
    assert caplog.records == []


def test_unused_role_is_warned(caplog: pytest.LogCaptureFixture, messages: Messages) -> None:
    roles = {"user": "threads:read", "admin": ["user", "*"], "spare": ["helper"], "helper": "store:get"}
    configured({"claim": "roles", "values": {"a": ["admin"]}}, roles=roles)
    assert [record.getMessage().partition(":")[0] for record in caplog.records if record.levelname == "WARNING"] == [
        "roles.spare",
        "roles.helper",
    ]
    messages.check(next(text for text in caplog.messages if text.startswith("roles.spare:")))
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
    issuer: str,
    aliases: list[str],
    more: dict[str, Any],
    other: str | None,
    caplog: pytest.LogCaptureFixture,
    messages: Messages,
) -> None:
    configured(USERS, issuer=issuer, aliases=aliases, **more)
    assert len(caplog.records) == (0 if other is None else 1)
    for text in caplog.messages:
        assert str(other) in text
        messages.check(text)


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
