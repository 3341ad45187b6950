"""What an operator may get wrong: each mistake is named with its key path and with what to write instead."""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.mapping import URL, USERS, table

from oidc_auth import ConfigError, OIDCAuth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.errors import Problem

GITHUB = "https://token.actions.githubusercontent.com"
B = "https://b.test"
GUID = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"
ZITADEL_ROLES = "urn:zitadel:iam:org:project:1:roles"
CLIENT = {"claim": "client_id", "values": ["WEB"]}
PREFIXED = {"claim": "scope", "strip_prefix": "agents/", "accept": "*"}


def problems(document: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return what is wrong with a document."""
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict(document)
    return caught.value.problems


def issuer(**changes: Any) -> dict[str, Any]:
    return {"issuer": table(**changes)}


def granting(**permission_map: Any) -> dict[str, Any]:
    """Return a document with one permission map, on scopes."""
    return issuer(permission_map={"claim": "scope", **permission_map})


def zitadel(**changes: Any) -> dict[str, Any]:
    return issuer(issuer=..., preset="zitadel", url="https://z.test", **changes)


def with_roles(**roles: Any) -> dict[str, Any]:
    return {**issuer(), "roles": roles}


ONE_MISTAKE = [
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
    # what binds a token to this API
    (issuer(audience=..., client_claim=CLIENT), "issuer[0].client_claim", "does not bind", "strip_prefix"),
    (
        issuer(client_claim=CLIENT, permission_map={"claim": "scope", "accept": "*"}),
        "issuer[0].client_claim",
        "does not bind",
        "[issuer.require]",
    ),
    (
        issuer(client_claim={**CLIENT, "values": []}, require={"a": "b"}),
        "issuer[0].client_claim.values",
        "is empty",
        "",
    ),
    (
        issuer(
            issuer=...,
            preset="cognito",
            region="r",
            user_pool="p",
            audience=...,
            client_claim=CLIENT,
            jwks=...,
            require={'"token_use"': "access"},
        ),
        "issuer[0].client_claim",
        "does not bind",
        "[issuer.require]",
    ),
    (
        issuer(audience=..., client_claim=CLIENT, permission_map=[PREFIXED, {"claim": '"scope"', "accept": "*"}]),
        "issuer[0].client_claim",
        "does not bind",
        "strip_prefix",
    ),
    (
        issuer(issuer=GITHUB, require={'"repository"': "acme*"}),
        'issuer[0].require."repository"',
        "also matches other owners",
        "acme/*",
    ),
    (issuer(issuer=GITHUB), "issuer[0].require", "tokens for anyone", "repository_owner_id"),
    (issuer(issuer=GITHUB, require={}), "issuer[0].require", "tokens for anyone", "repository"),
    (issuer(issuer=GITHUB, require={"ref": "refs/heads/main"}), "issuer[0].require", "anyone", "repository"),
    (issuer(issuer="https://accounts.google.com"), "issuer[0].require", "tokens for anyone", "[issuer.require]"),
    (issuer(issuer="accounts.google.com"), "issuer[0].require", "tokens for anyone", "[issuer.require]"),
    (issuer(aliases=GITHUB), "issuer[0].require", "tokens for anyone", "repository_owner_id"),
    (issuer(issuer="https://gitlab.com", require={"ref": "main"}), "issuer[0].require", "for anyone", "namespace_id"),
    *(
        (
            issuer(issuer=url, require={claim: value, "ref": "x"}),
            f"issuer[0].require.{claim}",
            "also matches other owners",
            '"acme/*"',
        )
        for url, claim, value in [
            (GITHUB, "repository", "acme*"),
            (GITHUB, "repository", ["acme/agents", "acme/ag*"]),
            (GITHUB, "repository_owner_id", "12*"),
            ("https://accounts.google.com", "sub", "1*"),
            ("https://accounts.google.com", "email", "alice@*"),
            ("https://accounts.google.com", "hd", "acme.com*"),
            ("https://gitlab.com", "project_path", "acme*"),
            ("https://app.terraform.io", "terraform_organization_id", "org-*"),
        ]
    ),
    # claim paths and patterns
    (granting(accept="*", claim="a..b"), "issuer[0].permission_map[0].claim", "expected at position 3", ""),
    (granting(accept="*", claim="a b"), "issuer[0].permission_map[0].claim", "'.' is expected at position 2", ""),
    (granting(accept="*", claim="roles[0]"), "issuer[0].permission_map[0].claim", "expected at position 6", ""),
    (granting(accept="*", claim="roles.*"), "issuer[0].permission_map[0].claim", "wildcards in claim paths", ""),
    (granting(accept="*", claim='a."b'), "issuer[0].permission_map[0].claim", "expected at position 3", ""),
    (granting(accept="*", claim=""), "issuer[0].permission_map[0].claim", "expected at position 1", ""),
    (
        granting(accept="*", claim="/realm_access/roles"),
        "issuer[0].permission_map[0].claim",
        "write realm_access.roles",
        "",
    ),
    (
        granting(accept="*", claim="$.realm_access.roles"),
        "issuer[0].permission_map[0].claim",
        "write realm_access.roles",
        "",
    ),
    (granting(accept="*", claim=[]), "issuer[0].permission_map[0].claim", "is empty", ""),
    (granting(accept="*", claim=["a", ""]), "issuer[0].permission_map[0].claim", "non-empty", ""),
    (granting(accept="*", claim=["a", 5]), "issuer[0].permission_map[0].claim[1]", "a number", ""),
    (issuer(identity="email"), "issuer[0].identity[0]", "unverified e-mail address", "email_verified = true"),
    (
        issuer(identity=[{"claim": "oid"}, {"claim": ["email"], "prefix": "m:"}], require={"email_verified": "yes"}),
        "issuer[0].identity[1]",
        "unverified e-mail address",
        "sub",
    ),
    (issuer(identity='"email"'), "issuer[0].identity[0]", "unverified e-mail address", "sub"),
    (issuer(identity=[{"claim": ["email"]}]), "issuer[0].identity[0]", "unverified e-mail address", "sub"),
    (
        issuer(identity=["uid", "cid"]),
        "issuer[0].identity",
        "two claims can produce the same identity",
        "its own prefix",
    ),
    (issuer(identity="/sub"), "issuer[0].identity[0].claim", "write sub", ""),
    (issuer(identity=[]), "issuer[0].identity", "is empty", ""),
    (issuer(tenant="$.org"), "issuer[0].tenant.claim", "write org", ""),
    (issuer(display_name="a b"), "issuer[0].display_name", "expected at position 2", ""),
    (issuer(claims=["email", "a..b"]), "issuer[0].claims[1]", "expected at position 3", ""),
    (issuer(require={"/jti": "*"}), "issuer[0].require./jti", "write jti", ""),
    (issuer(client_claim={"claim": "/c", "values": "x"}, require={"a": "b"}), "issuer[0].client_claim.claim", "c", ""),
    (issuer(require={"/repository": "x"}), "issuer[0].require./repository", "write repository", ""),
    (issuer(require={"repository": "ac*me"}), "issuer[0].require.repository", "only at the end", "a prefix and *"),
    (granting(accept="*", when={"$.azp": "x"}), "issuer[0].permission_map[0].when.$.azp", "write azp", ""),
    (
        granting(accept="*", when={"azp": "**"}),
        "issuer[0].permission_map[0].when.azp",
        "only at the end",
        "a prefix and *",
    ),
    (granting(values={"*-eng": "*"}), "issuer[0].permission_map[0].values.*-eng", "only at the end", "a prefix and *"),
    # grants
    (granting(), "issuer[0].permission_map[0]", "neither accept nor values", "to map its values"),
    (
        granting(accept="*", values={"a": "*"}),
        "issuer[0].permission_map[0]",
        "both accept and values",
        "permission names",
    ),
    (granting(values={"*": ["*:read"]}), "issuer[0].permission_map[0].values.*", "matches every value", "when = {...}"),
    (
        granting(values={"*": ["*:read"]}, when={}),
        "issuer[0].permission_map[0].values.*",
        "matches every value",
        "condition",
    ),
    (granting(accept="*", split=""), "issuer[0].permission_map[0].split", "is empty", ""),
    (
        issuer(token_type="id", permission_map={"claim": "c", "accept": "*"}),
        "issuer[0].permission_map[0].accept",
        "an ID token",
        "map",
    ),
    (
        granting(accept="*@all"),
        "issuer[0].permission_map[0].accept",
        "a pattern covers own",
        "each name with a reach",
    ),
    (
        granting(claim="urn:zitadel:iam:org:project:roles", object_keys=True, values={"admin": "*:read@all"}),
        "issuer[0].permission_map[0].claim",
        "which can be any project",
        "urn:zitadel:iam:org:project:<the project's id>:roles",
    ),
    (
        granting(claim='"urn:zitadel:iam:org:project:roles"', object_keys=True, accept="*"),
        "issuer[0].permission_map[0].claim",
        "which can be any project",
        "",
    ),
    (
        issuer(
            tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "values": {"admin": "*@tenant"}}
        ),
        "issuer[0].permission_map[0]",
        "'*@tenant': another organization can have given the role",
        "@all",
    ),
    (
        {
            **issuer(
                tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "values": {"a": "admin"}}
            ),
            "roles": {"admin": ["*@tenant"]},
        },
        "issuer[0].permission_map[0]",
        "'admin': another organization can have given the role",
        "@all",
    ),
    (
        issuer(
            tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "accept": "threads:read@tenant"}
        ),
        "issuer[0].permission_map[0]",
        "another organization",
        "@all",
    ),
    *(
        (document, "issuer[0].project_id", message, "")
        for document, message in [
            (zitadel(audience=["1", "2"]), "is missing: audience is not one value"),
            (zitadel(audience=["1", "2"], permission_map=...), "is missing: audience is not one value"),
            (zitadel(audience=..., insecure_skip_audience=True), "is missing: audience is not one value"),
            (zitadel(project_id=""), "is missing"),
            (zitadel(project_id=5), "should be a string; found a number"),
        ]
    ),
    (issuer(preset="generic", project_id="1"), "issuer[0].project_id", "does not belong", "'issuer'"),
    # permissions, roles and reaches
    (
        granting(accept=["threads:wirte"]),
        "issuer[0].permission_map[0].accept",
        "'threads:wirte'",
        "mean 'threads:write'?",
    ),
    (
        granting(accept=["threads:red"]),
        "issuer[0].permission_map[0].accept",
        "unknown permission",
        "mean 'threads:read'?",
    ),
    (
        granting(accept=["runs:creat"]),
        "issuer[0].permission_map[0].accept",
        "unknown permission",
        "mean 'runs:create'?",
    ),
    (granting(accept=["threads:run"]), "issuer[0].permission_map[0].accept", "unknown permission", "run"),
    (granting(accept=["qqq"]), "issuer[0].permission_map[0].accept", "unknown permission", ""),
    (
        granting(accept=["threads:read@tennant"]),
        "issuer[0].permission_map[0].accept",
        "'@tennant'",
        "'threads:read@tenant'",
    ),
    (granting(values={"x": "threads:read@al"}), "issuer[0].permission_map[0].values.x", "'@al'", "'threads:read@all'"),
    (
        granting(values={"x": "threads:read@"}),
        "issuer[0].permission_map[0].values.x",
        "unknown reach '@'",
        "threads:read",
    ),
    (
        granting(values={"x": "threads:read@tenant"}),
        "issuer[0].permission_map[0].values.x",
        "no tenant claim",
        'tenant = "',
    ),
    (granting(values={"x": "store:*@all@all"}), "issuer[0].permission_map[0].values.x", "unknown reach", ""),
    (
        issuer(tenant="org", permission_map={"claim": "r", "values": {"x": "store:read@tenant"}}),
        "issuer[0].permission_map[0].values.x",
        "the store has no @tenant reach",
        "without a reach",
    ),
    (
        granting(values={"x": "store:read@tenant"}),
        "issuer[0].permission_map[0].values.x",
        "the store has",
        "without a reach",
    ),
    (
        {**granting(values={"x": "amdin"}), "roles": {"admin": ["*"]}},
        "issuer[0].permission_map[0].values.x",
        "'amdin'",
        "did you mean 'admin'?",
    ),
    (
        {**granting(accept="admin"), "roles": {"admin": "*"}},
        "issuer[0].permission_map[0].accept",
        "unknown permission",
        "",
    ),
    (with_roles(user="*:read", admin=["userr"]), "roles.admin", "'userr'", "did you mean 'user'?"),
    (
        with_roles(a=["threads:wirte@all"]),
        "roles.a",
        "unknown permission 'threads:wirte@all'",
        "mean 'threads:write@all'?",
    ),
    (with_roles(a=["threads:wirte"]), "roles.a", "unknown permission 'threads:wirte'", "did you mean 'threads:write'?"),
    (with_roles(a=["threads:read@tenant"]), "roles.a", "no tenant claim", 'tenant = "'),
    (with_roles(a="a"), "roles.a", "includes itself", "remove one"),
    (with_roles(audience="x"), "roles.audience", "looks like a key of [[issuer]]", "before the first [roles]"),
    (with_roles(leeway=5), "roles.leeway", "looks like a key of [[issuer]]", "before the first [roles]"),
    (with_roles(**{"threads:read": "*"}), "roles.threads:read", "look like a permission", "use a name without"),
    (with_roles(**{"runs:create": "*"}), "roles.runs:create", "look like a permission", "use a name without"),
    (with_roles(**{"my:role": "*"}), "roles.my:role", "look like a permission", "use a name without"),
    (with_roles(**{"all*": "*"}), "roles.all*", "look like a permission", "use a name without"),
    (with_roles(**{"me@all": "*"}), "roles.me@all", "look like a permission", "use a name without"),
    # types and bounds: what kind of value it was, not the value
    (issuer(issuer=5, jwks=...), "issuer[0].issuer", "should be a string; found a number", ""),
    (issuer(audience=5), "issuer[0].audience", "should be a string, or a list of strings; found a number", ""),
    (issuer(audience=""), "issuer[0].audience[0]", "is empty", ""),
    (issuer(audience=["a", True]), "issuer[0].audience[1]", "string; found a boolean", ""),
    (issuer(leeway=True), "issuer[0].leeway", "number; found a boolean", ""),
    (issuer(leeway="30"), "issuer[0].leeway", "number; found a string", ""),
    (issuer(leeway=61), "issuer[0].leeway", "less than or equal to 60; found 61", ""),
    (issuer(leeway=-1), "issuer[0].leeway", "greater than or equal to 0; found -1", ""),
    (issuer(leeway=float("nan")), "issuer[0].leeway", "finite", ""),
    (issuer(max_token_age=0), "issuer[0].max_token_age", "greater than 0; found 0", ""),
    (issuer(max_token_age=-1.5), "issuer[0].max_token_age", "should be greater than 0; found -1.5", ""),
    (issuer(token_type="refresh"), "issuer[0].token_type", "'access' or 'id'; found a string", ""),
    (
        issuer(strict_rfc9068=True, accepted_typ=["JWT"]),
        "issuer[0].strict_rfc9068",
        "cannot be combined with accepted_typ",
        "keep one",
    ),
    (
        issuer(strict_rfc9068=True, token_type="id"),
        "issuer[0].strict_rfc9068",
        "cannot be combined with token_type",
        "leave it out",
    ),
    *(
        (granting(accept="*", split=separator), "issuer[0].permission_map[0].split", "cannot separate values", '","')
        for separator in ("*", ",*", "[", " ]")
    ),
    (issuer(strict_rfc9068=1), "issuer[0].strict_rfc9068", "should be true or false; found a number", ""),
    (issuer(require=["x"]), "issuer[0].require", "found a list", ""),
    (issuer(require={"groups": {}}), "issuer[0].require.groups[0]", "found a table", ""),
    (issuer(tenant=5), "issuer[0].tenant", "should be a string or a table; found a number", ""),
    (issuer(client_claim=5, require={"a": "b"}), "issuer[0].client_claim", "should be a table; found a number", ""),
    (
        issuer(permission_map=5),
        "issuer[0].permission_map",
        "should be a table, or a list of them; found a number",
        "",
    ),
    (issuer(permission_map=["scope"]), "issuer[0].permission_map[0]", "found a string", ""),
    (issuer(identity=5), "issuer[0].identity", "a string or a table, or a list of them; found a number", ""),
    (granting(values=["a"]), "issuer[0].permission_map[0].values", "found a list", ""),
    (granting(values={"a": 1.5}), "issuer[0].permission_map[0].values.a", "a list of strings; found a number", ""),
    (granting(accept="*", when=b"x"), "issuer[0].permission_map[0].when", "found bytes", ""),
    ({"issuer": 5}, "issuer", "a list of them; found a number", ""),
    ({"issuer": "https://sso.acme.com"}, "issuer[0]", "found a string", ""),
    ({**issuer(), "roles": 5}, "roles", "found a number", ""),
    (with_roles(a=5), "roles.a.permissions", "a list of strings; found a number", ""),
    ({**issuer(), "langgraph": {"studio": "yes"}}, "langgraph.studio", "'deny', 'own' or 'all'", ""),
    ({**issuer(), "langgraph": {"cron_max_age": 0}}, "langgraph.cron_max_age", "greater than 0", ""),
    ({**issuer(), "langgraph": {"cron_max_age": float("inf")}}, "langgraph.cron_max_age", "finite", ""),
    ({**issuer(), "langgraph": {"max_delay": -1}}, "langgraph.max_delay", "greater than or equal to 0", ""),
    ({**issuer(), "langgraph": {"max_delay": float("inf")}}, "langgraph.max_delay", "finite", ""),
    ({**issuer(), "langgraph": {"max_delay": "1h"}}, "langgraph.max_delay", "a number; found a string", ""),
    (
        {**issuer(), "limits": {"jwks_max_age": 60}},
        "limits.jwks_max_age",
        "less than jwks_refresh_after",
        "at least 90",
    ),
    (
        {**issuer(), "limits": {"jwks_max_stale": 600}},
        "limits.jwks_max_stale",
        "less than jwks_max_age",
        "at least 3600",
    ),
    ({**issuer(), "limits": {"token_bytes": 1.5}}, "limits.token_bytes", "a whole number; found a number", ""),
    ({**issuer(), "limits": {"fetch_timeout": 0}}, "limits.fetch_timeout", "greater than 0", ""),
    # Without a pause, anyone could cause unlimited fetches with made-up key ids.
    ({**issuer(), "limits": {"unknown_kid_window": 0}}, "limits.unknown_kid_window", "greater than 0", ""),
    ({**issuer(), "limits": {"json_depth": 257}}, "limits.json_depth", "less than or equal to 256", ""),
    ({**issuer(), "limits": []}, "limits", "found a list", ""),
    # what only a Python program can write
    (granting(values={1: ["*:read"]}), "issuer[0].permission_map[0].values.1", "not a string", "quote it"),
    (with_roles(a=["*"]) | {"roles": {1: ["*"]}}, "roles.1", "not a string", "quote it"),
    (issuer() | {1: 2}, "1", "not a string", "quote it"),
]

TYPING_ERRORS = [
    # a misspelled key that must be there is missing, too: both are said
    (issuer(audience=..., audiance="a"), "issuer[0].audiance", "unknown key", "did you mean 'audience'?"),
    (issuer(issuer=..., isuer=URL), "issuer[0].isuer", "unknown key", "did you mean 'issuer'?"),
    (granting(acept="*"), "issuer[0].permission_map[0].acept", "unknown key", "did you mean 'accept'?"),
    (with_roles(a={"permisions": "*"}), "roles.a.permisions", "unknown key", "did you mean 'permissions'?"),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), ONE_MISTAKE)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    found = problems(document)
    assert len(found) == 1, found
    assert found[0].where.startswith(where) if not message else found[0].where == where
    assert message in found[0].message
    assert hint in found[0].hint


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


def test_unknown_name_is_reported_once() -> None:
    assert [problem.message.count("thread:write") for problem in problems(with_roles(a=["thread:write"]))] == [1]


def test_unknown_name_is_reported_at_each_place() -> None:
    values = {"a": ["threads:wirte", "threads:wirte"], "b": ["threads:wirte"]}
    assert [p.where for p in problems(granting(values=values))] == [
        "issuer[0].permission_map[0].values.a",
        "issuer[0].permission_map[0].values.b",
    ]


def test_circular_roles_are_reported_at_each_role() -> None:
    document = with_roles(a=["b"], b=["c"], c=["a"], d=["a"], e=["*"], f=["e", "e"], g=["f", "e"])
    assert [problem.where for problem in problems(document)] == ["roles.a", "roles.b", "roles.c"]


def test_two_issuers_need_prefixes_and_different_names() -> None:
    document = {"issuer": [table(name="a"), table(name="a"), table(name="b", issuer="https://b.test")]}
    assert sorted((problem.where, problem.message.split(":")[0]) for problem in problems(document)) == [
        ("issuer[0].identity_prefix", "is missing"),
        ("issuer[1].identity_prefix", "is missing"),
        ("issuer[1].issuer", "'https"),
        ("issuer[2].identity_prefix", "is missing"),
    ]


def test_one_of_two_issuers_may_lack_prefix() -> None:
    document = {"issuer": [table(identity_prefix=""), table(issuer="https://b.test", identity_prefix="b:")]}
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("", "", {1: "another issuer already has ''"}),
        ("a:", "a:", {0: "another issuer's prefix begins with 'a:'", 1: "another issuer's prefix begins with 'a:'"}),
        ("a", "ab:", {0: "another issuer's prefix begins with 'a'"}),
        ("ab:", "a", {1: "another issuer's prefix begins with 'a'"}),
    ],
)
def test_ambiguous_identity_prefixes_are_rejected(first: str, second: str, found: dict[int, str]) -> None:
    document = {"issuer": [table(identity_prefix=first), table(issuer="https://b.test", identity_prefix=second)]}
    assert {problem.where: problem.message for problem in problems(document)} == {
        f"issuer[{number}].identity_prefix": message for number, message in found.items()
    }


def test_claim_prefix_counts_like_issuer_prefix() -> None:
    client = [{"claim": "uid"}, {"claim": "cid", "prefix": "b:"}]
    document = {"issuer": [table(identity_prefix="a", identity=client), table(issuer=B, identity_prefix="ab:")]}
    assert ("issuer[0].identity_prefix", "another issuer's prefix begins with 'ab:'") in [
        (problem.where, problem.message) for problem in problems(document)
    ]


def test_tenant_role_needs_issuer_with_tenant() -> None:
    values = {"claim": "r", "values": {"x": ["outer"]}}
    document = {
        "issuer": [
            table(identity_prefix="", tenant="org", permission_map=values),
            table(issuer=B, identity_prefix="b:", permission_map=values),
        ],
        "roles": {"outer": ["inner"], "inner": ["threads:read@tenant"]},
    }
    (problem,) = problems(document)
    assert problem.where == "issuer[1].permission_map[0].values.x"
    assert "'outer' has @tenant rights, and this issuer has no tenant claim" in problem.message


def test_tenant_permission_needs_tenant_claim() -> None:
    document = {**issuer(tenant="org"), "roles": {"a": ["threads:read@tenant"]}}
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    ("audience", "permission_map", "require"),
    [
        (..., {"claim": "scope", "strip_prefix": "agents/", "accept": ["*"]}, {}),
        (..., {"claim": "scp", "strip_prefix": "agents/", "accept": ["*"]}, {}),
        (..., USERS, {"groups": "agents"}),
        ("agents", {"claim": "scope", "accept": ["*"]}, {"groups": "agents"}),
    ],
)
def test_client_claim_with_scope_prefix_or_requirement_suffices(
    audience: Any, permission_map: dict[str, Any], require: dict[str, Any]
) -> None:
    OIDCAuth.from_dict(issuer(audience=audience, client_claim=CLIENT, permission_map=permission_map, require=require))


def test_public_issuer_with_requirement_is_accepted() -> None:
    OIDCAuth.from_dict(issuer(issuer=GITHUB, require={"repository": "acme/agents"}))
    OIDCAuth.from_dict(issuer(issuer=GITHUB, require={"repository_owner_id": "12345"}))


def test_all_mistakes_are_reported_together() -> None:
    document = {
        "issuer": [
            table(algorithms=["HS256"], leeway="x", permission_map=[{"claim": "a..b", "accept": ["threads:wirte"]}]),
            table(issuer="http://sso.acme.com", jwks=..., header="X", audience=...),
        ],
        "limits": {"token_bytes": -1},
        "roles": {"a": ["a"]},
    }
    assert sorted(problem.where for problem in problems(document)) == [
        "issuer[0].algorithms",
        "issuer[0].identity_prefix",
        "issuer[0].leeway",
        "issuer[0].permission_map[0].accept",
        "issuer[0].permission_map[0].claim",
        "issuer[1].audience",
        "issuer[1].header",
        "issuer[1].identity_prefix",
        "issuer[1].issuer",
        "limits.token_bytes",
        "roles.a",
    ]


def test_mistakes_follow_document_order() -> None:
    document = {"roles": {"b": ["b"], "a": ["qqq"]}, **issuer(leeway=-1, algorithms=["RS1"])}
    wheres = [problem.where for problem in problems(document)]
    assert wheres == ["roles.b", "roles.a", "issuer[0].leeway", "issuer[0].algorithms"]


def test_permission_maps_are_sorted_by_number() -> None:
    document = issuer(permission_map=[{"claim": "scope", "accept": ["threads:wirte"]}] * 12)
    assert [p.where for p in problems(document)] == [
        f"issuer[0].permission_map[{number}].accept" for number in range(12)
    ]


def test_table_numbers_ignore_earlier_tables() -> None:
    found = [
        p.where for p in problems(issuer(permission_map=["nonsense", {"claim": "scope", "accept": ["threads:wirte"]}]))
    ]
    assert found == ["issuer[0].permission_map[0]", "issuer[0].permission_map[1].accept"]
    found = sorted(p.where for p in problems({"issuer": [5, table(leeway=-1, header="X")]}))
    assert found == ["issuer[0]", "issuer[1].header", "issuer[1].leeway"]


def test_report_has_one_line_per_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({**issuer(leway=5, zzz=1)})
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).splitlines() == [
        "mapping: 2 problems",
        "  - issuer[0].leway: unknown key (did you mean 'leeway'?)",
        "  - issuer[0].zzz: unknown key",
    ]


@pytest.mark.parametrize(
    "document",
    [
        issuer(jwks=..., jwks_uri="https://robot:${SECRET}@sso.acme.com/keys"),
        issuer(jwks=..., issuer="https://robot:${SECRET}@sso.acme.com"),
        issuer(leeway="${SECRET}"),
        issuer(token_type="${SECRET}"),
        issuer(strict_rfc9068="${SECRET}"),
        issuer(tenants="${SECRET}"),
        issuer(jwks="${SECRET}"),
        issuer(permission_map="${SECRET}"),
        {**issuer(), "langgraph": {"studio": "${SECRET}"}},
        {**issuer(), "langgraph": "${SECRET}"},
    ],
)
def test_environment_value_is_never_shown(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict(document)
    assert "hunter2" not in str(caught.value) + repr(caught.value)


def test_input_document_is_not_modified() -> None:
    document = issuer(preset="keycloak", identity="oid", tenant="org", permission_map={"claim": "scope", "accept": "*"})
    before = deepcopy(document)
    OIDCAuth.from_dict(document)
    assert document == before
    broken = issuer(header="X")
    problems(broken)
    assert broken["issuer"]["header"] == "X"


def test_any_mapping_type_is_accepted() -> None:
    permission_map = MappingProxyType({"claim": "scope", "accept": ("*",)})
    OIDCAuth.from_dict(MappingProxyType({"issuer": MappingProxyType(table(permission_map=(permission_map,)))}))


# --- any value -------------------------------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "issuer": [
        table(
            name="a",
            preset="keycloak",
            tenant={"claim": "org", "object_keys": True},
            identity=[{"claim": "uid", "prefix": "u:"}],
            identity_prefix="a:",
            client_claim=CLIENT,
            require={"groups": ["x"]},
            claims=["email"],
            display_name="name",
            leeway=5,
            permission_map=[
                {"claim": "scope", "values": {"x": ["admin"]}, "when": {"azp": ["y"]}, "strip_prefix": "a/"}
            ],
        ),
        table(name="b", issuer="https://b.test", identity_prefix="b:", jwks=..., jwks_uri="https://b.test/keys"),
    ],
    "roles": {"admin": {"permissions": ["*@all"], "graphs": ["agent"]}},
    "langgraph": {"studio": "own", "cron_max_age": 60, "max_delay": 60},
    "limits": {"token_bytes": 8_000},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["*", "a@all"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document but its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [deeper for key, member in pairs if key != "jwks" for deeper in places(member, (*path, key))]
    return [*([path] if path else []), *below]


@settings(deadline=None, database=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(places(WHOLE)), value=json_values)
def test_any_value_loads_or_is_reported(place: tuple[Any, ...], value: object) -> None:
    document = deepcopy(WHOLE)
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        OIDCAuth.from_dict(document)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - what else may it raise: nothing
