"""The records of providers: complete, found by name and issuer, and the only place that names a provider."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import oidc_auth
from oidc_auth.errors import Code
from oidc_auth.providers import PROVIDERS, presets
from oidc_auth.providers.lookup import ALIASES, find_hint, identify_provider, recognize_issuer, resolve_name
from oidc_auth.providers.record import Provider, RefusedToken

PACKAGE = Path(oidc_auth.__file__).parent
NAMES = (
    *("auth0", "authentik", "clerk", "cognito", "entra", "github", "google", "keycloak", "kubernetes", "okta"),
    *("supabase", "workos", "zitadel", "microsoft", "azure", "amazon", "amazonaws", "windows.net", "gitlab"),
    *("buildkite", "terraform", "fusionauth", "descope", "pingone", "hydra"),
)
ALLOWED = {
    # The JSON Schema lists the presets, generated from the records.
    "config/oidc-auth.schema.json",
    # The demo's files are copied from examples/ into the wheel.
    "quickstart",
}
GUID = "8d5f2a3e-0000-4000-8000-000000000001"


def files_outside() -> list[Path]:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    inside = [path.relative_to(PACKAGE).as_posix() for path in files]
    return [
        path
        for path, name in zip(files, inside, strict=True)
        if not name.startswith("providers/") and not any(name.startswith(each) for each in ALLOWED)
    ]


def test_only_the_records_name_a_provider() -> None:
    named = re.compile("|".join(map(re.escape, NAMES)), re.IGNORECASE)
    found = {
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in files_outside()
        for line in path.read_text("utf-8").splitlines()
        if named.search(line)
    }
    assert found == set()


def test_every_module_is_in_the_registry() -> None:
    helpers = {"__init__", "lookup", "preset", "presets", "record", "shapes", "starter_maps", "without_preset"}
    modules = {path.stem for path in (PACKAGE / "providers").glob("*.py")} - helpers
    assert {name.replace("-", "_") for name in PROVIDERS} == modules == set(presets.__all__)


def test_aliases_are_unique_and_no_names() -> None:
    assert len(ALIASES) == sum(len(provider.aliases) for provider in PROVIDERS.values())
    assert ALIASES.keys().isdisjoint(PROVIDERS)
    assert [resolve_name(name) for name in ("azure", "AzureAD", "okta", "other")] == ["entra", "entra", "okta", "other"]


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_template_with_examples_is_recognized(provider: Provider) -> None:
    form = provider.issuer
    issuer = form.template.replace("{tenantid}", GUID)
    for parameter in form.parameters:
        issuer = issuer.replace(f"{{{parameter.name}}}", parameter.example)
    assert form.find_fault(issuer) is None
    assert (recognize_issuer(issuer) is provider) == (provider.name != "generic")


@pytest.mark.parametrize(
    ("preset", "issuer", "found"),
    [
        ("auth0", "https://login.acme.com/", "auth0"),
        ("generic", "https://acme.eu.auth0.com/", "auth0"),
        ("", f"https://{GUID}.ciamlogin.com/{GUID}/v2.0", "entra"),
        ("", f"https://sts.windows.net/{GUID}/", "entra"),
        ("", "http://keycloak:8080/realms/a", "keycloak"),
        ("", "https://id.acme.com", None),
        ("", "https://auth0.com.evil.test/", None),
        ("", f"https://{'a' * 600}.auth0.com/", None),
        ("", 5, None),
    ],
)
def test_provider_is_known_by_preset_or_issuer(preset: str, issuer: object, found: str | None) -> None:
    provider = identify_provider(preset, issuer)
    assert (None if provider is None else provider.name) == found


@pytest.mark.parametrize(
    ("name", "issuer", "fault"),
    [
        ("entra", f"https://login.microsoftonline.com/{GUID}", ("append '/v2.0'", True)),
        ("entra", f"https://login.microsoftonline.com/{GUID}/", ("append '/v2.0'", True)),
        ("entra", f"https://login.microsoftonline.com/{GUID}/v2.0", None),
        ("entra", f"https://{GUID}.ciamlogin.com/{GUID}/v2.0", None),
        ("entra", f"https://sts.windows.net/{GUID}/", None),
        ("entra", "https://login.microsoftonline.com/common/v2.0", (PROVIDERS["entra"].issuer.hint, False)),
        ("auth0", "https://acme.eu.auth0.com", ("append '/'", True)),
        ("auth0", "https://login.acme.com", ("append '/'", False)),
        ("auth0", "https://login.acme.com/", None),
        ("authentik", "https://auth.acme.com/application/o/agents", ("append '/'", True)),
        ("okta", "https://acme.okta.com", (PROVIDERS["okta"].issuer.hint, True)),
        ("keycloak", "https://sso.acme.com", (PROVIDERS["keycloak"].issuer.hint, False)),
    ],
)
def test_fault_of_an_issuer_says_what_to_write(name: str, issuer: str, fault: tuple[str, bool] | None) -> None:
    found = PROVIDERS[name].issuer.find_fault(issuer)
    assert (None if found is None else (found.hint, found.certain)) == fault
    assert found is None or issuer not in found.message


def test_a_hint_of_another_provider_is_not_used() -> None:
    token = RefusedToken(claims={"azp": "web"})
    assert "Audience" in find_hint(Code.AUDIENCE_MISMATCH, token, None)
    assert find_hint(Code.AUDIENCE_MISMATCH, token, PROVIDERS["auth0"]) == ""


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_hints_have_known_placeholders_only(provider: Provider) -> None:
    hints = [*provider.hints.values(), *(mistake.hint for mistake in provider.mistakes)]
    found = {name for hint in hints for name in re.findall(r"\{(\w+)\}", hint)}
    assert found <= {"client", "the_client", "audience", "kind", "issuer"}
