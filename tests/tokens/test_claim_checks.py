"""The checks of the claims: use, audience, client, times, requirements, identity and tenant."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, Publisher
from kit.check_cases import (
    ID_TOKENS,
    Case,
    Cases,
    check_admission,
    check_refusal,
    with_claims,
    without_claim,
)
from kit.clock import NOON
from kit.tokens import sign_token

from oidc_auth.errors import ErrorCode
from oidc_auth.tokens.checks import CHECKS, Stage
from oidc_auth.tokens.policy import RESERVED_IDENTITIES

if TYPE_CHECKING:
    from collections.abc import Callable

LEEWAY = 30
LONG = 10 * 365 * 86_400

cases = Cases()
refused, admitted = cases.refused, cases.admitted


for kind in ("ID", "Refresh", "Offline", "Logout"):
    refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, f"payload typ {kind}", with_claims(typ=kind))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "token_use id", with_claims(token_use="id"))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "token_use refresh", with_claims(token_use="refresh"))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "an ID token issued with a code", with_claims(c_hash="h"))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "c_hash null, with typ Bearer", with_claims(c_hash=None, typ="Bearer"))
refused(
    ErrorCode.TOKEN_USE_NOT_ALLOWED, "a Bearer that is used as an ID token", with_claims(typ="Bearer", token_use="id")
)
refused(
    ErrorCode.TOKEN_USE_NOT_ALLOWED,
    "a logout token",
    with_claims(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
)
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "events null", with_claims(events=None))
refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, "a session that is not finished (Clerk)", with_claims(sts="pending"))
admitted("a session that is", with_claims(sts="active"))


def as_id_token(**claims: Any) -> Callable[[Publisher], str]:
    return lambda i: sign_token(i, {"typ": "JWT"}, **claims)


for claims in ({"typ": "Bearer"}, {"typ": "Refresh"}, {"token_use": "access"}, {"typ": "ID", "events": {}}):
    refused(ErrorCode.TOKEN_USE_NOT_ALLOWED, f"{claims} where ID tokens are wanted", as_id_token(**claims), **ID_TOKENS)
for claims in ({}, {"typ": "ID"}, {"token_use": "id"}, {"c_hash": "h"}):
    admitted(f"{claims} where ID tokens are wanted", as_id_token(**claims), **ID_TOKENS)
admitted("payload typ Bearer", with_claims(typ="Bearer"))
admitted("token_use access", with_claims(token_use="access"))
admitted("nonce and at_hash, which access tokens of some providers carry", with_claims(nonce="n", at_hash="h"))

for audience in ("agent", "agents2", "Agents", " agents", "agents other", "", "account", None, 1, True, {"agents": 1}):
    refused(ErrorCode.AUDIENCE_MISMATCH, f"aud {audience!r}", with_claims(aud=audience))
for audiences in ([], ["other"], ["account", "other"], ["agents", 1], [["agents"]], [None], ["agents", {}], ["*"]):
    refused(ErrorCode.AUDIENCE_MISMATCH, f"aud {audiences!r}", with_claims(aud=audiences))
refused(ErrorCode.AUDIENCE_MISMATCH, "no aud", without_claim("aud"))
refused(ErrorCode.AUDIENCE_MISMATCH, "azp instead of aud", without_claim("aud", azp="agents", client_id="agents"))
refused(ErrorCode.AUDIENCE_MISMATCH, "a pattern", with_claims(aud="agents"), audience=["agent*"])
for audiences in (["agents"], ["other", "agents"]):
    admitted(f"aud {audiences}", with_claims(aud=audiences))
admitted("the second configured audience", with_claims(aud="agents"), audience=["others", "agents"])
admitted("no aud, where the check is skipped by name", without_claim("aud"), audience=None, insecure_skip_audience=True)

SEVERAL = ["agents", "other"]
for azp in ("other", "Agents", "agents ", "agent*", "", None, 1, True, ["agents"], [], {"agents": 1}):
    for aud in ("agents", ["agents"], SEVERAL):
        refused(ErrorCode.AZP_NOT_ALLOWED, f"aud {aud}, azp {azp!r}", as_id_token(aud=aud, azp=azp), **ID_TOKENS)
for aud in (SEVERAL, ["agents", "agents"], ["agents", "agents-2"]):
    both = {**ID_TOKENS, "audience": ["agents", "agents-2"]}
    refused(ErrorCode.AZP_NOT_ALLOWED, f"aud {aud}, no azp", as_id_token(aud=aud), **both)
refused(ErrorCode.AZP_NOT_ALLOWED, "client_id for azp", as_id_token(aud=SEVERAL, client_id="agents"), **ID_TOKENS)
APP: dict[str, Any] = {**ID_TOKENS, "allowed_clients": ["app"]}
refused(ErrorCode.AZP_NOT_ALLOWED, "azp of an unlisted app", as_id_token(aud=SEVERAL, azp="other"), **APP)
refused(ErrorCode.CLIENT_NOT_ALLOWED, "azp of the audience, app listed", as_id_token(azp="agents"), **APP)
for aud in ("agents", SEVERAL):
    admitted(f"aud {aud}, azp of a listed app", as_id_token(aud=aud, azp="app"), **APP)
    admitted(f"aud {aud}, azp of the audience", as_id_token(aud=aud, azp="agents"), **ID_TOKENS)
    admitted(f"aud {aud}, azp of another client, an access token", with_claims(aud=aud, azp="other"))
admitted("aud of one member, no azp", as_id_token(aud=["agents"]), **ID_TOKENS)
admitted(
    "another azp, where the audience check is skipped by name",
    as_id_token(aud=SEVERAL, azp="other"),
    **{**ID_TOKENS, "audience": None, "insecure_skip_audience": True},
)

BINDING: dict[str, Any] = {
    "client_claim": {"claim": "client_id", "values": ["web", "ci-*"]},
    "require": {"org": "acme"},
}
for client in ("we", "web2", "ci", "", None, 1, [], [1], {"web": 1}, True):
    refused(ErrorCode.CLIENT_NOT_ALLOWED, f"client {client!r}", with_claims(client_id=client, org="acme"), **BINDING)
refused(ErrorCode.CLIENT_NOT_ALLOWED, "no client", with_claims(org="acme"), **BINDING)
refused(
    ErrorCode.CLIENT_NOT_ALLOWED,
    "no aud and another client",
    without_claim("aud", client_id="x", org="acme"),
    audience=None,
    **BINDING,
)
for known in ("web", "ci-1", ["x", "web"]):
    admitted(f"client {known!r}", with_claims(client_id=known, org="acme"), **BINDING)
admitted("no aud and a known client", without_claim("aud", client_id="web", org="acme"), audience=None, **BINDING)
refused(
    ErrorCode.AUDIENCE_MISMATCH,
    "a known client and another aud",
    with_claims(aud="x", client_id="web", org="acme"),
    **BINDING,
)

NO_TIMES = ("1800000300", "", None, True, False, [NOON + 300], {"t": 1}, 1e308, -1e308, 253_402_300_800, 2**64 - 1)
for claim, code in (
    ("exp", ErrorCode.TOKEN_EXPIRED),
    ("nbf", ErrorCode.TOKEN_NOT_YET_VALID),
    ("iat", ErrorCode.TOKEN_ISSUED_IN_FUTURE),
):
    for no_time in NO_TIMES:
        refused(code, f"{claim} {no_time!r}", with_claims(**{claim: no_time}))
refused(ErrorCode.TOKEN_EXPIRED, "no exp", without_claim("exp"))
refused(ErrorCode.TOKEN_EXPIRED, "exp at the leeway's end", lambda i: i.token(), later=300 + LEEWAY)
refused(ErrorCode.TOKEN_EXPIRED, "exp, without leeway", lambda i: i.token(), later=300, leeway=0)
refused(ErrorCode.TOKEN_EXPIRED, "exp 0", with_claims(exp=0))
refused(ErrorCode.TOKEN_EXPIRED, "exp negative", with_claims(exp=-1))
refused(ErrorCode.TOKEN_NOT_YET_VALID, "nbf a second before the leeway", with_claims(nbf=NOON + 31))
refused(ErrorCode.TOKEN_NOT_YET_VALID, "nbf, without leeway", with_claims(nbf=NOON + 1), leeway=0)
refused(ErrorCode.TOKEN_ISSUED_IN_FUTURE, "iat a second before the leeway", with_claims(iat=NOON + 31))
refused(ErrorCode.TOKEN_ISSUED_IN_FUTURE, "iat in milliseconds", with_claims(iat=NOON * 100))
admitted("exp a second before the leeway's end", lambda i: i.token(), later=300 + LEEWAY - 1)
admitted("exp a second before, without leeway", lambda i: i.token(), later=299, leeway=0)
admitted("exp at the end of the year 9999", with_claims(exp=253_402_300_799))
admitted("exp with a fraction", with_claims(exp=NOON + 0.5))
for claim in ("nbf", "iat"):
    admitted(f"{claim} at the leeway", with_claims(**{claim: NOON + LEEWAY}))
    admitted(f"{claim} a second too early, a second later", with_claims(**{claim: NOON + 31}), later=1)
    admitted(f"{claim} now, without leeway", with_claims(**{claim: NOON}), leeway=0)
admitted("neither nbf nor iat", without_claim("iat"))

refused(
    ErrorCode.TOKEN_TOO_OLD,
    "at max_token_age and leeway",
    with_claims(exp=NOON + LONG),
    later=60 + LEEWAY,
    max_token_age=60,
)
refused(
    ErrorCode.TOKEN_TOO_OLD,
    "at max_token_age, without leeway",
    with_claims(exp=NOON + LONG),
    later=60,
    max_token_age=60,
    leeway=0,
)
refused(ErrorCode.TOKEN_TOO_OLD, "no iat", without_claim("iat"), max_token_age=60)
admitted(
    "a second before max_token_age and leeway", with_claims(exp=NOON + LONG), later=60 + LEEWAY - 1, max_token_age=60
)
admitted("years later, without max_token_age", with_claims(exp=NOON + LONG), later=LONG)

SHORT_LIVES = {"store": "memory", "max_token_lifetime": 600}
for lifetime in (601, 86_400, LONG):
    refused(
        ErrorCode.TOKEN_LIFETIME_TOO_LONG, f"{lifetime} s", with_claims(exp=NOON + lifetime), revocation=SHORT_LIVES
    )
# When its end is near, a revocation of such a token could have expired already.
refused(
    ErrorCode.TOKEN_LIFETIME_TOO_LONG,
    "near its end",
    with_claims(exp=NOON + 601),
    later=600,
    revocation=SHORT_LIVES,
)
refused(ErrorCode.TOKEN_LIFETIME_TOO_LONG, "no iat", without_claim("iat"), revocation=SHORT_LIVES)
refused(
    ErrorCode.TOKEN_LIFETIME_TOO_LONG,
    "a day and a second by default",
    with_claims(exp=NOON + 86_401),
    revocation={"store": "memory"},
)
admitted("the longest lifetime", with_claims(exp=NOON + 600), revocation=SHORT_LIVES)
admitted("a lifetime of a day by default", with_claims(exp=NOON + 86_400), revocation={"store": "memory"})

WANTED: dict[str, Any] = {"require": {"org.id": "*", '"a.b"': "*", "https://acme.test/x": ["*"]}}
GIVEN: dict[str, Any] = {"org": {"id": "acme"}, "a.b": 0, "https://acme.test/x": "x"}
for missing in GIVEN:
    refused(ErrorCode.CLAIM_MISSING, f"{missing} is absent", without_claim(missing, **GIVEN), **WANTED)
    refused(ErrorCode.CLAIM_MISSING, f"{missing} is null", with_claims(**{**GIVEN, missing: None}), **WANTED)
refused(ErrorCode.CLAIM_MISSING, "half a path", with_claims(**{**GIVEN, "org": {}}), **WANTED)
refused(ErrorCode.CLAIM_MISSING, "a path through a string", with_claims(**{**GIVEN, "org": "id"}), **WANTED)
refused(
    ErrorCode.CLAIM_MISSING, "a path spelled as one name", without_claim("org", **GIVEN, **{"org.id": "acme"}), **WANTED
)
admitted("every required claim, with any value", with_claims(**GIVEN), **WANTED)

CLIENTS: dict[str, Any] = {"allowed_clients": ["web", "cli"]}
for clients in (
    {},
    {"azp": "x"},
    {"client_id": "x"},
    {"azp": "x", "client_id": "web"},
    {"azp": None, "client_id": "web"},
):
    refused(ErrorCode.CLIENT_NOT_ALLOWED, f"{clients}", with_claims(**clients), **CLIENTS)
for other in ("", "we", "web2", 1, True, ["web"], {"web": 1}):
    refused(ErrorCode.CLIENT_NOT_ALLOWED, f"azp {other!r}", with_claims(azp=other), **CLIENTS)
for clients in ({"azp": "web"}, {"client_id": "cli"}, {"azp": "web", "client_id": "x"}):
    admitted(f"{clients}", with_claims(**clients), **CLIENTS)
admitted("any client, where none is listed", with_claims(azp="x"))

for confirmation in ({"jkt": "x"}, {"x5t#S256": "x"}, {}, None, "x"):
    refused(ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, f"cnf {confirmation!r}", with_claims(cnf=confirmation))

DEMANDS: dict[str, Any] = {"require": {"org": ["acme", "beta-*"], "realm.level": "gold"}}
for org in ("acm", "acme2", "beta", "ACME", "beta", "", None, 1, True, [], [1], {"acme": 1}, ["other"], "acme gold"):
    refused(ErrorCode.REQUIREMENT_NOT_MET, f"org {org!r}", with_claims(org=org, realm={"level": "gold"}), **DEMANDS)
refused(ErrorCode.REQUIREMENT_NOT_MET, "no org", with_claims(realm={"level": "gold"}), **DEMANDS)
refused(ErrorCode.REQUIREMENT_NOT_MET, "only one of two", with_claims(org="acme", realm={"level": "silver"}), **DEMANDS)
for flag in (False, 1, "True", "TRUE", "yes", None):
    refused(ErrorCode.REQUIREMENT_NOT_MET, f"flag {flag!r}", with_claims(flag=flag), require={"flag": "true"})
for set_flag in (True, "true", [True]):
    admitted(f"flag {set_flag!r}", with_claims(flag=set_flag), require={"flag": "true"})
admitted("flag False", with_claims(flag=False), require={"flag": "false"})
WRONG: tuple[tuple[Any, list[Any]], ...] = (
    (7, [70, "70", 7.0, -7, True, "07"]),
    (1, [True, 1.0]),
    ("7.0", [7]),
    (True, [1, "True"]),
)
for number, wrong in WRONG:
    for unequal in wrong:
        refused(
            ErrorCode.REQUIREMENT_NOT_MET, f"{number!r}: {unequal!r}", with_claims(n=unequal), require={"n": number}
        )
NUMBERS: dict[Any, list[object]] = {
    7: [7, "7", [7], ["x", 7]],
    0: [0],
    -1: [-1],
    "7.0": [7.0],
    1.5: [1.5],
    2**63: [2**63],
}
for number, same in NUMBERS.items():
    for equal in same:
        admitted(f"{number!r}: {equal!r}", with_claims(n=equal), require={"n": number})
PRESENT: tuple[Any, ...] = (False, 0, "x", [False], ["", "x"], {"x": None}, 1.5)
for anything in PRESENT:
    admitted(f"any value, {anything!r}", with_claims(n=anything), require={"n": "*"})
EMPTY: tuple[Any, ...] = (None, "", " ", "\u3000", [], {}, [None], ["", []])
for empty in EMPTY:
    refused(ErrorCode.CLAIM_MISSING, f"any value, {empty!r}", with_claims(n=empty), require={"n": "*"})
refused(ErrorCode.CLAIM_MISSING, "any value, absent", without_claim("n"), require={"n": "*"})
refused(ErrorCode.REQUIREMENT_NOT_MET, "a dot is literal", with_claims(org="axb"), require={"org": "a.b"})
refused(ErrorCode.REQUIREMENT_NOT_MET, "a star in the token is literal", with_claims(org="*"), require={"org": "acme"})
for right in ("acme", "beta-", "beta-1", ["other", "acme"], [1, "beta-x"]):
    admitted(f"org {right!r}", with_claims(org=right, realm={"level": "gold"}), **DEMANDS)

for unusable in ("", " ", "\u00a0", "\t", None, 0, 42, True, 1.5, [], ["alice"], {"alice": 1}):
    refused(ErrorCode.IDENTITY_INVALID, f"sub {unusable!r}", with_claims(sub=unusable))
for control in ("\0", "\n", "\r", "\x1f", "\x7f", "\x80", "\x85", "\x9f"):
    refused(ErrorCode.IDENTITY_INVALID, f"sub with {control!r}", with_claims(sub=f"al{control}ice"))
for reserved in sorted(RESERVED_IDENTITIES):
    refused(ErrorCode.IDENTITY_INVALID, f"sub {reserved}", with_claims(sub=reserved))
refused(ErrorCode.IDENTITY_INVALID, "a reserved name by its prefix", with_claims(sub="tem"), identity_prefix="sys")
refused(ErrorCode.IDENTITY_INVALID, "no sub", without_claim("sub"))
refused(ErrorCode.IDENTITY_INVALID, "256 characters", with_claims(sub="é" * 256))
refused(ErrorCode.IDENTITY_INVALID, "256 with its prefix", with_claims(sub="x" * 253), identity_prefix="ci:")
ORDERED: dict[str, Any] = {
    "identity": [{"claim": "oid"}, {"claim": "user.id", "prefix": "u:"}, {"claim": "sub", "prefix": "s:"}]
}
for first in ("", None, 1, ["alice"], "anonymous"):
    refused(ErrorCode.IDENTITY_INVALID, f"the first claim is {first!r}", with_claims(oid=first), **ORDERED)
for second in ("", None, 1, ["alice"]):
    refused(ErrorCode.IDENTITY_INVALID, f"the second claim is {second!r}", with_claims(user={"id": second}), **ORDERED)
for other_user in ("u:7", "s:alice", "u:"):
    refused(ErrorCode.IDENTITY_INVALID, f"the first claim is {other_user!r}", with_claims(oid=other_user), **ORDERED)
refused(ErrorCode.IDENTITY_INVALID, "none of the claims", without_claim("sub"), **ORDERED)
admitted("an identity of 255 characters", with_claims(sub="é" * 255))
admitted("a reserved name, kept apart by a prefix", with_claims(sub="system"), identity_prefix="ci:")
admitted("a reserved name in another case", with_claims(sub="System"))

TENANT: dict[str, Any] = {"tenant": "org"}
TENANT_KEYS: dict[str, Any] = {"tenant": {"claim": "org", "object_keys": True}}
NO_TENANTS: tuple[Any, ...] = (1.5, 7.0, {"acme": {}}, {}, " ", "\t", "ac\nme", "a\x85", "x" * 256)
NO_TENANTS += ([1.5], [None], [""], [["acme"]], ["a", 1.5], ["a", None])
for tenant in NO_TENANTS:
    refused(ErrorCode.TENANT_INVALID, f"tenant {str(tenant)[:20]!r}", with_claims(org=tenant), **TENANT)
for tenant_keys in (1.5, {" ": 1}, {"ac\nme": 1}, {"x" * 256: 1}, [{"acme": 1}]):
    refused(
        ErrorCode.TENANT_INVALID, f"tenant {str(tenant_keys)[:20]!r}, keys", with_claims(org=tenant_keys), **TENANT_KEYS
    )
for usable in ("acme", "", None, ["acme"], [], ["acme", "other"], "x" * 255, 7, True, [7], ["a", 1]):
    admitted(f"tenant {str(usable)[:20]!r}", with_claims(org=usable), **TENANT)
    admitted(f"tenant {str(usable)[:20]!r}, keys", with_claims(org=usable), **TENANT_KEYS)
for memberships in ({"acme": 1}, {}, {"acme": 1, "other": 2}):
    admitted(f"tenant {memberships}, keys", with_claims(org=memberships), **TENANT_KEYS)
admitted("no tenant", lambda i: i.token(), **TENANT)
admitted("any org without a tenant setting", with_claims(org=1))


@pytest.mark.parametrize(("code", "case"), cases.refusals)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    check_refusal(code, case)


@pytest.mark.parametrize("case", cases.admissions)
def test_token_at_limit_is_accepted(case: Case) -> None:
    check_admission(case)


def test_every_check_has_cases() -> None:
    assert cases.codes == {check.code for check in CHECKS if check.stage is Stage.CLAIMS}


def test_first_present_identity_claim_is_used() -> None:
    harness = AuthHarness(**ORDERED)
    who = [
        asyncio.run(harness.admit(harness.issuer.token("s", **claims))).identity
        for claims in ({}, {"user": {"id": "7"}}, {"user": {"id": "7"}, "oid": "o"}, {"user": "7"})
    ]
    assert who == ["s:s", "u:7", "o", "s:s"]


def test_unrepresentable_number_is_still_explained() -> None:
    harness = AuthHarness()
    explained = harness.oidc.explain({"sub": "alice", "aud": "agents", "exp": 10**400})
    assert "found int" in {check.code: check.detail for check in explained.checks}[ErrorCode.TOKEN_EXPIRED]
