"""Mistakes in the keys of an issuer: each one is reported with its key path and with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import URL
from kit.mistakes import find_mistake, granting, issuer, problems, told, with_roles

if TYPE_CHECKING:
    from kit.snapshots import Messages

GUID = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"


MISTAKES = [
    # keys
    (issuer(leway=5), "issuer[0].leway"),
    (issuer(algorithm=["RS256"]), "issuer[0].algorithm"),
    (issuer(zzz=1), "issuer[0].zzz"),
    (granting(accept=["*"], wen={}), "issuer[0].permission_map[0].wen"),
    ({**issuer(), "role": {}}, "role"),
    ({**issuer(), "langraph": {}}, "langraph"),
    ({**issuer(), "langgraph": {"cron": "deny"}}, "langgraph.cron"),
    ({**issuer(), "limits": {"token_byte": 9}}, "limits.token_byte"),
    (with_roles(a={"permissions": "*", "graph": []}), "roles.a.graph"),
    (
        issuer(header="X-Goog-IAP"),
        "issuer[0].header",
    ),
    (issuer(header="x: y"), "issuer[0].header"),
    (issuer(header=""), "issuer[0].header"),
    (issuer(tenants=[GUID]), "issuer[0].tenants"),
    (issuer(issuer=f"{URL}/{{tenantid}}"), "issuer[0].tenants"),
    (issuer(aliases=f"{URL}/{{tenantid}}"), "issuer[0].tenants"),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants="acme.com"),
        "issuer[0].tenants[0]",
    ),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID.upper()], tenant="tid"),
        "issuer[0].tenants[1]",
    ),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID.replace("0", "1")]),
        "issuer[0].tenant",
    ),
    (issuer(aliases=URL), "issuer[0].issuer"),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID], tenant="tid"),
        "issuer[0].issuer",
    ),
    (issuer(jwks=..., aliases="b.test"), "issuer[0].aliases[0]"),
    (issuer(jwks=..., aliases=f"{URL}/.well-known/openid-configuration"), "issuer[0].aliases[0]"),
    (issuer(ca_file="ca.pem"), "issuer[0].ca_file"),
    (issuer(client_certificate="c.pem"), "issuer[0].client_certificate"),
    (issuer(client_key="k.pem"), "issuer[0].client_key"),
    (issuer(bearer_file="t"), "issuer[0].bearer_file"),
    # what is missing
    ({}, "issuer"),
    ({"issuer": []}, "issuer"),
    (issuer(issuer=...), "issuer[0].issuer"),
    (issuer(issuer=..., preset="generic"), "issuer[0].issuer"),
    (issuer(audience=...), "issuer[0].audience"),
    (issuer(audience=[]), "issuer[0].audience"),
    (issuer(audience=..., insecure_skip_audience=False), "issuer[0].audience"),
    (issuer(permission_map=...), "issuer[0]"),
    (issuer(permission_map=[]), "issuer[0]"),
    # presets
    (issuer(preset="keycloack"), "issuer[0].preset"),
    (issuer(preset="entraid"), "issuer[0].preset"),
    (issuer(preset="azure"), "issuer[0].preset"),
    (issuer(preset="auth0", issuer="https://a.auth0.com"), "issuer[0].issuer"),
    (
        issuer(preset="entra", issuer="https://login.microsoftonline.com/0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"),
        "issuer[0].issuer",
    ),
    (issuer(preset="okta", issuer="https://acme.okta.com"), "issuer[0].issuer"),
    (issuer(issuer=..., preset="cognito", user_pool="p"), "issuer[0].region"),
    (
        issuer(preset="google", require={"hd": "a"}, url="u", issuer=...),
        "issuer[0].url",
    ),
    (issuer(preset="keycloak", url="https://x.test"), "issuer[0].url"),
    (issuer(preset=["keycloak"]), "issuer[0].preset"),
    (issuer(issuer=..., preset="auth0", domain=5), "issuer[0].domain"),
    # addresses and keys
    (issuer(issuer="http://sso.acme.com", jwks=...), "issuer[0].issuer"),
    (issuer(issuer="sso.acme.com", jwks=...), "issuer[0].issuer"),
    (issuer(issuer="ftp://sso.acme.com", jwks=...), "issuer[0].issuer"),
    (issuer(issuer="", jwks=...), "issuer[0].issuer"),
    (issuer(jwks=..., jwks_uri="http://sso.acme.com/keys"), "issuer[0].jwks_uri"),
    (issuer(jwks=..., jwks_uri="https://169.254.169.254/keys"), "issuer[0].jwks_uri"),
    (issuer(jwks_uri="https://sso.acme.com/keys"), "issuer[0].jwks_uri"),
    (issuer(jwks={}), "issuer[0].jwks"),
    (issuer(jwks={"keys": []}), "issuer[0].jwks"),
    (issuer(jwks={"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), "issuer[0].jwks"),
    (issuer(algorithms=["HS256"]), "issuer[0].algorithms"),
    (issuer(algorithms="none"), "issuer[0].algorithms"),
    (issuer(algorithms=["rs256"]), "issuer[0].algorithms"),
    (issuer(algorithms=["RS265"]), "issuer[0].algorithms"),
    (issuer(algorithms=[]), "issuer[0].algorithms"),
]


TYPING_ERRORS = [
    # a misspelled key that must be there is missing, too: both are said
    (issuer(audience=..., audiance="a"), "issuer[0].audiance"),
    (issuer(issuer=..., isuer=URL), "issuer[0].isuer"),
    (granting(acept="*"), "issuer[0].permission_map[0].acept"),
    (with_roles(a={"permisions": "*"}), "roles.a.permisions"),
]


@pytest.mark.parametrize(("document", "where"), MISTAKES, ids=[where for _, where in MISTAKES])
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, messages: Messages) -> None:
    problem = find_mistake(document)
    assert problem.where == where
    messages.check(told(problem))


@pytest.mark.parametrize(("document", "where"), TYPING_ERRORS, ids=[where for _, where in TYPING_ERRORS])
def test_misspelled_key_suggests_correct_key(document: dict[str, Any], where: str, messages: Messages) -> None:
    (problem,) = [problem for problem in problems(document) if problem.where == where]
    messages.check(told(problem))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"preset": "keycloack", "url": "https://sso.acme.com/realms/a"}, "preset"),
        ({"preset": "keycloak"}, "url"),
        ({"issuer": "${NO_SUCH_VARIABLE}"}, "issuer"),
        ({"issuer": URL, "leeway": "${NO_SUCH_VARIABLE}"}, "leeway"),
        ({"issuer": URL, "jwks": 5}, "jwks"),
    ],
)
def test_mistake_hides_its_consequences(changes: dict[str, Any], key: str) -> None:
    document = issuer(**{"issuer": ..., "jwks": ..., **changes})
    assert [problem.where.rpartition(".")[2] for problem in problems(document)] == [key]


@pytest.mark.parametrize("key", ["url", "domain"])
def test_parameter_of_other_preset_is_not_suggested(key: str, messages: Messages) -> None:
    found = {problem.where: problem for problem in problems(issuer(preset="generic", **{key: "https://x.test"}))}
    messages.check(found[f"issuer[0].{key}"].message)
    assert repr(key) not in found[f"issuer[0].{key}"].hint
