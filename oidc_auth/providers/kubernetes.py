"""Kubernetes: tokens of service accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import IssuerForm, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/"

PROVIDER = Provider(
    name="kubernetes",
    title="Kubernetes",
    aliases=("k8s",),
    issuer=IssuerForm(
        template="{issuer}",
        source=f"{DOCS}: the API server's --service-account-issuer",
        parameters=(
            Parameter(
                name="issuer",
                help="The issuer, exactly as its discovery document spells it",
                example="https://kubernetes.default.svc",
            ),
        ),
        recognized=r"https://(kubernetes\.default\.svc|oidc\.eks\.[^/]+\.amazonaws\.com/id/)",
    ),
    tokens=TokenRules(
        settings={"display_name": Sourced(["kubernetes.io", "serviceaccount", "name"], f"{DOCS}: the name")}
    ),
    hints={
        ErrorCode.AUDIENCE_MISMATCH: "Kubernetes: set the audience of the pod's projected volume (serviceAccountToken: "
        "audience).",
    },
    setup=Setup(
        address="the cluster's --service-account-issuer",
        place="the cluster",
        steps=(
            (
                "Nothing is registered, neither an API nor an application. A pod gets a token with a projected volume, "
                "serviceAccountToken: audience: {audience}."
            ),
            (
                "Every pod of the cluster can get one. Map service accounts by their full name, "
                "system:serviceaccount:<namespace>:<name>."
            ),
            (
                "If the key set needs authentication, add ca_file and bearer_file with the paths below "
                "/var/run/secrets/kubernetes.io/serviceaccount."
            ),
            "Let the pod send the token from the volume: 'Authorization: Bearer ...'.",
        ),
        permission_map="""
[[issuer.permission_map]]
claim = "sub"
values = { "system:serviceaccount:agents:worker" = ["threads:create_run"] }
""",
        access_tokens=False,
        tenant_claim="",
    ),
    sample=SampleToken(
        header={"typ": None},
        claims={
            "aud": ["agents"],
            "kubernetes.io": {
                "namespace": "jobs",
                "pod": {"name": "nightly-1", "uid": "2f6a"},
                "serviceaccount": {"name": "nightly", "uid": "7e3b"},
            },
            "sub": "system:serviceaccount:jobs:nightly",
        },
    ),
)


def kubernetes(
    issuer: str, *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a cluster's service accounts.

    Every pod can get a token for any audience: map ``sub``.
    """
    return build_table("kubernetes", {"issuer": issuer, "audience": audience}, permission_map, settings)
