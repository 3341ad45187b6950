"""GitHub Actions: tokens of workflow jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import (
    IssuerForm,
    Mistake,
    Provider,
    PublicIssuer,
    RequiredOption,
    SampleToken,
    Setup,
    Sourced,
    TokenRules,
)

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://docs.github.com/actions/reference/openid-connect-reference"
ISSUER = "https://token.actions.githubusercontent.com"

PROVIDER = Provider(
    name="github-actions",
    title="GitHub Actions",
    aliases=("github", "gha"),
    issuer=IssuerForm(
        template=ISSUER, source=f"{DOCS}: iss", recognized=r"https://token\.actions\.githubusercontent\.com(/|$)"
    ),
    tokens=TokenRules(
        settings={
            "identity": Sourced("repository_id", f"{DOCS}: repository_id; a name can be reassigned"),
            "display_name": Sourced("repository", f"{DOCS}: repository"),
        },
        public=PublicIssuer(
            issuers=(ISSUER,),
            owners=("repository_owner_id", "repository_id", "repository"),
            paths=("repository",),
        ),
    ),
    mistakes=(
        Mistake(
            code=ErrorCode.NO_PERMISSIONS,
            matches=lambda token: "repository_id" in token.claims and "environment" not in token.claims,
            hint="the job names no environment, and the permission map of 'oidc-auth init' reads the claim "
            "environment: add environment: production to the job",
            own_issuer=True,
        ),
    ),
    hints={
        ErrorCode.AUDIENCE_MISMATCH: "GitHub Actions: the job chooses the audience: core.getIDToken('<audience>').",
    },
    setup=Setup(
        place="the workflow",
        steps=(
            (
                "Nothing is registered, neither an API nor an application. A job requests a token itself, "
                "core.getIDToken('{audience}'), with permissions: id-token: write."
            ),
            (
                "Add environment: production to the job, and create that environment in the repository (Settings > "
                "Environments). The permission map reads the claim environment, which tokens of other jobs do not have."
            ),
            (
                "Name with --require the repository that may call: repository_owner_id=<number> (gh api users/<owner> "
                "--jq .id), because names can be reassigned, and repository=<owner>/<name>, because any repository of "
                "the owner can create an environment of that name."
            ),
            "Let the job send that token: 'Authorization: Bearer ...'. It is an ID token. GitHub has no others.",
        ),
        permission_map="""
[[issuer.permission_map]]
claim = "environment"                      # of the job; GitHub enforces its protection rules
values = { production = ["assistants:write@all", "threads:create_run"] }
""",
        required=(
            RequiredOption(
                name="require",
                reason="Without it, any repository on GitHub could call. Any repository of an owner can create an "
                "environment of any name, so the repository must be named too.",
                examples=("repository_owner_id=12345", "repository=acme/agents"),
                one_of=("repository", "repository_id"),
            ),
        ),
        access_tokens=False,
        tenant_claim="",
    ),
    sample=SampleToken(
        claims={
            "aud": "https://agents.acme.com",
            "sub": "repo:acme/agents:environment:production",
            "repository": "acme/agents",
            "repository_id": "777",
            "repository_owner": "acme",
            "repository_owner_id": "12345",
            "ref": "refs/heads/main",
            "environment": "production",
            "job_workflow_ref": "acme/agents/.github/workflows/deploy.yml@refs/heads/main",
        }
    ),
)


def github_actions(
    *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for GitHub Actions.

    GitHub signs tokens for any repository: ``require`` must name yours.
    """
    return build_table("github-actions", {"audience": audience}, permission_map, settings)


def sample_claims(
    repository: str = "acme/agents",
    *,
    repository_id: str = "1001",
    owner_id: str = "12345",
    ref: str = "refs/heads/main",
    environment: str | None = None,
) -> dict[str, Any]:
    """Return the claims of a job's token."""
    return {
        "sub": f"repo:{repository}:ref:{ref}",
        "repository": repository,
        "repository_id": repository_id,
        "repository_owner_id": owner_id,
        "ref": ref,
        "environment": environment,
    }
