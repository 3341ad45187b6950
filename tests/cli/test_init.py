"""``oidc-auth init``: its files are valid, start a real server, and keep existing settings."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.command_runner import error_of, run

from oidc_auth.cli.dev_server import running_dev_server
from oidc_auth.providers import PROVIDERS
from oidc_auth.providers.keycloak import MAPPER_HINT
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from click.testing import Result
    from kit.snapshots import Messages

    from oidc_auth.providers.record import Provider


GUID = "8d5f2a3e-0000-4000-8000-000000000001"
AUDIENCE = ("--audience", "agents-api")
OPTIONS: dict[str, tuple[str, ...]] = {
    "generic": ("--issuer", "https://id.acme.com", *AUDIENCE),
    "auth0": ("--domain", "acme.eu.auth0.com", *AUDIENCE),
    "keycloak": ("--url", "https://sso.acme.com/realms/acme", *AUDIENCE),
    "entra": ("--tenants", GUID, "--audience", GUID),
    "okta": ("--url", "https://acme.okta.com/oauth2/default", *AUDIENCE),
    "cognito": ("--region", "eu-west-1", "--user-pool", "eu-west-1_AbC", "--client", "WEB", "--client", "BATCH"),
    "google": (*AUDIENCE, "--require", "hd=acme.com"),
    "google-iap": AUDIENCE,
    "zitadel": ("--url", "https://acme.zitadel.cloud", *AUDIENCE),
    "authentik": ("--url", "https://auth.acme.com/application/o/agents", *AUDIENCE),
    "supabase": ("--project", "abcdefghijklmnop"),
    "clerk": ("--url", "https://clerk.acme.com", "--client", "https://app.acme.com", "--require", "sts=active"),
    "workos": ("--client-id", "client_01", *AUDIENCE),
    "github-actions": (*AUDIENCE, "--require", "repository_owner_id=12345", "--require", "repository=acme/agents"),
    "kubernetes": ("--issuer", "https://kubernetes.default.svc", *AUDIENCE),
}


def documented(provider: Provider) -> tuple[str, ...]:
    """Return the options that the record gives as an example, for a provider without a separate row."""
    given = [(each.name.replace("_", "-"), each.example) for each in provider.issuer.parameters]
    given += [(each.name, value) for each in provider.setup.required for value in each.examples]
    options = [part for name, value in given for part in (f"--{name}", value)]
    needs = not provider.tokens.client_claim and "audience" not in provider.tokens.settings
    return (*options, *AUDIENCE) if needs else tuple(options)


OPTIONS = {name: OPTIONS.get(name, documented(provider)) for name, provider in PROVIDERS.items()}


def init(folder: Path, provider: str = "generic", *more: str, audience: str = "agents-api") -> Result:
    options = [audience if option == "agents-api" else option for option in OPTIONS[provider]]
    return run("init", provider, *options, "--dir", str(folder), *more)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_documented_options_are_valid(tmp_path: Path, provider: str) -> None:
    done = run("init", provider, *documented(PROVIDERS[provider]), "--dir", str(tmp_path))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("alias", "preset"),
    [
        ("azure", "entra"),
        ("azuread", "entra"),
        ("Azure-AD", "entra"),
        ("cognito", "cognito"),
        ("aws-cognito", "cognito"),
        ("k8s", "kubernetes"),
    ],
)
def test_alias_writes_provider_preset(tmp_path: Path, alias: str, preset: str) -> None:
    assert run("init", alias, *OPTIONS[preset], "--dir", str(tmp_path)).exit_code == 0
    assert tomllib.loads((tmp_path / "oidc-auth.toml").read_text("utf-8"))["issuer"][0]["preset"] == preset


@pytest.mark.parametrize("provider", PROVIDERS)
def test_missing_options_are_reported_together(tmp_path: Path, provider: str) -> None:
    said = run("init", provider, "--dir", str(tmp_path / "a"))
    example = said.output.partition("Example: ")[2].partition("\n")[0].split()
    # The example names everything that is missing, so that the next run succeeds.
    done = run("init", provider, *example, "--dir", str(tmp_path / "b"))
    assert (said.exit_code, done.exit_code) == (2, 0), done.output


@pytest.mark.parametrize("provider", sorted(set(PROVIDERS) - {"authentik"}))
def test_example_options_give_no_warning(tmp_path: Path, provider: str) -> None:
    example = run("init", provider).output.partition("Example: ")[2].partition("\n")[0].split()
    done = run("init", provider, *example, "--dir", str(tmp_path))
    assert (done.exit_code, "warning" in done.output) == (0, False), done.output


def test_github_steps_name_claim_of_map(tmp_path: Path) -> None:
    written = init(tmp_path, "github-actions", "--json")
    document = tomllib.loads((tmp_path / "oidc-auth.toml").read_text("utf-8"))
    (permission_map,) = document["issuer"][0]["permission_map"]
    assert any(f"the claim {permission_map['claim']}" in step for step in json.loads(written.stdout)["steps"])


@pytest.mark.parametrize("provider", sorted(OPTIONS))
def test_starter_configuration_is_valid(tmp_path: Path, provider: str, messages: Messages) -> None:
    written = init(tmp_path / "app", provider)
    assert written.exit_code == 0, written.output
    checked = json.loads(run("check", str(tmp_path / "app" / "oidc-auth.toml"), "--json").output)
    assert (checked["valid"], len(checked["warnings"])) == (True, 1 if provider == "authentik" else 0)
    for warning in checked["warnings"]:
        messages.check(warning)
    assert checked["roles"] or checked["values"] or checked["accepted"]


@pytest.mark.parametrize("provider", sorted(OPTIONS))
def test_init_prints_dashboard_steps(tmp_path: Path, provider: str, messages: Messages) -> None:
    said = json.loads(init(tmp_path, provider, "--json").stdout)
    steps = " ".join(said["steps"])
    assert ("agents-api" in steps) == ("agents-api" in OPTIONS[provider])
    assert "{" not in steps.replace("{issuer}", "")
    messages.check("\n".join(said["steps"]))
    assert sorted(Path(file).name for file in said["written"]) == [
        "graph.py",
        "langgraph.json",
        "oidc-auth.toml",
        "requirements.txt",
    ]


@pytest.mark.parametrize("provider", ["generic", "auth0", "keycloak", "entra", "okta", "cognito"])
def test_init_names_api_registration(tmp_path: Path, provider: str) -> None:
    said = json.loads(init(tmp_path, provider, "--json").stdout)
    assert {"API", "application"} <= set(re.findall(r"\w+", " ".join(said["steps"])))


@pytest.mark.parametrize("provider", ["keycloak", "github-actions", "kubernetes"])
def test_init_names_place_of_steps(tmp_path: Path, provider: str, messages: Messages) -> None:
    said = init(tmp_path, provider).output
    messages.check(next(line for line in said.splitlines() if line.startswith("In ")))


def test_next_commands_are_copyable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spaced = json.loads(init(Path("with space"), "generic", "--json").stdout)["next"]
    assert spaced[2] == "cd 'with space' && langgraph dev --no-browser"
    assert {shlex.split(line)[-1] for line in (*spaced[:2], spaced[3])} == {"with space/oidc-auth.toml"}
    here = json.loads(init(Path(), "generic", "--json").stdout)["next"]
    assert here[2] == "langgraph dev --no-browser"


def test_init_ends_with_next_command(tmp_path: Path) -> None:
    last = init(tmp_path, "keycloak").output.splitlines()[-1]
    assert last == f"next: oidc-auth check {tmp_path / 'oidc-auth.toml'}"


def test_impossible_entra_audience_is_warned(tmp_path: Path, messages: Messages) -> None:
    result = run("init", "entra", "--tenants", GUID, "--audience", "api://agents", "--dir", str(tmp_path))
    assert result.exit_code == 0
    messages.check(result.stderr.strip())
    assert "api://api://" not in result.stdout
    right = run("init", "entra", *OPTIONS["entra"], "--dir", str(tmp_path / "right"))
    assert right.stderr == ""


def test_token_binding_is_written(tmp_path: Path) -> None:
    assert init(tmp_path / "c", "cognito").exit_code == 0
    assert init(tmp_path / "g", "github-actions").exit_code == 0
    cognito, github = (
        tomllib.loads((tmp_path / name / "oidc-auth.toml").read_text("utf-8"))["issuer"][0] for name in ("c", "g")
    )
    assert cognito["client_claim"] == {"claim": "client_id", "values": ["WEB", "BATCH"]}
    assert github["require"] == {"repository_owner_id": "12345", "repository": "acme/agents"}


@pytest.mark.parametrize(
    ("provider", "claim"),
    [("generic", "org_id"), ("auth0", "org_id"), ("google", "hd"), ("github-actions", None), ("kubernetes", None)],
)
def test_tenant_comment_fits_provider(tmp_path: Path, provider: str, claim: str | None) -> None:
    assert init(tmp_path, provider).exit_code == 0
    lines = (tmp_path / "oidc-auth.toml").read_text("utf-8").splitlines()
    found = [line.split("#")[1].strip() for line in lines if line.startswith("# tenant")]
    assert found == ([] if claim is None else [f'tenant = "{claim}"'])


def test_starter_server_exposes_challenge_to_browser(tmp_path: Path) -> None:
    issuer = LocalIssuer()
    with issuer.served() as url:
        app_folder = tmp_path / "app"
        written = run("init", "generic", "--issuer", url, "--audience", "agents", "--dir", str(app_folder))
        assert written.exit_code == 0, written.output
        (tmp_path / "run").mkdir()
        with running_dev_server(app_folder, tmp_path / "run", {}) as server:
            sent = {"authorization": f"Bearer {issuer.token(roles=['agent-user'])}"}
            origin = {"origin": "http://localhost:3000"}
            refused = httpx.post(f"{server.url}/threads", json={}, headers=origin)
            allowed = httpx.post(f"{server.url}/threads", json={}, headers={**origin, **sent})
    assert (refused.status_code, allowed.status_code) == (401, 200)
    assert refused.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_keycloak_mapper_path_is_consistent(tmp_path: Path, messages: Messages) -> None:
    root = Path(__file__).parents[2]
    place = MAPPER_HINT.partition("{client}")[2].partition(" > ")[2].partition(" > Included")[0]
    steps = json.loads(init(tmp_path, "keycloak", "--json").stdout)["steps"]
    guide = (root / "docs" / "providers" / "keycloak.md").read_text("utf-8").partition("## In your own realm")[2]
    example = (root / "examples" / "keycloak" / "oidc-auth.toml").read_text("utf-8").replace("\n# ", " ")
    messages.check(place)
    for told in (" ".join(steps), " ".join(guide.partition("\n## ")[0].split()), example):
        assert place in told


STUDIO = {"origin": "https://smith.langchain.com", "x-auth-scheme": "langsmith"}


@pytest.mark.parametrize(("as_the_page_says", "status", "readable"), [(False, 401, False), (True, 200, True)])
def test_studio_is_denied_unless_enabled(
    tmp_path: Path, *, as_the_page_says: bool, status: int, readable: bool
) -> None:
    app_folder = tmp_path / "app"
    assert init(app_folder).exit_code == 0
    if as_the_page_says:
        page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
        changes = json.loads(page.partition("<!-- studio -->\n```json\n")[2].partition("```")[0])
        written = json.loads((app_folder / "langgraph.json").read_text("utf-8"))
        written["auth"] |= changes["auth"]
        written["http"]["cors"] |= changes["http"]["cors"]
        (app_folder / "langgraph.json").write_text(json.dumps(written), "utf-8")
        with (app_folder / "oidc-auth.toml").open("a", encoding="utf-8") as file:
            file.write('studio = "own"\n')
    (tmp_path / "run").mkdir()
    with running_dev_server(app_folder, tmp_path / "run", {}) as server:
        answer = httpx.post(f"{server.url}/threads", json={}, headers=STUDIO)
    assert answer.status_code == status
    assert (answer.headers.get("access-control-allow-origin") == STUDIO["origin"]) == readable


@pytest.mark.parametrize("name", ["langgraph.json", "oidc-auth.toml"])
def test_init_never_overwrites_files(tmp_path: Path, name: str) -> None:
    text = '{"auth": {"disable_studio_auth": false}}'
    (tmp_path / name).write_text(text, "utf-8")
    refused = init(tmp_path)
    assert (refused.exit_code, name in refused.output) == (1, True)
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [(name, text)]


def test_existing_project_keeps_all_settings(tmp_path: Path) -> None:
    known = {"dependencies": ["./src"], "graphs": {"mine": "./src/a.py:g"}, "http": {"disable_mcp": True}}
    (tmp_path / "langgraph.json").write_text(json.dumps(known, indent=4), "utf-8")
    merged = init(tmp_path, "generic", "--json")
    after = (tmp_path / "langgraph.json").read_text("utf-8")
    document = json.loads(after)
    assert merged.exit_code == 0, merged.output
    assert {**document, "auth": 0, "http": 0} == {**known, "auth": 0, "http": 0}
    assert document["auth"]["path"] == "oidc_auth.langgraph:auth"
    assert document["http"]["disable_mcp"] is True
    assert after.startswith('{\n    "dependencies"')
    assert any("Add langgraph-oidc-auth" in note for note in json.loads(merged.stdout)["notes"])


@pytest.mark.parametrize(
    ("known", "options", "origins", "noted"),
    [
        ({"graphs": {}}, (), ["*"], True),
        ({"graphs": {}}, ("--origin", "https://app.acme.com"), ["https://app.acme.com"], False),
        ({"http": {"cors": {"allow_origins": ["https://a.test"]}}}, (), ["https://a.test"], False),
        (
            {"http": {"cors": {"allow_origins": ["https://a.test"]}}},
            ("--origin", "https://b.test"),
            ["https://a.test", "https://b.test"],
            False,
        ),
        ({"http": {"cors": {"allow_origins": ["*"]}}}, ("--origin", "https://b.test"), ["*"], True),
        (None, (), ["http://localhost:3000"], False),
    ],
)
def test_existing_cors_origins_are_kept(
    tmp_path: Path, known: object, options: tuple[str, ...], origins: list[str], *, noted: bool
) -> None:
    if known is not None:
        (tmp_path / "langgraph.json").write_text(json.dumps(known), "utf-8")
    notes = json.loads(init(tmp_path, "generic", "--json", *options).stdout)["notes"]
    after = json.loads((tmp_path / "langgraph.json").read_text("utf-8"))
    assert after["http"]["cors"]["allow_origins"] == origins
    assert any("allow_origins" in note for note in notes) == noted


@pytest.mark.parametrize("as_json", [True, False])
def test_dry_run_shows_diff_only(tmp_path: Path, *, as_json: bool) -> None:
    text = '{"graphs": {}}\n'
    (tmp_path / "langgraph.json").write_text(text, "utf-8")
    shown = init(tmp_path, "generic", "--dry-run", *(["--json"] if as_json else []))
    diff = json.loads(shown.stdout)["diff"] if as_json else shown.stdout
    assert shown.exit_code == 0
    assert '-{"graphs": {}}' in diff
    assert '+    "path": "oidc_auth.langgraph:auth",' in diff
    assert '+preset = "generic"' in diff
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [("langgraph.json", text)]


def test_force_effects_are_shown_first(tmp_path: Path, messages: Messages) -> None:
    (tmp_path / "oidc-auth.toml").write_text("", "utf-8")
    messages.check(error_of(init(tmp_path)), {tmp_path: "FOLDER"})
    assert "--force" in run("init", "--help").output


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_custom_hook_is_kept_and_named(tmp_path: Path, options: tuple[str, ...]) -> None:
    text = json.dumps({"graphs": {"mine": "./a.py:g"}, "auth": {"path": "./auth.py:auth"}})
    (tmp_path / "langgraph.json").write_text(text, "utf-8")
    refused = init(tmp_path, "generic", *options)
    assert (refused.exit_code, "auth.path is './auth.py:auth'" in refused.output) == (1, True)
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [("langgraph.json", text)]


def test_force_secures_hook_and_keeps_settings(tmp_path: Path) -> None:
    known: dict[str, Any] = {
        "dependencies": ["./src"],
        "graphs": {"mine": "./src/a.py:g"},
        "auth": {"path": "oidc_auth.langgraph:auth"},
        "http": {
            "disable_mcp": True,
            "cors": {"allow_origins": ["https://app.acme.com"], "expose_headers": ["x-mine"]},
        },
    }
    (tmp_path / "langgraph.json").write_text(json.dumps(known), "utf-8")
    assert init(tmp_path, "generic", "--force").exit_code == 0
    after = json.loads((tmp_path / "langgraph.json").read_text("utf-8"))
    assert (after["graphs"], after["dependencies"], after["http"]["disable_mcp"]) == (known["graphs"], ["./src"], True)
    assert after["auth"]["path"] == "oidc_auth.langgraph:auth"
    assert after["auth"]["disable_studio_auth"] is True
    assert after["http"]["cors"]["allow_origins"] == ["https://app.acme.com"]
    assert {"WWW-Authenticate", "Location", "x-mine"} <= set(after["http"]["cors"]["expose_headers"])
    assert not (tmp_path / "graph.py").exists()


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_invalid_langgraph_json_is_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "langgraph.json").write_text(text, "utf-8")
    assert init(tmp_path, "generic", "--force").exit_code == 1
    assert (tmp_path / "langgraph.json").read_text("utf-8") == text
    assert not (tmp_path / "oidc-auth.toml").exists()


def test_doctor_accepts_starter_files(tmp_path: Path) -> None:
    assert init(tmp_path).exit_code == 0
    done = json.loads(run("doctor", str(tmp_path / "oidc-auth.toml"), "--json").output)["checks"]
    found = {check["id"] for check in done if check["status"] not in ("ok", "skipped")}
    assert found == {"keys-reachable"}


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "langgraph.json"])
def test_existing_requirements_are_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}", "utf-8")
    assert init(tmp_path, "generic", "--force").exit_code == 0
    assert (tmp_path / "requirements.txt").exists() == (name == "requirements.txt")
    assert (tmp_path / name).read_text("utf-8") == "{}" or name == "langgraph.json"


def test_existing_graph_is_kept(tmp_path: Path) -> None:
    (tmp_path / "graph.py").write_text("mine", "utf-8")
    assert init(tmp_path).exit_code == 0
    assert (tmp_path / "graph.py").read_text("utf-8") == "mine"


@pytest.mark.parametrize("audience", ['a"\n[roles]\nx = ["*@all"] #', "a\\b", "ä€😀", "a\x7fb"])
def test_special_characters_in_values_are_kept(tmp_path: Path, audience: str) -> None:
    assert init(tmp_path, audience=audience).exit_code == 0
    document = tomllib.loads((tmp_path / "oidc-auth.toml").read_text("utf-8"))
    assert document["issuer"][0]["audience"] == audience
    assert set(document["roles"]) == {"user", "admin"}


def test_invalid_url_writes_nothing(tmp_path: Path, messages: Messages) -> None:
    options = ("--issuer", "http://id.acme.com", "--audience", "a", "--dir", str(tmp_path / "app"))
    refused = run("init", "generic", *options)
    assert refused.exit_code == 1
    messages.check(error_of(refused), {tmp_path: "FOLDER"})
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("keycloak", "--audience", "a"),
        ("keycloak",),
        ("clerk",),
        ("cognito", "--client", "a"),
        ("keycloak", "--audience", "a", "--url", "https://x.test", "--domain", "y"),
        ("keycloak", "--url", "https://x.test/realms/a"),
        ("keycloak", "--url", "sso.acme.com/a", "--audience", "a"),
        ("keycloack", "--audience", "a"),
        ("qqq", "--audience", "a"),
        ("cognito", "--region", "r", "--user-pool", "p"),
        ("cognito", "--region", "r", "--client", "WEB"),
        ("google", "--audience", "a"),
        ("google", "--audience", "a", "--require", "hd"),
        ("github-actions", "--audience", "a"),
        ("github-actions", "--audience", "a", "--require", "repository_owner_id=12345"),
        ("github-actions", "--audience", "a", "--require", "repository=acme/*"),
        ("google", "--audience", "a", "--url", "https://x.test"),
        ("auth0", "--domain", "a.b.c", "--audience", "a", "--client", "x"),
    ],
)
def test_missing_option_is_usage_error(tmp_path: Path, options: tuple[str, ...], messages: Messages) -> None:
    refused = run("init", *options, "--dir", str(tmp_path / "app"))
    assert refused.exit_code == 2
    messages.check(error_of(refused))
    assert refused.output.count("workos") <= 1
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(
    "several", [("--tenants", GUID, "--tenants", GUID[:-1] + "2"), ("--tenants", f"{GUID},{GUID[:-1]}2")]
)
def test_each_named_tenant_is_written(tmp_path: Path, several: tuple[str, ...]) -> None:
    assert run("init", "entra", *several, *AUDIENCE, "--dir", str(tmp_path)).exit_code == 0
    document = tomllib.loads((tmp_path / "oidc-auth.toml").read_text("utf-8"))
    assert document["issuer"][0]["tenants"] == [GUID, f"{GUID[:-1]}2"]


@pytest.mark.parametrize("provider", sorted(OPTIONS))
def test_missing_option_shows_valid_example(tmp_path: Path, provider: str) -> None:
    pairs = list(zip(OPTIONS[provider][::2], OPTIONS[provider][1::2], strict=True))
    keys = {f"--{key.replace('_', '-')}" for key in PROVIDERS[provider].issuer.keys}
    left = [part for pair in pairs if pair[0] not in keys for part in pair]
    said = run("init", provider, *left, "--dir", str(tmp_path / "a")).output
    example = said.partition("Example: ")[2].split()
    done = run("init", provider, *left, *example, "--dir", str(tmp_path / "b"))
    assert (done.exit_code, len(example)) == (0, 2 * len(keys)), done.output


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    refused = init(tmp_path / "file" / "app")
    assert (refused.exit_code, str(tmp_path / "file") in refused.output.replace("\n", "")) == (1, True)


@pytest.mark.parametrize("text", ['{"graphs": {"a": "./a.py:g"}}', '{\n\t"graphs": {"a": "./a.py:g"}\n}\n\n', "{ }"])
def test_unchanged_lines_of_langgraph_json_stay(tmp_path: Path, text: str) -> None:
    (tmp_path / "langgraph.json").write_text(text, "utf-8")
    assert init(tmp_path).exit_code == 0
    after = (tmp_path / "langgraph.json").read_text("utf-8")
    assert json.loads(after)["auth"]["path"] == "oidc_auth.langgraph:auth"
    assert after.startswith(text.rstrip().removesuffix("}").rstrip() if "graphs" in text else "{")


def test_public_url_adds_web_application(tmp_path: Path) -> None:
    done = init(tmp_path, "generic", "--public-url", "https://agents.test/")
    assert done.exit_code == 0, done.output
    written = tomllib.loads((tmp_path / "oidc-auth.toml").read_text("utf-8"))
    assert written["web"] == {"public_url": "https://agents.test/"}
    http = json.loads((tmp_path / "langgraph.json").read_text("utf-8"))["http"]
    assert http["app"] == "oidc_auth.web:app"


def test_own_application_is_kept_and_named(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": {}, "http": {"app": "./mine.py:app"}}), "utf-8")
    done = init(tmp_path, "generic", "--public-url", "https://agents.test")
    http = json.loads((tmp_path / "langgraph.json").read_text("utf-8"))["http"]
    assert (http["app"], "oidc_auth.web.install" in done.output) == ("./mine.py:app", True)


def test_wrong_public_url_writes_nothing(tmp_path: Path) -> None:
    done = init(tmp_path, "generic", "--public-url", "http://agents.test")
    assert (done.exit_code, list(tmp_path.iterdir())) == (1, [])
