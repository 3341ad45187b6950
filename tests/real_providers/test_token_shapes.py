"""Access tokens with the claims of Auth0, Okta, Entra and Cognito, issued and signed by a real provider.

The claims are those of the providers' documentation (oidc_provider/shapes.mjs names the pages). No live tenant is used.
The issuer has its public name, and the keys are fetched there over HTTP. A fetcher of the tests sends these requests to
127.0.0.1.
"""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_providers.node_provider import NodeProvider, Shape
from real_providers.relying_party import AUDIENCE, ENCRYPTED_AUDIENCE, OTHER_AUDIENCE

from oidc_auth import Caller, ErrorCode, OIDCAuth, TokenError, presets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from real_providers.protected_server import ProtectedServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "auth0" / "oidc-auth.toml"
DOMAIN = "acme.eu.auth0.com"
ENTRA_TENANT = "0f0f0f0f-1111-4222-8333-444444444444"
ENTRA_API = "5a5a5a5a-1111-4222-8333-444444444444"

READ = ["threads:read", "threads:search"]
WRITE = ["threads:create", "threads:create_run", "threads:delete", *READ, "threads:update", "threads:write"]
RUN = ["threads:create_run", *READ]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A provider as in its documentation, the configuration of an API, and its users.

    Attributes:
        shape: the shape of its tokens.
        issuer: the issuer, exactly as the provider writes it.
        audience: the name of the API in `aud`.
        document: the configuration under test.
        user: the login name.
        asked: the scopes that user and machine request.
        accounts: the claims of user and machine.
        is_user: the identity, tenant and permissions of the user's token.
        is_machine: the same for the token of the machine.
        id_token: the error code for an ID token.
    """

    shape: Shape
    issuer: str
    audience: str
    document: dict[str, Any]
    user: str
    asked: tuple[str, str]
    accounts: Mapping[str, Mapping[str, object]]
    is_user: tuple[str, str | None, list[str]]
    is_machine: tuple[str, str | None, list[str]]
    id_token: ErrorCode = ErrorCode.AUDIENCE_MISMATCH


def auth0(shape: Shape) -> Case:
    return Case(
        shape=shape,
        issuer=f"https://{DOMAIN}/",
        audience="https://agents.acme.com",
        # The file of the example.
        document=tomllib.loads(EXAMPLE.read_text("utf-8").replace("${AUTH0_DOMAIN}", DOMAIN)),
        user="auth0|alice",
        asked=("", "threads:read"),
        accounts={
            "auth0|alice": {"permissions": ["threads:write", "billing:read"], "org_id": "org_1"},
            "m2m": {"permissions": ["threads:read"]},
        },
        is_user=("auth0|alice", "org_1", WRITE),
        is_machine=("m2m@clients", None, READ),
    )


def entra(shape: Shape, issuer: str, audience: str, **settings: object) -> Case:
    permission_maps = {
        "roles": {"Agent.User": ["threads:write"], "Agent.Job": ["threads:create_run"]},
        "scp": {"Threads.Read": ["threads:read"]},
    }
    return Case(
        shape=shape,
        issuer=issuer,
        audience=audience,
        document={
            "issuer": presets.entra([ENTRA_TENANT], audience=audience, permission_map=permission_maps, **settings)
        },
        user="pairwise-1",
        asked=("Threads.Read", "Threads.Read"),
        accounts={
            "pairwise-1": {"oid": "oid-alice", "tid": ENTRA_TENANT},
            # The token of a machine has no scopes. Only the application role counts.
            "m2m": {"oid": "oid-job", "tid": ENTRA_TENANT, "roles": ["Agent.Job"]},
        },
        is_user=("oid-alice", ENTRA_TENANT, READ),
        is_machine=("oid-job", ENTRA_TENANT, RUN),
    )


def okta() -> Case:
    issuer = "https://acme.okta.com/oauth2/default"
    table = presets.okta(
        issuer,
        audience="api://agents",
        permission_map={"scp": ["threads:read", "threads:create_run"], "groups": {"agents-users": ["threads:write"]}},
    )
    return Case(
        shape="okta",
        issuer=issuer,
        audience="api://agents",
        document={"issuer": table},
        user="alice@acme.com",
        asked=("threads:read", "threads:create_run threads:write"),
        accounts={"alice@acme.com": {"uid": "00u1", "groups": ["Everyone", "agents-users"]}},
        is_user=("00u1", None, WRITE),
        is_machine=("client:m2m", None, RUN),
    )


def cognito() -> Case:
    table = presets.cognito(
        "eu-west-1",
        "eu-west-1_AbC",
        client_claim={"claim": "client_id", "values": ["web", "m2m"]},
        permission_map=[
            {"claim": "cognito:groups", "values": {"users": ["threads:write"]}},
            {"claim": "scope", "strip_prefix": "agents/", "accept": ["threads:create_run"]},
        ],
    )
    return Case(
        shape="cognito",
        issuer="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
        audience=AUDIENCE,
        document={"issuer": table},
        user="5f0c-alice",
        asked=("agents/threads:create_run", "agents/threads:create_run threads:write"),
        accounts={"5f0c-alice": {"cognito:groups": ["users"]}},
        is_user=("5f0c-alice", None, WRITE),
        is_machine=("m2m", None, RUN),
        id_token=ErrorCode.TOKEN_USE_NOT_ALLOWED,
    )


ENTRA_V2 = entra("entra_v2", f"https://login.microsoftonline.com/{ENTRA_TENANT}/v2.0", ENTRA_API)
ENTRA_V1 = entra(
    "entra_v1",
    f"https://sts.windows.net/{ENTRA_TENANT}/",
    "api://agents",
    aliases=["https://sts.windows.net/{tenantid}/"],
)
CASES = [auth0("auth0"), auth0("auth0_rfc9068"), okta(), ENTRA_V2, ENTRA_V1, cognito()]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.shape)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def issuing(case: Case, installed_provider: None) -> Iterator[NodeProvider]:
    with started(case) as provider:
        yield provider


def started(case: Case) -> NodeProvider:
    return NodeProvider(
        issuer=case.issuer,
        shape=case.shape,
        scopes="Threads.Read agents/threads:create_run",
        audiences={AUDIENCE: case.audience},
        accounts=case.accounts,
    )


def oidc_of(document: Mapping[str, Any], provider: NodeProvider) -> OIDCAuth:
    return OIDCAuth.from_dict(document, fetcher=provider.fetcher())


async def admit(oidc: OIDCAuth, token: str) -> Caller:
    return await oidc.authenticate({"authorization": f"Bearer {token}"})


def refusal(document: Mapping[str, Any], provider: NodeProvider, token: str) -> TokenError:
    with pytest.raises(TokenError) as refused:
        asyncio.run(admit(oidc_of(document, provider), token))
    return refused.value


def test_user_token_gives_identity_and_permissions(case: Case, issuing: NodeProvider) -> None:
    caller = asyncio.run(admit(oidc_of(case.document, issuing), issuing.user_token(case.user, case.asked[0])))
    assert (caller.identity, caller.user().get("tenant"), caller.permissions) == case.is_user


def test_machine_token_gives_identity_and_permissions(case: Case, issuing: NodeProvider) -> None:
    caller = asyncio.run(admit(oidc_of(case.document, issuing), issuing.client_credentials(case.asked[1])))
    assert (caller.identity, caller.user().get("tenant"), caller.permissions) == case.is_machine


def test_id_token_of_same_user_is_rejected(case: Case, issuing: NodeProvider) -> None:
    id_token = issuing.user_tokens(case.user, case.asked[0])["id_token"]
    error = refusal(case.document, issuing, id_token)
    assert error.code is case.id_token
    assert error.hint


def test_token_for_other_api_is_rejected(case: Case, issuing: NodeProvider) -> None:
    if case.shape == "cognito":
        # Without aud, only the client is known.
        ours = {"claim": "client_id", "values": ["web"]}
        document = {"issuer": {**case.document["issuer"], "client_claim": ours}}
        token = issuing.client_credentials(case.asked[1])
        assert refusal(document, issuing, token).code is ErrorCode.CLIENT_NOT_ALLOWED
    else:
        token = issuing.user_token(case.user, case.asked[0], resource=OTHER_AUDIENCE)
        assert refusal(case.document, issuing, token).code is ErrorCode.AUDIENCE_MISMATCH


def test_strict_rfc9068_accepts_only_at_jwt(case: Case, issuing: NodeProvider) -> None:
    (table,) = [case.document["issuer"]] if isinstance(case.document["issuer"], dict) else case.document["issuer"]
    document = {**case.document, "issuer": {**table, "strict_rfc9068": True}}
    token = issuing.client_credentials(case.asked[1])
    if case.shape == "auth0_rfc9068":
        assert asyncio.run(admit(oidc_of(document, issuing), token)).identity == case.is_machine[0]
    else:
        assert refusal(document, issuing, token).code is ErrorCode.TYP_NOT_ALLOWED


def test_replaced_key_stops_at_first_new_token(case: Case, issuing: NodeProvider) -> None:
    async def rotated() -> tuple[str, ErrorCode]:
        # In threads, because the server in this process refuses blocking calls on the event loop.
        oidc = oidc_of(case.document, issuing)
        before = await asyncio.to_thread(issuing.client_credentials, case.asked[1])
        await admit(oidc, before)
        await asyncio.to_thread(issuing.rotate, "RS256", keep_old=False)
        after = await admit(oidc, await asyncio.to_thread(issuing.client_credentials, case.asked[1]))
        with pytest.raises(TokenError) as refused:
            await admit(oidc, before)
        return after.identity, refused.value.code

    assert asyncio.run(rotated()) == (case.is_machine[0], ErrorCode.KEY_NOT_FOUND)


# --- usual mistakes with these providers ---------------------------------------------------------------------------


def test_auth0_issuer_without_slash_is_named(installed_provider: None) -> None:
    with started(CASES[0]) as provider:
        token = provider.client_credentials("threads:read")
        table = {"preset": "generic", "issuer": f"https://{DOMAIN}", "audience": "https://agents.acme.com"}
        error = refusal({"issuer": table}, provider, token)
    assert error.code is ErrorCode.ISSUER_NOT_TRUSTED
    assert f"Set issuer = 'https://{DOMAIN}/'" in error.hint


def test_other_entra_version_is_named(installed_provider: None) -> None:
    with started(ENTRA_V1) as provider:
        error = refusal(ENTRA_V2.document, provider, provider.client_credentials("Threads.Read"))
    assert error.code is ErrorCode.ISSUER_NOT_TRUSTED
    assert "set api.requestedAccessTokenVersion to 2" in error.hint


@pytest.mark.parametrize(
    ("resource", "part"),
    [
        (ENCRYPTED_AUDIENCE, "enc='A256GCM'"),
        ("", "introspection"),
    ],
)
def test_token_without_requested_api_is_named(installed_provider: None, resource: str, part: str) -> None:
    with started(CASES[0]) as provider:
        error = refusal(CASES[0].document, provider, provider.user_token("auth0|alice", "", resource=resource))
    assert error.code is ErrorCode.TOKEN_MALFORMED
    assert part in error.hint
    assert "audience=<your API id>" in error.hint


# --- on the real server ----------------------------------------------------------------------------------------


def test_auth0_namespaced_role_gives_tenant_reach(at_server: ProtectedServer, installed_provider: None) -> None:
    admin = {"https://acme.com/roles": ["Agent Admin"]}
    accounts = {
        "auth0|alice": {"permissions": ["threads:write"], "org_id": "org_1"},
        "auth0|ada": {**admin, "org_id": "org_1"},
        "auth0|mallory": {**admin, "org_id": "org_2"},
    }
    example = CASES[0]
    with NodeProvider(
        issuer=example.issuer, shape="auth0", audiences={AUDIENCE: example.audience}, accounts=accounts
    ) as provider:
        at_server.install(example.document, fetcher=provider.fetcher())
        alice, ada, mallory = (provider.user_token(name, "") for name in accounts)
        made = at_server.request("POST", "/threads", alice, {})
        assert made.json()["metadata"] == {"owner": "auth0|alice", "tenant": "org_1"}
        path = f"/threads/{made.json()['thread_id']}"
        assert [at_server.request("GET", path, token).status_code for token in (alice, ada, mallory)] == [200, 200, 404]
