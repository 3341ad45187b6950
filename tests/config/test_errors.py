"""What an operator may get wrong: each mistake is named with its key path and with what to write instead."""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world.mapping import URL, USERS, table

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


def granting(**grant: Any) -> dict[str, Any]:
    """Return a document whose one grant is about scopes."""
    return issuer(grant={"claim": "scope", **grant})


def zitadel(**changes: Any) -> dict[str, Any]:
    return issuer(issuer=..., preset="zitadel", url="https://z.test", **changes)


def with_roles(**roles: Any) -> dict[str, Any]:
    return {**issuer(), "roles": roles}


ONE_MISTAKE = [
    # document, where, a word of the message, a word of the cure
    # keys
    (issuer(leway=5), "issuer[0].leway", "unknown key", "did you mean 'leeway'?"),
    (issuer(algorithm=["RS256"]), "issuer[0].algorithm", "unknown key", "'algorithms'"),
    (issuer(zzz=1), "issuer[0].zzz", "unknown key", ""),
    (granting(accept=["*"], wen={}), "issuer[0].grant[0].wen", "unknown key", "did you mean 'when'?"),
    ({**issuer(), "role": {}}, "role", "unknown key", "did you mean 'roles'?"),
    ({**issuer(), "langraph": {}}, "langraph", "unknown key", "did you mean 'langgraph'?"),
    ({**issuer(), "langgraph": {"cron": "deny"}}, "langgraph.cron", "unknown key", "did you mean 'crons'?"),
    ({**issuer(), "limits": {"token_byte": 9}}, "limits.token_byte", "unknown key", "did you mean 'token_bytes'?"),
    (with_roles(a={"allow": "*", "graph": []}), "roles.a.graph", "unknown key", "did you mean 'graphs'?"),
    (
        issuer(header="X-Goog-IAP"),
        "issuer[0].header",
        "should be the name of a header, in lower case; found a string",
        "",
    ),
    (issuer(header="x: y"), "issuer[0].header", "should be the name of a header, in lower case; found a string", ""),
    (issuer(header=""), "issuer[0].header", "should be the name of a header, in lower case; found a string", ""),
    (issuer(tenants=[GUID]), "issuer[0].tenants", "names its tenant", "write {tenantid} in its place"),
    (issuer(issuer=f"{URL}/{{tenantid}}"), "issuer[0].tenants", "the issuer holds {tenantid}", "list the GUIDs"),
    (issuer(aliases=f"{URL}/{{tenantid}}"), "issuer[0].tenants", "the issuer holds {tenantid}", "list the GUIDs"),
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
        "two tenants may use the same names",
        'tenant = "tid"',
    ),
    (issuer(aliases=URL), "issuer[0].issuer", "stands twice", "each issuer once"),
    (
        issuer(issuer=f"{URL}/{{tenantid}}", tenants=[GUID, GUID], tenant="tid"),
        "issuer[0].issuer",
        "stands twice",
        "once",
    ),
    (issuer(jwks=..., aliases="b.test"), "issuer[0].aliases[0]", "https URL", ""),
    (issuer(jwks=..., aliases=f"{URL}/.well-known/openid-configuration"), "issuer[0].aliases[0]", "discovery", "leave"),
    (issuer(ca_file="ca.pem"), "issuer[0].ca_file", "stands beside jwks", "one of the two"),
    (issuer(client_certificate="c.pem"), "issuer[0].client_certificate", "stands beside jwks", "one of the two"),
    (issuer(client_key="k.pem"), "issuer[0].client_key", "stands beside jwks", "one of the two"),
    (issuer(bearer_file="t"), "issuer[0].bearer_file", "stands beside jwks", "one of the two"),
    # what is missing
    ({}, "issuer", "is missing", "add an [[issuer]] table"),
    ({"issuer": []}, "issuer", "is empty", "oidc-auth init PROVIDER"),
    (issuer(issuer=...), "issuer[0].issuer", "is missing", ""),
    (issuer(issuer=..., preset="generic"), "issuer[0].issuer", "is missing", "preset 'generic' wants 'issuer'"),
    (issuer(audience=...), "issuer[0].audience", "is missing", "Cognito"),
    (issuer(audience=[]), "issuer[0].audience", "is missing", "client_claim"),
    (issuer(audience=..., insecure_skip_audience=False), "issuer[0].audience", "is missing", "scope prefix"),
    (issuer(grant=...), "issuer[0]", "no grant", "[[issuer.grant]]"),
    (issuer(grant=...), "issuer[0]", "no grant", "preset"),
    (issuer(grant=[]), "issuer[0]", "no grant", "preset"),
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
    (issuer(preset="keycloak", url="https://x.test"), "issuer[0].url", "stands beside issuer", "one of the two"),
    (issuer(preset=["keycloak"]), "issuer[0].preset", "string", ""),
    (issuer(issuer=..., preset="auth0", domain=5), "issuer[0].domain", "a number", ""),
    # addresses and keys
    (issuer(issuer="http://sso.acme.com", jwks=...), "issuer[0].issuer", "use https", ""),
    (issuer(issuer="sso.acme.com", jwks=...), "issuer[0].issuer", "https URL", ""),
    (issuer(issuer="ftp://sso.acme.com", jwks=...), "issuer[0].issuer", "not https", ""),
    (issuer(issuer="", jwks=...), "issuer[0].issuer", "is empty", ""),
    (issuer(jwks=..., jwks_url="http://sso.acme.com/keys"), "issuer[0].jwks_url", "use https", ""),
    (issuer(jwks=..., jwks_url="https://169.254.169.254/keys"), "issuer[0].jwks_url", "link-local", ""),
    (issuer(jwks_url="https://sso.acme.com/keys"), "issuer[0].jwks_url", "stands beside jwks", "one of the two"),
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
        issuer(client_claim=CLIENT, grant={"claim": "scope", "accept": "*"}),
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
        issuer(audience=..., client_claim=CLIENT, grant=[PREFIXED, {"claim": '"scope"', "accept": "*"}]),
        "issuer[0].client_claim",
        "does not bind",
        "strip_prefix",
    ),
    (issuer(issuer=GITHUB, require={'"repository"': "acme*"}), 'issuer[0].require."repository"', "a * here", "acme/*"),
    (issuer(issuer=GITHUB), "issuer[0].require", "tokens for anybody", "repository_owner_id"),
    (issuer(issuer=GITHUB, require={}), "issuer[0].require", "tokens for anybody", "repository"),
    (issuer(issuer=GITHUB, require={"ref": "refs/heads/main"}), "issuer[0].require", "anybody", "repository"),
    (issuer(issuer="https://accounts.google.com"), "issuer[0].require", "tokens for anybody", "[issuer.require]"),
    (issuer(issuer="accounts.google.com"), "issuer[0].require", "tokens for anybody", "[issuer.require]"),
    (issuer(aliases=GITHUB), "issuer[0].require", "tokens for anybody", "repository_owner_id"),
    (issuer(issuer="https://gitlab.com", require={"ref": "main"}), "issuer[0].require", "for anybody", "namespace_id"),
    *(
        (
            issuer(issuer=url, require={claim: value, "ref": "x"}),
            f"issuer[0].require.{claim}",
            "a * here lets in",
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
    (granting(accept="*", claim="a..b"), "issuer[0].grant[0].claim", "expected at position 3", ""),
    (granting(accept="*", claim="a b"), "issuer[0].grant[0].claim", "'.' is expected at position 2", ""),
    (granting(accept="*", claim="roles[0]"), "issuer[0].grant[0].claim", "expected at position 6", ""),
    (granting(accept="*", claim="roles.*"), "issuer[0].grant[0].claim", "expected at position 7", ""),
    (granting(accept="*", claim='a."b'), "issuer[0].grant[0].claim", "expected at position 3", ""),
    (granting(accept="*", claim=""), "issuer[0].grant[0].claim", "expected at position 1", ""),
    (granting(accept="*", claim="/realm_access/roles"), "issuer[0].grant[0].claim", "write realm_access.roles", ""),
    (granting(accept="*", claim="$.realm_access.roles"), "issuer[0].grant[0].claim", "write realm_access.roles", ""),
    (granting(accept="*", claim=[]), "issuer[0].grant[0].claim", "is empty", ""),
    (granting(accept="*", claim=["a", ""]), "issuer[0].grant[0].claim", "non-empty", ""),
    (granting(accept="*", claim=["a", 5]), "issuer[0].grant[0].claim[1]", "a number", ""),
    (issuer(identity="email"), "issuer[0].identity[0]", "e-mail address that nobody verified", "email_verified = true"),
    (
        issuer(identity=[{"claim": "oid"}, {"claim": ["email"], "prefix": "m:"}], require={"email_verified": "yes"}),
        "issuer[0].identity[1]",
        "e-mail address that nobody verified",
        "sub",
    ),
    (issuer(identity='"email"'), "issuer[0].identity[0]", "e-mail address that nobody verified", "sub"),
    (issuer(identity=[{"claim": ["email"]}]), "issuer[0].identity[0]", "e-mail address that nobody verified", "sub"),
    (
        issuer(identity=["uid", "cid"]),
        "issuer[0].identity",
        "two claims share one space of names",
        "a prefix of its own",
    ),
    (issuer(identity="/sub"), "issuer[0].identity[0].claim", "write sub", ""),
    (issuer(identity=[]), "issuer[0].identity", "is empty", ""),
    (issuer(tenant="$.org"), "issuer[0].tenant.claim", "write org", ""),
    (issuer(display_name="a b"), "issuer[0].display_name", "expected at position 2", ""),
    (issuer(claims=["email", "a..b"]), "issuer[0].claims[1]", "expected at position 3", ""),
    (issuer(required_claims="/jti"), "issuer[0].required_claims[0]", "write jti", ""),
    (issuer(client_claim={"claim": "/c", "values": "x"}, require={"a": "b"}), "issuer[0].client_claim.claim", "c", ""),
    (issuer(require={"/repository": "x"}), "issuer[0].require./repository", "write repository", ""),
    (issuer(require={"repository": "ac*me"}), "issuer[0].require.repository", "only at the end", "a prefix and *"),
    (granting(accept="*", when={"$.azp": "x"}), "issuer[0].grant[0].when.$.azp", "write azp", ""),
    (granting(accept="*", when={"azp": "**"}), "issuer[0].grant[0].when.azp", "only at the end", "a prefix and *"),
    (granting(values={"*-eng": "*"}), "issuer[0].grant[0].values.*-eng", "only at the end", "a prefix and *"),
    # grants
    (granting(), "issuer[0].grant[0]", "neither accept nor values", "its values are mapped"),
    (granting(accept="*", values={"a": "*"}), "issuer[0].grant[0]", "both accept and values", "permission names"),
    (granting(values={"*": ["*:read"]}), "issuer[0].grant[0].values.*", "matches every value", "when = {...}"),
    (granting(values={"*": ["*:read"]}, when={}), "issuer[0].grant[0].values.*", "matches every value", "condition"),
    (granting(accept="*", split=""), "issuer[0].grant[0].split", "is empty", ""),
    (issuer(token_type="id", grant={"claim": "c", "accept": "*"}), "issuer[0].grant[0].accept", "an ID token", "map"),
    (granting(accept="*@all"), "issuer[0].grant[0].accept", "a pattern covers own", "listed here literally"),
    (
        granting(claim="urn:zitadel:iam:org:project:roles", keys=True, values={"admin": "*:read@all"}),
        "issuer[0].grant[0].claim",
        "which can be any project",
        "urn:zitadel:iam:org:project:<the project's id>:roles",
    ),
    (
        granting(claim='"urn:zitadel:iam:org:project:roles"', keys=True, accept="*"),
        "issuer[0].grant[0].claim",
        "which can be any project",
        "",
    ),
    (
        issuer(tenant="org", grant={"claim": ZITADEL_ROLES, "keys": True, "values": {"admin": "*@tenant"}}),
        "issuer[0].grant[0]",
        "'*@tenant': another organization can have given the role",
        "@all",
    ),
    (
        {
            **issuer(tenant="org", grant={"claim": ZITADEL_ROLES, "keys": True, "values": {"a": "admin"}}),
            "roles": {"admin": ["*@tenant"]},
        },
        "issuer[0].grant[0]",
        "'admin': another organization can have given the role",
        "@all",
    ),
    (
        issuer(tenant="org", grant={"claim": ZITADEL_ROLES, "keys": True, "accept": "threads:read@tenant"}),
        "issuer[0].grant[0]",
        "another organization",
        "@all",
    ),
    *(
        (document, "issuer[0].project_id", message, "")
        for document, message in [
            (zitadel(audience=["1", "2"]), "is missing: audience is not one value"),
            (zitadel(audience=["1", "2"], grant=...), "is missing: audience is not one value"),
            (zitadel(audience=..., insecure_skip_audience=True), "is missing: audience is not one value"),
            (zitadel(project_id=""), "is missing"),
            (zitadel(project_id=5), "should be a string; found a number"),
        ]
    ),
    (issuer(preset="generic", project_id="1"), "issuer[0].project_id", "does not belong", "'issuer'"),
    # permissions, roles and reaches
    (granting(accept=["threads:wirte"]), "issuer[0].grant[0].accept", "'threads:wirte'", "mean 'threads:write'?"),
    (granting(accept=["threads:red"]), "issuer[0].grant[0].accept", "unknown permission", "mean 'threads:read'?"),
    (granting(accept=["runs:creat"]), "issuer[0].grant[0].accept", "unknown permission", "mean 'runs:create'?"),
    (granting(accept=["threads:run"]), "issuer[0].grant[0].accept", "unknown permission", "run"),
    (granting(accept=["qqq"]), "issuer[0].grant[0].accept", "unknown permission", ""),
    (granting(accept=["threads:read@tennant"]), "issuer[0].grant[0].accept", "'@tennant'", "'threads:read@tenant'"),
    (granting(values={"x": "threads:read@al"}), "issuer[0].grant[0].values.x", "'@al'", "'threads:read@all'"),
    (granting(values={"x": "threads:read@"}), "issuer[0].grant[0].values.x", "unknown reach '@'", "threads:read"),
    (granting(values={"x": "threads:read@tenant"}), "issuer[0].grant[0].values.x", "no tenant claim", 'tenant = "'),
    (granting(values={"x": "store:*@all@all"}), "issuer[0].grant[0].values.x", "unknown reach", ""),
    (
        issuer(tenant="org", grant={"claim": "r", "values": {"x": "store:read@tenant"}}),
        "issuer[0].grant[0].values.x",
        "a store is one's own or everybody's",
        "without @tenant",
    ),
    (granting(values={"x": "store:read@tenant"}), "issuer[0].grant[0].values.x", "a store is", "without @tenant"),
    (
        {**granting(values={"x": "amdin"}), "roles": {"admin": ["*"]}},
        "issuer[0].grant[0].values.x",
        "'amdin'",
        "did you mean 'admin'?",
    ),
    ({**granting(accept="admin"), "roles": {"admin": "*"}}, "issuer[0].grant[0].accept", "unknown permission", ""),
    (with_roles(user="*:read", admin=["userr"]), "roles.admin", "'userr'", "did you mean 'user'?"),
    (
        with_roles(a=["threads:wirte@all"]),
        "roles.a",
        "unknown permission 'threads:wirte@all'",
        "mean 'threads:write@all'?",
    ),
    (with_roles(a=["threads:wirte"]), "roles.a", "unknown permission 'threads:wirte'", "did you mean 'threads:write'?"),
    (with_roles(a=["threads:read@tenant"]), "roles.a", "no tenant claim", 'tenant = "'),
    (with_roles(a="a"), "roles.a", "includes itself", "break the circle"),
    (with_roles(audience="x"), "roles.audience", "looks like a key of [[issuer]]", "before the first [roles]"),
    (with_roles(leeway=5), "roles.leeway", "looks like a key of [[issuer]]", "before the first [roles]"),
    (with_roles(**{"threads:read": "*"}), "roles.threads:read", "look like a permission", "plain word"),
    (with_roles(**{"runs:create": "*"}), "roles.runs:create", "look like a permission", "plain word"),
    (with_roles(**{"my:role": "*"}), "roles.my:role", "look like a permission", "plain word"),
    (with_roles(**{"all*": "*"}), "roles.all*", "look like a permission", "plain word"),
    (with_roles(**{"me@all": "*"}), "roles.me@all", "look like a permission", "plain word"),
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
    (issuer(max_age=0), "issuer[0].max_age", "greater than 0; found 0", ""),
    (issuer(max_age=-1.5), "issuer[0].max_age", "should be greater than 0; found -1.5", ""),
    (issuer(token_type="refresh"), "issuer[0].token_type", "'access' or 'id'; found a string", ""),
    (issuer(strict_rfc9068=1), "issuer[0].strict_rfc9068", "should be true or false; found a number", ""),
    (issuer(require=["x"]), "issuer[0].require", "found a list", ""),
    (issuer(require={"groups": 5}), "issuer[0].require.groups", "found a number", ""),
    (issuer(tenant=5), "issuer[0].tenant", "should be a string, or a table; found a number", ""),
    (issuer(client_claim=5, require={"a": "b"}), "issuer[0].client_claim", "should be a table; found a number", ""),
    (issuer(grant=5), "issuer[0].grant", "should be a table, or a list of tables; found a number", ""),
    (issuer(grant=["scope"]), "issuer[0].grant[0]", "found a string", ""),
    (issuer(identity=5), "issuer[0].identity", "a string or a table, or a list of them; found a number", ""),
    (granting(values=["a"]), "issuer[0].grant[0].values", "found a list", ""),
    (granting(values={"a": 1.5}), "issuer[0].grant[0].values.a", "a list of strings; found a number", ""),
    (granting(accept="*", when=b"x"), "issuer[0].grant[0].when", "found bytes", ""),
    ({"issuer": 5}, "issuer", "a list of tables; found a number", ""),
    ({"issuer": "https://sso.acme.com"}, "issuer[0]", "found a string", ""),
    ({**issuer(), "roles": 5}, "roles", "found a number", ""),
    (with_roles(a=5), "roles.a.allow", "a list of strings; found a number", ""),
    ({**issuer(), "langgraph": {"studio": "yes"}}, "langgraph.studio", "'deny', 'own' or 'all'", ""),
    ({**issuer(), "langgraph": {"cron_max_age": 0}}, "langgraph.cron_max_age", "greater than 0", ""),
    ({**issuer(), "langgraph": {"cron_max_age": float("inf")}}, "langgraph.cron_max_age", "finite", ""),
    ({**issuer(), "langgraph": {"max_delay": -1}}, "langgraph.max_delay", "greater than or equal to 0", ""),
    ({**issuer(), "langgraph": {"max_delay": float("inf")}}, "langgraph.max_delay", "finite", ""),
    ({**issuer(), "langgraph": {"max_delay": "1h"}}, "langgraph.max_delay", "a number; found a string", ""),
    ({**issuer(), "limits": {"wait_after": 60}}, "limits.wait_after", "less than refresh_after", "at least 90"),
    ({**issuer(), "limits": {"max_stale": 600}}, "limits.max_stale", "less than wait_after", "at least 3600"),
    ({**issuer(), "limits": {"token_bytes": 1.5}}, "limits.token_bytes", "a whole number; found a number", ""),
    ({**issuer(), "limits": {"fetch_timeout": 0}}, "limits.fetch_timeout", "greater than 0", ""),
    ({**issuer(), "limits": {"json_depth": 257}}, "limits.json_depth", "less than or equal to 256", ""),
    ({**issuer(), "limits": []}, "limits", "found a list", ""),
    # what only a Python program can write
    (granting(values={1: ["*:read"]}), "issuer[0].grant[0].values.1", "no string", "quote it"),
    (with_roles(a=["*"]) | {"roles": {1: ["*"]}}, "roles.1", "no string", "quote it"),
    (issuer() | {1: 2}, "1", "no string", "quote it"),
]

TYPING_ERRORS = [
    # a misspelled key that must be there is missing, too: both are said
    (issuer(audience=..., audiance="a"), "issuer[0].audiance", "unknown key", "did you mean 'audience'?"),
    (issuer(issuer=..., isuer=URL), "issuer[0].isuer", "unknown key", "did you mean 'issuer'?"),
    (granting(acept="*"), "issuer[0].grant[0].acept", "unknown key", "did you mean 'accept'?"),
    (with_roles(a={"alow": "*"}), "roles.a.alow", "unknown key", "did you mean 'allow'?"),
]


@pytest.mark.parametrize(("document", "where", "message", "cure"), ONE_MISTAKE)
def test_one_mistake_is_named_once_with_its_place_and_its_cure(
    document: dict[str, Any], where: str, message: str, cure: str
) -> None:
    found = problems(document)
    assert len(found) == 1, found
    assert found[0].where.startswith(where) if not message else found[0].where == where
    assert message in found[0].message
    assert cure in found[0].cure


@pytest.mark.parametrize(("document", "where", "message", "cure"), TYPING_ERRORS)
def test_a_misspelled_key_is_named_with_the_right_one(
    document: dict[str, Any], where: str, message: str, cure: str
) -> None:
    found = [problem for problem in problems(document) if problem.where == where]
    assert [(problem.message, problem.cure) for problem in found] == [(message, cure)]


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
def test_one_mistake_is_not_reported_again_as_its_consequences(changes: dict[str, Any], key: str) -> None:
    document = issuer(**{"issuer": ..., "jwks": ..., **changes})
    assert [problem.where.rpartition(".")[2] for problem in problems(document)] == [key]


@pytest.mark.parametrize("key", ["url", "domain"])
def test_a_key_of_another_preset_is_not_offered_as_its_own_correction(key: str) -> None:
    found = {problem.where: problem for problem in problems(issuer(preset="generic", **{key: "https://x.test"}))}
    assert found[f"issuer[0].{key}"].message == "does not belong to preset 'generic'"
    assert repr(key) not in found[f"issuer[0].{key}"].cure


def test_an_unknown_name_is_said_once() -> None:
    assert [problem.message.count("thread:write") for problem in problems(with_roles(a=["thread:write"]))] == [1]


def test_an_unknown_name_used_in_two_places_is_named_at_both() -> None:
    values = {"a": ["threads:wirte", "threads:wirte"], "b": ["threads:wirte"]}
    assert [p.where for p in problems(granting(values=values))] == [
        "issuer[0].grant[0].values.a",
        "issuer[0].grant[0].values.b",
    ]


def test_a_circle_of_roles_is_named_at_each_role_in_it_and_at_no_other() -> None:
    document = with_roles(a=["b"], b=["c"], c=["a"], d=["a"], e=["*"], f=["e", "e"], g=["f", "e"])
    assert [problem.where for problem in problems(document)] == ["roles.a", "roles.b", "roles.c"]


def test_two_issuers_need_prefixes_and_are_not_the_same_twice() -> None:
    document = {"issuer": [table(name="a"), table(name="a"), table(name="b", issuer="https://b.test")]}
    assert sorted((problem.where, problem.message.split(":")[0]) for problem in problems(document)) == [
        ("issuer[0].identity_prefix", "is missing"),
        ("issuer[1].identity_prefix", "is missing"),
        ("issuer[1].issuer", "'https"),
        ("issuer[2].identity_prefix", "is missing"),
    ]


def test_two_issuers_of_which_one_has_an_empty_prefix_are_fine() -> None:
    document = {"issuer": [table(identity_prefix=""), table(issuer="https://b.test", identity_prefix="b:")]}
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("", "", {1: "'' stands twice"}),
        ("a:", "a:", {0: "'a:' begins another issuer's prefix", 1: "'a:' begins another issuer's prefix"}),
        ("a", "ab:", {0: "'a' begins another issuer's prefix"}),
        ("ab:", "a", {1: "'a' begins another issuer's prefix"}),
    ],
)
def test_prefixes_under_which_two_people_could_have_one_name_are_refused(
    first: str, second: str, found: dict[int, str]
) -> None:
    document = {"issuer": [table(identity_prefix=first), table(issuer="https://b.test", identity_prefix=second)]}
    assert {problem.where: problem.message for problem in problems(document)} == {
        f"issuer[{number}].identity_prefix": message for number, message in found.items()
    }


def test_the_prefix_of_a_second_claim_counts_like_the_issuers_own() -> None:
    client = [{"claim": "uid"}, {"claim": "cid", "prefix": "b:"}]
    document = {"issuer": [table(identity_prefix="a", identity=client), table(issuer=B, identity_prefix="ab:")]}
    assert ("issuer[0].identity_prefix", "'ab:' begins another issuer's prefix") in [
        (problem.where, problem.message) for problem in problems(document)
    ]


def test_a_role_with_tenant_rights_is_refused_where_the_issuer_has_no_tenant() -> None:
    values = {"claim": "r", "values": {"x": ["outer"]}}
    document = {
        "issuer": [
            table(identity_prefix="", tenant="org", grant=values),
            table(issuer=B, identity_prefix="b:", grant=values),
        ],
        "roles": {"outer": ["inner"], "inner": ["threads:read@tenant"]},
    }
    (problem,) = problems(document)
    assert problem.where == "issuer[1].grant[0].values.x"
    assert "'outer' has @tenant rights, and this issuer has no tenant claim" in problem.message


def test_a_tenant_right_in_a_role_needs_an_issuer_with_a_tenant_claim() -> None:
    document = {**issuer(tenant="org"), "roles": {"a": ["threads:read@tenant"]}}
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    ("audience", "grant", "require"),
    [
        (..., {"claim": "scope", "strip_prefix": "agents/", "accept": ["*"]}, {}),
        (..., {"claim": "scp", "strip_prefix": "agents/", "accept": ["*"]}, {}),
        (..., USERS, {"groups": "agents"}),
        ("agents", {"claim": "scope", "accept": ["*"]}, {"groups": "agents"}),
    ],
)
def test_a_client_claim_is_enough_beside_a_scope_prefix_or_a_requirement(
    audience: Any, grant: dict[str, Any], require: dict[str, Any]
) -> None:
    OIDCAuth.from_dict(issuer(audience=audience, client_claim=CLIENT, grant=grant, require=require))


def test_a_public_issuer_is_fine_with_a_requirement_on_who_it_is() -> None:
    OIDCAuth.from_dict(issuer(issuer=GITHUB, require={"repository": "acme/agents"}))
    OIDCAuth.from_dict(issuer(issuer=GITHUB, require={"repository_owner_id": "12345"}))


def test_all_mistakes_are_reported_at_once() -> None:
    document = {
        "issuer": [
            table(algorithms=["HS256"], leeway="x", grant=[{"claim": "a..b", "accept": ["threads:wirte"]}]),
            table(issuer="http://sso.acme.com", jwks=..., header="X", audience=...),
        ],
        "limits": {"token_bytes": -1},
        "roles": {"a": ["a"]},
    }
    assert sorted(problem.where for problem in problems(document)) == [
        "issuer[0].algorithms",
        "issuer[0].grant[0].accept",
        "issuer[0].grant[0].claim",
        "issuer[0].identity_prefix",
        "issuer[0].leeway",
        "issuer[1].audience",
        "issuer[1].header",
        "issuer[1].identity_prefix",
        "issuer[1].issuer",
        "limits.token_bytes",
        "roles.a",
    ]


def test_mistakes_are_reported_in_the_order_of_the_document() -> None:
    document = {"roles": {"b": ["b"], "a": ["qqq"]}, **issuer(leeway=-1, algorithms=["RS1"])}
    wheres = [problem.where for problem in problems(document)]
    assert wheres == ["roles.b", "roles.a", "issuer[0].leeway", "issuer[0].algorithms"]


def test_the_second_grant_is_named_before_the_eleventh() -> None:
    document = issuer(grant=[{"claim": "scope", "accept": ["threads:wirte"]}] * 12)
    assert [p.where for p in problems(document)] == [f"issuer[0].grant[{number}].accept" for number in range(12)]


def test_a_table_is_counted_where_it_stands_whatever_stands_before_it() -> None:
    found = [p.where for p in problems(issuer(grant=["nonsense", {"claim": "scope", "accept": ["threads:wirte"]}]))]
    assert found == ["issuer[0].grant[0]", "issuer[0].grant[1].accept"]
    found = sorted(p.where for p in problems({"issuer": [5, table(leeway=-1, header="X")]}))
    assert found == ["issuer[0]", "issuer[1].header", "issuer[1].leeway"]


def test_the_report_is_one_line_a_problem() -> None:
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
        issuer(jwks=..., jwks_url="https://robot:${SECRET}@sso.acme.com/keys"),
        issuer(jwks=..., issuer="https://robot:${SECRET}@sso.acme.com"),
        issuer(leeway="${SECRET}"),
        issuer(token_type="${SECRET}"),
        issuer(strict_rfc9068="${SECRET}"),
        issuer(tenants="${SECRET}"),
        issuer(jwks="${SECRET}"),
        issuer(grant="${SECRET}"),
        {**issuer(), "langgraph": {"studio": "${SECRET}"}},
        {**issuer(), "langgraph": "${SECRET}"},
    ],
)
def test_a_value_of_the_environment_is_never_shown(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict(document)
    assert "hunter2" not in str(caught.value) + repr(caught.value)


def test_a_document_is_left_as_it_was() -> None:
    document = issuer(preset="keycloak", identity="oid", tenant="org", grant={"claim": "scope", "accept": "*"})
    before = deepcopy(document)
    OIDCAuth.from_dict(document)
    assert document == before
    broken = issuer(header="X")
    problems(broken)
    assert broken["issuer"]["header"] == "X"


def test_any_mapping_will_do() -> None:
    grant = MappingProxyType({"claim": "scope", "accept": ("*",)})
    OIDCAuth.from_dict(MappingProxyType({"issuer": MappingProxyType(table(grant=(grant,)))}))


# --- whatever stands there -------------------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "issuer": [
        table(
            name="a",
            preset="keycloak",
            tenant={"claim": "org", "keys": True},
            identity=[{"claim": "uid", "prefix": "u:"}],
            identity_prefix="a:",
            client_claim=CLIENT,
            require={"groups": ["x"]},
            claims=["email"],
            display_name="name",
            leeway=5,
            grant=[{"claim": "scope", "values": {"x": ["admin"]}, "when": {"azp": ["y"]}, "strip_prefix": "a/"}],
        ),
        table(name="b", issuer="https://b.test", identity_prefix="b:", jwks=..., jwks_url="https://b.test/keys"),
    ],
    "roles": {"admin": {"allow": ["*@all"], "graphs": ["agent"]}},
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
def test_whatever_stands_at_a_place_is_loaded_or_a_problem(place: tuple[Any, ...], value: object) -> None:
    document = deepcopy(WHOLE)
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        OIDCAuth.from_dict(document)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - what else may it raise: nothing
