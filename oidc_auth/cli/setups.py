"""How each provider is set up: the entries of ``providers.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from importlib.resources import files

LAST_STEP = "Let the client send the access token ('Authorization: Bearer ...'), never the ID token."
WITHOUT_ACCESS_TOKENS = frozenset({"google", "google-iap", "github-actions", "kubernetes"})
"""Google, GitHub and Kubernetes have no access tokens for your API, and Google's proxy sends its token itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How one provider is set up.

    Attributes:
        address: what its address is, for the comment beside it.
        examples: an example of each option that says which address.
        map: the TOML after the issuer's own keys: grants, and roles where the grants name some.
        place: where its steps are taken.
        steps: what to do there, in order; ``{audience}`` stands for this API's name.
        wants: the options it cannot do without, and why.
        binding: claims one of which ``--require`` must name, in full.
        client: the claim that names the client, for a provider whose tokens name no audience; else "".
    """

    address: str
    map: str
    place: str
    steps: list[str]
    wants: dict[str, str] = field(default_factory=dict[str, str])
    binding: list[str] = field(default_factory=list[str])
    client: str = ""
    examples: dict[str, str] = field(default_factory=dict[str, str])

    def steps_for(self, audience: str) -> list[str]:
        """Return the steps for one API."""
        return [step.replace("{audience}", audience) for step in self.steps]


def setup_of(provider: str) -> Setup:
    """Return how a provider is set up; one without an entry like ``generic``."""
    known = tomllib.loads((files("oidc_auth") / "cli" / "providers.toml").read_text("utf-8"))
    setup = Setup(**known.get(provider, known["generic"]))
    return setup if provider in WITHOUT_ACCESS_TOKENS else replace(setup, steps=[*setup.steps, LAST_STEP])
