"""The examples with containers: their files are valid and fit together. Nothing here starts a container."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kit.examples import EXAMPLES
from kit.published_schemas import validate
from kit.requirements import skip_or_fail

from oidc_auth import OIDCAuth

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE, KUBERNETES = EXAMPLES / "compose", EXAMPLES / "kubernetes"
WITH_IMAGE = sorted(file.parent.name for file in EXAMPLES.glob("*/langgraph.json"))
WITH_CONFIG_MAP = {"kubernetes"}
"""Their configuration is mounted, and not in the image."""


def load_yaml(*files: Path) -> list[dict[str, Any]]:
    return [document for file in files for document in yaml.safe_load_all(file.read_text("utf-8"))]


def services() -> dict[str, dict[str, Any]]:
    (document,) = load_yaml(COMPOSE / "compose.yaml")
    found: dict[str, dict[str, Any]] = document["services"]
    return found


def deployment() -> dict[str, Any]:
    return load_yaml(KUBERNETES / "deployment.yaml")[0]


def server_container() -> dict[str, Any]:
    found: dict[str, Any] = deployment()["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*/compose.yaml")), ids=lambda file: file.parent.name)
def test_compose_file_is_valid(file: Path) -> None:
    assert validate("compose-spec", file) == ""


@pytest.mark.parametrize("name", ["deployment.yaml", "service.yaml"])
def test_kubernetes_file_is_valid(name: str) -> None:
    missing = importlib.util.find_spec("kubernetes_validate") is None
    skip_or_fail("kubernetes", "kubernetes-validate is not installed" if missing else None)
    import kubernetes_validate

    documents = load_yaml(KUBERNETES / name)
    assert documents
    for document in documents:
        # It raises an error for an unknown key.
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_compose_server_reads_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services()["server"]["environment"].items():
        monkeypatch.setenv(name, value)
    oidc = OIDCAuth.from_file(COMPOSE / "oidc-auth.toml")
    assert oidc.revocation is not None
    toml = (COMPOSE / "oidc-auth.toml").read_text("utf-8")
    keycloak = services()["keycloak"]
    # The issuer in tokens and the name of the service are written in both files.
    assert f'url = "{keycloak["environment"]["KC_HOSTNAME"]}/realms/acme"' in toml
    assert "http://keycloak:8080/" in toml


def test_kubernetes_server_reads_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = dict(line.split("=", 1) for line in (KUBERNETES / "secret.env.example").read_text("utf-8").splitlines())
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    assert OIDCAuth.from_file(KUBERNETES / "oidc-auth.toml").revocation is not None
    (kustomization,) = load_yaml(KUBERNETES / "kustomization.yaml")
    (config_map,), (secrets,) = kustomization["configMapGenerator"], kustomization["secretGenerator"]
    container, (volume,) = server_container(), deployment()["spec"]["template"]["spec"]["volumes"]
    (mount,) = container["volumeMounts"]
    assert (volume["name"], volume["configMap"]["name"]) == (mount["name"], config_map["name"])
    assert container["envFrom"] == [{"secretRef": {"name": secrets["name"]}}]
    assert container["env"] == [{"name": "OIDC_AUTH_CONFIG", "value": f"{mount['mountPath']}/{config_map['files'][0]}"}]
    assert all((KUBERNETES / name).is_file() for name in [*config_map["files"], *kustomization["resources"]])


def test_probes_use_readiness_for_traffic_only() -> None:
    container = server_container()
    paths = {name: container[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe", "startupProbe")}
    assert paths == {"readinessProbe": "/auth/ready", "livenessProbe": "/ok", "startupProbe": "/ok"}
    assert "/auth/ready" in services()["server"]["healthcheck"]["test"]


def test_kubernetes_objects_select_the_same_pods() -> None:
    service, budget = load_yaml(KUBERNETES / "service.yaml")
    labels = deployment()["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment()["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        budget["spec"]["selector"]["matchLabels"],
    ]
    assert selectors == [labels] * 3


@pytest.mark.parametrize("name", WITH_IMAGE)
def test_image_contains_library_and_configuration(name: str, tmp_path: Path) -> None:
    folder, dockerfile = EXAMPLES / name, tmp_path / "Dockerfile"
    command = [sys.executable, "-m", "langgraph_cli", "dockerfile", "-c", str(folder / "langgraph.json")]
    subprocess.run([*command, str(dockerfile)], capture_output=True, check=True, timeout=50)  # noqa: S603 - our own arguments
    text = dockerfile.read_text("utf-8")
    assert re.search(r"^ADD requirements\.txt .*\nRUN .*-r \S*/requirements\.txt$", text, re.MULTILINE)
    assert re.search(r"^langgraph-oidc-auth\b", (folder / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    # The server looks for the configuration in its working folder, which is the one that this line fills.
    (added,) = re.findall(r"^ADD \. (\S+)$", text, re.MULTILINE)
    assert f"WORKDIR {added}" in text
    assert is_in_image(folder, "oidc-auth.toml") is (name not in WITH_CONFIG_MAP)
    assert is_in_image(folder, "graph.py")


@pytest.mark.parametrize("name", WITH_IMAGE)
def test_image_contains_no_secrets(name: str) -> None:
    secrets = ["realm.json", "compose.yaml", ".env", "secret.env", "Dockerfile", ".langgraph_api/store.pckl"]
    assert [file for file in secrets if is_in_image(EXAMPLES / name, file)] == []


@pytest.mark.parametrize("name", WITH_IMAGE)
def test_image_names_its_server_version(name: str) -> None:
    assert json.loads((EXAMPLES / name / "langgraph.json").read_text("utf-8"))["api_version"] == "0.16"


def is_in_image(folder: Path, name: str) -> bool:
    """Tell whether ``ADD .`` copies a file. The examples exclude everything and name what belongs into the image."""
    excluded, *included = [
        line for line in (folder / ".dockerignore").read_text("utf-8").splitlines() if line and not line.startswith("#")
    ]
    assert excluded == "*"
    assert all(line.startswith("!") for line in included)
    return f"!{name}" in included
