"""What is known about providers that have no preset."""

from __future__ import annotations

from .record import PublicIssuer

PUBLIC_ISSUERS = (
    PublicIssuer(
        issuers=("https://gitlab.com",),
        owners=("namespace_id", "project_id", "project_path"),
        paths=("project_path",),
    ),
    PublicIssuer(
        issuers=("https://agent.buildkite.com",), owners=("organization_id", "organization_slug", "pipeline_id")
    ),
    PublicIssuer(issuers=("https://app.terraform.io",), owners=("terraform_organization_id", "terraform_workspace_id")),
)
"""Issuers that sign tokens for any customer, from each one's OpenID Connect documentation."""
