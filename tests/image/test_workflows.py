"""The workflows: of GitHub's schema, nothing that zizmor warns of, every action by its commit, no rights beyond need.

GitHub itself does not run here; what a step calls is looked for in the repository.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dockerfile import REPOSITORY, stages

GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yaml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yaml"))
SCRIPTS = Path(sys.executable).parent
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
FILES = [*WORKFLOWS, *ACTIONS]
RIGHTS: dict[str, dict[str, dict[str, str]]] = {
    "ci": {"lint": {}, "test": {}, "image": {}, "chart": {}, "cluster": {}},
    "release": {
        "test": {},
        "image": {"packages": "write", "id-token": "write"},
        "chart": {"packages": "write", "id-token": "write"},
        "npm": {"id-token": "write"},
        "deploy": {},
    },
}
JOBS = [(path, name) for path in WORKFLOWS for name in yaml.safe_load(path.read_text())["jobs"]]


def job(path: Path, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text())["jobs"][name])


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.dependabot", [GITHUB / "dependabot.yml"]),
    ],
)
def test_files_are_of_github_s_schema(schema: str, files: list[Path]) -> None:
    command: list[str | Path] = [SCRIPTS / "check-jsonschema", "--builtin-schema", schema, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert files
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        [SCRIPTS / "zizmor", "--offline", "--no-progress", GITHUB], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_are_pinned_by_commit_and_everywhere_by_the_same() -> None:
    used = {
        line.strip()
        for path in FILES
        for line in re.findall(r"uses: (.*)", path.read_text())
        if not line.startswith("./")
    }
    assert all(PINNED.match(line) for line in used), used
    names = [line.partition("@")[0] for line in used]
    assert len(names) == len(set(names)), sorted(used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_have_the_rights_that_they_need_and_no_others(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    found = {name: its["permissions"] for name, its in workflow["jobs"].items()}
    assert found == {name: {"contents": "read", **more} for name, more in RIGHTS[path.stem].items()}


@pytest.mark.parametrize(("path", "name"), JOBS, ids=lambda value: getattr(value, "stem", value))
def test_a_job_ends_and_leaves_no_credentials_behind(path: Path, name: str) -> None:
    its = job(path, name)
    assert its["timeout-minutes"] <= 60
    for step in its["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_a_pull_request_sees_no_secret() -> None:
    text = (GITHUB / "workflows/ci.yaml").read_text()
    assert "secrets." not in text
    assert "pull_request_target" not in text


def test_the_cluster_gets_what_was_signed_after_somebody_approved() -> None:
    deploy = job(GITHUB / "workflows/release.yaml", "deploy")
    assert deploy["environment"] == "production"
    assert set(deploy["needs"]) == {"image", "chart"}
    assert "needs.image.outputs.reference" in str(deploy["steps"])
    assert "skaffold build" not in str(deploy["steps"])
    assert "skaffold run" not in str(deploy["steps"])


def test_what_steps_name_is_there() -> None:
    text = "".join(path.read_text() for path in FILES)
    profiles = {profile["name"] for profile in yaml.safe_load((REPOSITORY / "skaffold.yaml").read_text())["profiles"]}
    assert set(re.findall(r"--profile (\w+)", text)) == {"ci", "prod"} <= profiles
    assert set(re.findall(r"target: (\w+)", text)) <= stages().keys()
    for action in re.findall(r"uses: \./(\S+)", text):
        assert (REPOSITORY / action / "action.yaml").is_file()
    assert (REPOSITORY / ".ci/run").is_file()
    assert list((REPOSITORY / "charts/convex-alerts/ci").glob("*-values.yaml"))


def test_every_package_has_the_version_that_a_tag_would_have() -> None:
    projects = [*REPOSITORY.glob("libs/*/pyproject.toml"), *REPOSITORY.glob("services/*/pyproject.toml")]
    versions = {re.findall(r'^version = "(.*)"$', path.read_text(), re.MULTILINE)[0] for path in projects}
    for path in REPOSITORY.glob("libs/sdk-typescript/*/package.json"):
        package = json.loads(path.read_text())
        versions |= {package["version"], package["dependencies"].get("@convex-alerts/client", package["version"])}
    assert len(versions) == 1, versions
    chart = yaml.safe_load((REPOSITORY / "charts/convex-alerts/Chart.yaml").read_text())
    assert {str(chart["appVersion"])} == versions
