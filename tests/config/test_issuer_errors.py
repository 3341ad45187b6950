"""Mistakes in the keys of an issuer: each one is reported with its key path and with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import URL
from kit.mistakes import check_mistake, granting, issuer, problems, with_roles

GUID = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"


MISTAKES = [
    # document, where, a word of the message, a word of the hint
    # keys
    (issuer(leway=5), "issuer[0].leway", "unknown key", "did you mean 'leeway'?"),
    (issuer(algorithm=["RS256"]), "issuer[0].algorithm", "unknown key", "'algorithms'"),
    (issuer(zzz=1), "issuer[0].zzz", "unknown key", ""),
    (granting(accept=["*"], wen={}), "issuer[0].permission_map[0].wen", "unknown key", "did you mean 'when'?"),
    ({**issuer(), "role": {}}, "role", "unknown key", "did you mean 'roles'?"),
    ({**issuer(), "langraph": {}}, "langraph", "unknown key", "did you mean 'langgraph'?"),
    ({**issuer(), "langgraph": {"cron": "deny"}}, "langgraph.cron", "unknown key", "did you mean 'crons'?"),
    ({**issuer(), "limits": {"token_byte": 9}}, "limits.token_byte", "unknown key", "did you mean 'token_bytes'?"),
    (with_roles(a={"permissions": "*", "graph": []}), "roles.a.graph", "unknown key", "did you mean 'graphs'?"),
    (
        issuer(header="X-Goog-IAP"),
        "issuer[0].header",
        "should be the name of a header, in lower case; found a string",
        "",
    ),
    (issuer(header="x: y"), "issuer[0].header", "should be the name of a header, in lower case; found a string", ""),
    (issuer(header=""), "issuer[0].header", "should be the name of a header, in lower case; found a string", ""),
    (issuer(tenants=[GUID]), "issuer[0].tenants", "names its tenant", "write {tenantid} in its place"),
    (issuer(issuer=f"{URL}/{{tenantid}}"), "issuer[0].tenants", "the issuer contains {tenantid}", "list the GUIDs"),
    (issuer(aliases=f"{URL}/{{tenantid}}"), "issuer[0].tenants", "the issuer contains {tenantid}", "list the GUIDs"),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants="acme.com"),
        "issuer[0].tenants[0]",
        "not a tenant's",
        "in lower case",
    ),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID.upper()], tenant="tid"),
        "issuer[0].tenants[1]",
        "GUID",
        "case",
    ),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID.replace("0", "1")]),
        "issuer[0].tenant",
        "two tenants can use the same names",
        'tenant = "tid"',
    ),
    (issuer(aliases=URL), "issuer[0].issuer", "configured twice", "each issuer once"),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID], tenant="tid"),
        "issuer[0].issuer",
        "configured twice",
        "once",
    ),
    (issuer(jwks=..., aliases="b.test"), "issuer[0].aliases[0]", "https URL", ""),
    (issuer(jwks=..., aliases=f"{URL}/.well-known/openid-configuration"), "issuer[0].aliases[0]", "discovery", "leave"),
    (issuer(ca_file="ca.pem"), "issuer[0].ca_file", "combined with jwks", "one of the two"),
    (issuer(client_certificate="c.pem"), "issuer[0].client_certificate", "combined with jwks", "one of the two"),
    (issuer(client_key="k.pem"), "issuer[0].client_key", "combined with jwks", "one of the two"),
    (issuer(bearer_file="t"), "issuer[0].bearer_file", "combined with jwks", "one of the two"),
    # what is missing
    ({}, "issuer", "is missing", "add an [[issuer]] table"),
    ({"issuer": []}, "issuer", "is empty", "oidc-auth init PROVIDER"),
    (issuer(issuer=...), "issuer[0].issuer", "is missing", ""),
    (issuer(issuer=..., preset="generic"), "issuer[0].issuer", "is missing", "write the provider"),
    (issuer(audience=...), "issuer[0].audience", "is missing", "Cognito"),
    (issuer(audience=[]), "issuer[0].audience", "is missing", "client_claim"),
    (issuer(audience=..., insecure_skip_audience=False), "issuer[0].audience", "is missing", "scope prefix"),
    (issuer(permission_map=...), "issuer[0]", "no permission map", "[[issuer.permission_map]]"),
    (issuer(permission_map=...), "issuer[0]", "no permission map", "preset"),
    (issuer(permission_map=[]), "issuer[0]", "no permission map", "preset"),
    # presets
    (issuer(preset="keycloack"), "issuer[0].preset", "unknown preset 'keycloack'", "did you mean 'keycloak'?"),
    (issuer(preset="entraid"), "issuer[0].preset", "known: auth0, authentik, clerk, cognito, entra,", "'entra'"),
    (issuer(preset="azure"), "issuer[0].preset", "unknown preset 'azure'", "did you mean 'entra'?"),
    (issuer(preset="auth0", issuer="https://a.auth0.com"), "issuer[0].issuer", "lacks the end '/'", "append '/'"),
    (
        issuer(preset="entra", issuer="https://login.microsoftonline.com/0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"),
        "issuer[0].issuer",
        "lacks the end '/v2.0'",
        "append '/v2.0'",
    ),
    (issuer(preset="okta", issuer="https://acme.okta.com"), "issuer[0].issuer", "org authorization server", ""),
    (issuer(issuer=..., preset="cognito", user_pool="p"), "issuer[0].region", "is missing", "'region' and 'user_pool'"),
    (
        issuer(preset="google", require={"hd": "a"}, url="u", issuer=...),
        "issuer[0].url",
        "does not belong",
        "no address",
    ),
    (issuer(preset="keycloak", url="https://x.test"), "issuer[0].url", "combined with issuer", "one of the two"),
    (issuer(preset=["keycloak"]), "issuer[0].preset", "string", ""),
    (issuer(issuer=..., preset="auth0", domain=5), "issuer[0].domain", "a number", ""),
    # addresses and keys
    (issuer(issuer="http://sso.acme.com", jwks=...), "issuer[0].issuer", "use https", ""),
    (issuer(issuer="sso.acme.com", jwks=...), "issuer[0].issuer", "https URL", ""),
    (issuer(issuer="ftp://sso.acme.com", jwks=...), "issuer[0].issuer", "not https", ""),
    (issuer(issuer="", jwks=...), "issuer[0].issuer", "is empty", ""),
    (issuer(jwks=..., jwks_uri="http://sso.acme.com/keys"), "issuer[0].jwks_uri", "use https", ""),
    (issuer(jwks=..., jwks_uri="https://169.254.169.254/keys"), "issuer[0].jwks_uri", "link-local", ""),
    (issuer(jwks_uri="https://sso.acme.com/keys"), "issuer[0].jwks_uri", "combined with jwks", "one of the two"),
    (issuer(jwks={}), "issuer[0].jwks", "no array 'keys'", '{"keys": [...]}'),
    (issuer(jwks={"keys": []}), "issuer[0].jwks", "no usable key", "whole key set"),
    (issuer(jwks={"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), "issuer[0].jwks", "no usable key", "whole key set"),
    (issuer(algorithms=["HS256"]), "issuer[0].algorithms", "'HS256' is not accepted", "asymmetric"),
    (issuer(algorithms="none"), "issuer[0].algorithms", "'none' is not accepted", "asymmetric"),
    (issuer(algorithms=["rs256"]), "issuer[0].algorithms", "'rs256' is not accepted", ""),
    (issuer(algorithms=["RS265"]), "issuer[0].algorithms", "'RS265' is not accepted", "did you mean 'RS256'?"),
    (issuer(algorithms=[]), "issuer[0].algorithms", "is empty", ""),
]


TYPING_ERRORS = [
    # a misspelled key that must be there is missing, too: both are said
    (issuer(audience=..., audiance="a"), "issuer[0].audiance", "unknown key", "did you mean 'audience'?"),
    (issuer(issuer=..., isuer=URL), "issuer[0].isuer", "unknown key", "did you mean 'issuer'?"),
    (granting(acept="*"), "issuer[0].permission_map[0].acept", "unknown key", "did you mean 'accept'?"),
    (with_roles(a={"permisions": "*"}), "roles.a.permisions", "unknown key", "did you mean 'permissions'?"),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), MISTAKES)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    check_mistake(document, where, message, hint)


@pytest.mark.parametrize(("document", "where", "message", "hint"), TYPING_ERRORS)
def test_misspelled_key_suggests_correct_key(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    found = [problem for problem in problems(document) if problem.where == where]
    assert [(problem.message, problem.hint) for problem in found] == [(message, hint)]


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
def test_parameter_of_other_preset_is_not_suggested(key: str) -> None:
    found = {problem.where: problem for problem in problems(issuer(preset="generic", **{key: "https://x.test"}))}
    assert found[f"issuer[0].{key}"].message == "does not belong to preset 'generic'"
    assert repr(key) not in found[f"issuer[0].{key}"].hint
