"""The provider guides of the documentation, with the tokens and files of their mistakes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.signing import encode_base64url

PAGES = Path(__file__).parents[2] / "docs" / "providers"
NOW = 1_790_000_000.0

Make = Callable[["Guide", LocalIssuer], str]
"""Return the token of a mistake."""


class Mistake(NamedTuple):
    """One mistake of a page.

    Attributes:
        tokens: The tokens, in the order of the messages. Empty if the file stops the server.
        file: The keys of the issuer that differ from the page's file. None leaves one out.
    """

    tokens: tuple[Make, ...]
    file: dict[str, Any]


class Guide(NamedTuple):
    """A page, or a section of one, with one file and one token.

    Attributes:
        page: The page's name.
        issuer: The issuer of its token.
        identity: The identity that its token gives.
        permissions: Permissions that its token gives.
        mistakes: Its mistakes by heading.
        section: The heading of the section. Empty for a whole page.
        header: What the provider writes into the header.
        reader: The claims of a token with only threads:read.
        address: The keys that name the issuer, for a test with a local one.
        path: The path of the local issuer.
    """

    page: str
    issuer: str
    identity: str
    permissions: frozenset[str]
    mistakes: dict[str, Mistake]
    section: str = ""
    header: dict[str, Any] = {"typ": "JWT"}  # noqa: RUF012 - never changed
    reader: dict[str, Any] | None = None
    address: tuple[str, ...] = ()
    path: str = ""

    @property
    def text(self) -> str:
        """The page, or its section."""
        text = (PAGES / f"{self.page}.md").read_text("utf-8")
        return f"\n{text}".partition(f"\n## {self.section}\n")[2].partition("\n## ")[0] if self.section else text

    def blocks(self, language: str) -> list[str]:
        """Return the code blocks of a language."""
        return find_blocks(language, self.text)

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of the page's token."""
        (token,) = self.blocks("json")
        claims: dict[str, Any] = json.loads(token)
        return claims

    @property
    def messages(self) -> dict[str, list[str]]:
        """The messages of the page by the heading of their mistake."""
        headings = self.text.split("\n### ")[1:]
        return {part.partition("\n")[0]: find_blocks("text", part.partition("\n## ")[0]) for part in headings}

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the page's file with other keys in its issuer. None leaves one out."""
        (toml,) = self.blocks("toml")
        loaded = tomllib.loads(toml)
        table = {**loaded["issuer"][0], **changes}
        return {**loaded, "issuer": [{name: value for name, value in table.items() if value is not None}]}

    def token(self, issuer: LocalIssuer, **changes: Any) -> str:
        """Return the page's token, signed, with other claims."""
        # A claim that the page's token lacks must not come from LocalIssuer.
        members: dict[str, Any] = {"header": self.header, "aud": None, "sub": None, "client_id": None}
        members |= {**self.claims, **changes}
        return issuer.token(**members)


def find_blocks(language: str, text: str) -> list[str]:
    """Return the code blocks of a language in a text."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def sent(**changes: Any) -> Make:
    """Return what signs the page's token with other claims."""
    return lambda guide, issuer: guide.token(issuer, **changes)


def refused(*tokens: Make, **file: Any) -> Mistake:
    """Return a mistake that a token makes."""
    return Mistake(tokens, file)


def stopped(**file: Any) -> Mistake:
    """Return a mistake of the file, at which the server does not start."""
    return Mistake((), file)


def encrypted(guide: Guide, issuer: LocalIssuer) -> str:
    """Return an encrypted token."""
    header = {"alg": "dir", "enc": "A256GCM", "iss": issuer.url}
    return f"{encode_base64url(json.dumps(header).encode())}..aXY.Y2lwaGVy.dGFn"


def opaque(guide: Guide, issuer: LocalIssuer) -> str:
    """Return an opaque token."""
    return "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH"


ROLES = "https://acme.com/roles"
NO_PERMISSIONS = {"permissions": None, ROLES: None}
AUTH0 = Guide(
    page="auth0",
    issuer="https://acme.eu.auth0.com/",
    identity="auth0|65f1c0a2",
    permissions=frozenset({"threads:create", "threads:create_run", "store:get"}),
    reader={"permissions": ["threads:read"]},
    address=("domain",),
    path="/",
    mistakes={
        "The client did not send audience": refused(encrypted, opaque),
        "The client sent its ID token": refused(
            sent(aud="yX3SPAclient", nonce="n", azp=None, scope=None, permissions=None)
        ),
        "The token is for another API": refused(
            sent(aud=["https://acme.eu.auth0.com/api/v2/", "https://acme.eu.auth0.com/userinfo"])
        ),
        "The issuer was written without its slash": stopped(domain=None, issuer="https://acme.eu.auth0.com"),
        "People log in at a custom domain": refused(sent(iss="https://login.acme.com/")),
        "The API signs with HS256": refused(sent(header={"alg": "HS256", "typ": "JWT"})),
        "Permissions are not added to the access token": refused(sent(**NO_PERMISSIONS)),
        "The names are in scope, and the file reads permissions": refused(
            sent(**NO_PERMISSIONS, scope="openid threads:write")
        ),
        "The API's permissions have other names": refused(sent(**{**NO_PERMISSIONS, "permissions": ["read:threads"]})),
        "An administrator logged in without an organization": refused(
            sent(**{**NO_PERMISSIONS, ROLES: ["Agent Admin"], "org_id": None})
        ),
        "The application requires sender constraining": refused(sent(cnf={"jkt": "0tYCoFsV"})),
        "The token has expired": refused(sent(iat=NOW - 90_000, exp=NOW - 3_600)),
        "The audience is missing from the file": stopped(audience=None),
    },
)

TENANT = "8d5f2a3e-0000-4000-8000-000000000001"
OTHER_TENANT = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"
MICROSOFT = "https://login.microsoftonline.com"
ENTRA = Guide(
    page="entra",
    issuer=f"{MICROSOFT}/{TENANT}/v2.0",
    identity="690222be-ff1a-4d56-abd1-7e4f7d38e474",
    permissions=frozenset({"threads:create", "assistants:read", "store:put"}),
    reader={"roles": ["Agent.Reader"]},
    address=("tenants",),
    path=f"/{TENANT}/v2.0",
    mistakes={
        "The API issues tokens of version 1.0": refused(sent(iss=f"https://sts.windows.net/{TENANT}/", ver="1.0")),
        "The client requested a Graph scope": refused(
            sent(aud="00000003-0000-0000-c000-000000000000", header={"typ": "JWT", "nonce": "n"})
        ),
        "The client sent its ID token": refused(
            sent(aud="72f988bf-0000-4000-8000-000000000001", nonce="n", scp=None, azp=None, azpacr=None)
        ),
        "The audience is written as the Application ID URI": refused(
            sent(), audience="api://6e74172b-be56-4843-9ff4-e66a39bb12e3"
        ),
        "The tenant is a domain, or common": stopped(tenants=["common"]),
        "The user belongs to another directory": refused(
            sent(iss=f"{MICROSOFT}/{OTHER_TENANT}/v2.0", tid=OTHER_TENANT)
        ),
        "The user has no app role": refused(sent(roles=None)),
        "The file reads groups, and the user has more than 200": refused(
            sent(roles=None, _claim_names={"groups": "src1"}),
            permission_map=[
                {"claim": "groups", "values": {"c5038c6f-c5ac-44d5-93f5-04ec697d62dc": ["user"]}},
            ],
        ),
    },
)

OKTA = Guide(
    page="okta",
    issuer="https://acme.okta.com/oauth2/default",
    identity="00uk1u7AsAk6dZL3z0g3",
    permissions=frozenset({"threads:create", "assistants:read", "store:put"}),
    header={"typ": None},
    reader={"groups": ["agent-readers"]},
    address=("url",),
    path="/oauth2/default",
    mistakes={
        "The client used the org authorization server": refused(
            sent(iss="https://acme.okta.com", aud="https://acme.okta.com")
        ),
        "The file names the org authorization server": stopped(url="https://acme.okta.com"),
        "Both audiences differ": refused(sent(aud="api://default")),
        "The client sent its ID token": refused(
            sent(aud="0oabskvc6442nkvQO0h7", nonce="n", cid=None, uid=None, scp=None, groups=None)
        ),
        "The groups claim is missing": refused(sent(groups=None)),
        "The group has another name": refused(sent(groups=["Everyone", "Agent Users"])),
        "The token has neither uid nor cid": refused(sent(uid=None, cid=None)),
    },
)

POOL = "eu-west-1_AbCdEf123"
COGNITO = Guide(
    page="cognito",
    issuer=f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}",
    identity="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
    permissions=frozenset({"threads:create", "assistants:read", "store:put"}),
    header={"typ": None},
    reader={"cognito:groups": None, "scope": "openid agents/threads:read"},
    address=("region", "user_pool"),
    path=f"/{POOL}",
    mistakes={
        "The client sent its ID token": refused(
            sent(
                aud="1h57kf5cpq17m0eml12EXAMPLE",
                token_use="id",
                client_id=None,
                scope=None,
                username=None,
            )
        ),
        "The file has an audience": refused(sent(), client_claim=None, audience="1h57kf5cpq17m0eml12EXAMPLE"),
        "The user signed in without hosted pages": refused(sent(scope="aws.cognito.signin.user.admin")),
        "The client requested only openid and profile": refused(sent(scope="openid profile")),
        "Another app client of the pool calls": refused(sent(client_id="7lkq2EXAMPLEmobile")),
        "The file names no client": stopped(client_claim=None),
    },
)

CLIENT_CREDENTIALS = Guide(
    page="service-accounts",
    section="Client credentials",
    issuer="https://acme.okta.com/oauth2/default",
    identity="client:0oaWorker6442nkvQO0h",
    permissions=frozenset({"threads:create", "threads:create_run"}),
    header={"typ": None},
    mistakes={
        "The program requested other scopes": refused(sent(scp=["agents.other"])),
        "The file reads groups only": refused(
            sent(), permission_map=[{"claim": "groups", "values": {"agent-users": ["threads:write"]}}]
        ),
    },
)

GITHUB = "https://token.actions.githubusercontent.com"
GITHUB_ACTIONS = Guide(
    page="service-accounts",
    section="GitHub Actions",
    issuer=GITHUB,
    identity="777",
    permissions=frozenset({"assistants:update", "threads:create_run"}),
    mistakes={
        "The job requested no audience": refused(sent(aud="https://github.com/acme")),
        "Another repository calls": refused(sent(repository="acme/website", repository_id="778")),
        "The job has no environment": refused(sent(environment=None, sub="repo:acme/agents:ref:refs/heads/main")),
        "The file names no repository": stopped(require=None),
    },
)

KUBERNETES = Guide(
    page="service-accounts",
    section="Kubernetes",
    issuer="https://kubernetes.default.svc.cluster.local",
    identity="system:serviceaccount:agents:worker",
    permissions=frozenset({"threads:create_run"}),
    header={"typ": None},
    mistakes={
        "The pod sends its default token": refused(sent(aud=["https://kubernetes.default.svc.cluster.local"])),
        "Another service account calls": refused(sent(sub="system:serviceaccount:jobs:nightly")),
        "The issuer has another name": refused(sent(iss="https://kubernetes.default.svc")),
    },
)

GUIDES = (AUTH0, ENTRA, OKTA, COGNITO, CLIENT_CREDENTIALS, GITHUB_ACTIONS, KUBERNETES)
