"""The workflows for GitHub: they are valid, pin their actions, and run the scripts that CI runs here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit.published_schemas import validate

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
PINNED = re.compile(r"^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+(\.\d+){2}$")


def load(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def commands(workflow: dict[Any, Any]) -> list[str]:
    steps = (step for job in workflow["jobs"].values() for step in job["steps"])
    return [step["run"] for step in steps if "run" in step]


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("github-workflows", "workflows/*.yml"),
        ("dependabot", "dependabot.yml"),
        ("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
        ("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
    ],
)
def test_file_for_github_is_valid(schema: str, pattern: str) -> None:
    files = sorted(GITHUB.glob(pattern))
    assert files
    assert validate(schema, *files) == ""


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_by_hash(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text("utf-8"))
    assert used
    assert [action for action in used if not PINNED.match(action)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_may_only_read(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    # PyPI needs the identity of the one job that publishes.
    assert more == ({"publish": {"id-token": "write"}} if file.stem == "release" else {})


def test_every_supported_python_is_tested() -> None:
    jobs = load(GITHUB / "workflows" / "test.yml")["jobs"]
    (setup,) = (step for step in jobs["all-checks"]["steps"] if "setup-python" in step.get("uses", ""))
    tested = {*jobs["python"]["strategy"]["matrix"]["python"], setup["with"]["python-version"].split()[-1]}
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert tested == set(classifiers)


def test_workflows_run_scripts_of_ci() -> None:
    named = {
        script for file in WORKFLOWS for command in commands(load(file)) for script in re.findall(r"\.ci/\w+", command)
    }
    assert named == {".ci/run", ".ci/compatibility", ".ci/package"}
    assert all((ROOT / script).stat().st_mode & 0o111 for script in named)
