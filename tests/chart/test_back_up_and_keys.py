"""docs/operations/back-up.md and keys.md, done: the CronJobs' commands on real databases, the shell on a real kubectl.

kubectl talks to no cluster here: it works on a file (`--local`), by the same code that reads and patches objects.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.chart.network import INTERNET, Peer, allows
from tests.chart.pods import careless, unrestricted
from tests.support.helm import program_or_skip
from tests.support.manifests import KUBE_VERSION, Manifests, helm, parsed
from tests.support.postgres import Store
from tests.support.schemas import problems

OPERATIONS = Path(__file__).resolve().parent.parent.parent / "docs/operations"
CHART = OPERATIONS.parent.parent / "charts/convex-alerts"
SCRIPTS = Path(sys.executable).parent
KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def fenced(name: str, language: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", (OPERATIONS / name).read_text(), re.MULTILINE | re.DOTALL)
    return [str(text) for text in found]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """By Helm itself from the text, whose anchors and merges another YAML could read otherwise."""
    (text,) = fenced("back-up.md", "yaml")
    values = tmp_path_factory.mktemp("values") / "values.yaml"
    values.write_text(
        f"existingSecret: convex-alerts-production\npostgresql: {{enabled: false}}\nvalkey: {{enabled: false}}\n"
        f"networkPolicy: {{enabled: true}}\n{text}"
    )
    return parsed(helm("template", "convex-alerts", CHART, "--values", values, "--kube-version", KUBE_VERSION))


@pytest.mark.parametrize("name", ["convex-alerts-backup", "convex-alerts-restore"])
def test_the_cron_jobs_are_as_good_as_the_charts_own(rendered: Manifests, name: str) -> None:
    (found,) = rendered.all("CronJob", name=name)
    alone = Manifests((found,))
    assert problems(found.body, KUBE_VERSION) == []
    assert unrestricted(alone) == []
    assert careless(alone) == []
    (gateway,) = rendered.all("Deployment", component="gateway")
    assert [box.body["image"] for box in found.template.containers] == [gateway.template.containers[0].body["image"]]
    assert allows(rendered, Peer.of(found.template), INTERNET, 5432), "the database, wherever it is"


def test_the_restore_never_runs_by_itself(rendered: Manifests) -> None:
    (found,) = rendered.all("CronJob", name="convex-alerts-restore")
    assert found.spec["suspend"] is True


def test_what_the_cron_jobs_run_backs_up_and_restores(
    rendered: Manifests, store: Store, empty: str, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    (backups / "old").mkdir()
    os.utime(backups / "old", (0, 0))
    secret = {"database-owner-url": store.owner_url, "database-url": store.url, "encryption-keys": KEY}

    def run(name: str, known: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        (found,) = rendered.all("CronJob", name=name)
        (box,) = found.template.body["spec"]["containers"]
        environment = {
            entry["name"]: known[entry["valueFrom"]["secretKeyRef"]["key"]]
            for entry in box["env"]
            if "valueFrom" in entry
        }
        environment |= {"PATH": f"{SCRIPTS}:/usr/bin:/bin", "HOME": str(tmp_path)}
        environment |= {"BACKUP": known["BACKUP"]} if "BACKUP" in known else {}
        words = [*box["command"], *(text.replace("/backups", str(backups)) for text in box["args"])]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)

    done = run("convex-alerts-backup", secret)
    assert done.returncode == 0, done.stderr
    (made,) = backups.iterdir()
    assert (made / "manifest.json").is_file()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}", made.name)

    elsewhere = {**secret, "database-owner-url": empty}
    refused = run("convex-alerts-restore", elsewhere)
    assert refused.returncode != 0
    assert made.name in refused.stdout
    assert "says which of these" in refused.stderr
    done = run("convex-alerts-restore", {**elsewhere, "BACKUP": made.name})
    assert done.returncode == 0, done.stderr
    with psycopg.connect(empty) as owner:
        assert owner.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_a_job_is_told_which_back_up(rendered: Manifests) -> None:
    (found,) = rendered.all("CronJob", name="convex-alerts-restore")
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "restore-1"},
        "spec": found.spec["jobTemplate"]["spec"],
    }
    (line,) = [line for text in fenced("back-up.md", "sh") for line in text.splitlines() if "kubectl set env" in line]
    words = line.strip().strip("|\\ ").split()
    done = subprocess.run(
        [program_or_skip("kubectl"), *words[1:]], input=json.dumps(job), capture_output=True, text=True, check=True
    )
    (box,) = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["containers"]
    assert {"name": "BACKUP", "value": "2026-01-31T011700"} in box["env"]


class Shell:
    """keys.md's blocks, one after another, in a shell whose kubectl keeps one Secret in a file."""

    def __init__(self, folder: Path, **data: str) -> None:
        self.folder, self.secret = folder, folder / "secret.json"
        encoded = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}
        metadata = {"name": "convex-alerts-production", "namespace": "convex-alerts"}
        self.secret.write_text(
            json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})
        )
        real = program_or_skip("kubectl")
        kubectl = folder / "kubectl"
        kubectl.write_text(
            "#!/bin/sh\nset -e\n"
            '[ "$1 $2" = "--namespace convex-alerts" ]; shift 2\n'
            '[ "$2 $3" = "secret convex-alerts-production" ]; verb=$1; shift 3\n'
            'case "$verb" in\n'
            f"get) {real} patch --local --filename {self.secret} --patch '{{}}' \"$@\" ;;\n"
            f'patch) {real} patch --local --filename {self.secret} "$@" --output json > {folder}/new\n'
            f"  mv {folder}/new {self.secret} ;;\n"
            "*) exit 9 ;;\nesac\n"
        )
        kubectl.chmod(0o755)
        self.functions = next(text for text in fenced("keys.md", "sh") if "set_key()" in text)

    def run(self, containing: str) -> None:
        (block,) = [text for text in fenced("keys.md", "sh") if containing in text and "set_key()" not in text]
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.functions + block],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"},
            check=True,
            timeout=60,
        )

    def __getitem__(self, key: str) -> str:
        return base64.b64decode(json.loads(self.secret.read_text())["data"][key]).decode()

    def has(self, key: str) -> bool:
        return key in json.loads(self.secret.read_text())["data"]


def test_encryption_keys_are_changed_as_written(tmp_path: Path) -> None:
    shell = Shell(tmp_path, encryption_keys=f"{KEY},older", jwt_secret="untouched")
    shell.run("openssl rand -base64 32")
    new = (tmp_path / "new.key").read_text().strip()
    assert len(base64.urlsafe_b64decode(new)) == 32
    shell.run("printf '%s,%s'")
    assert shell["encryption-keys"] == f"{KEY},older,{new}"
    shell.run("sed -E")
    assert shell["encryption-keys"] == f"{new},{KEY},older"
    shell.run("cut -d,")
    assert shell["encryption-keys"] == new
    assert shell["jwt-secret"] == "untouched"
    assert not (tmp_path / "patch.json").exists()


def test_the_secret_of_tokens_is_changed_as_written(tmp_path: Path) -> None:
    shell = Shell(tmp_path, jwt_secret="x" * 32)
    shell.run("openssl rand -hex 32")
    assert shell["jwt-secret-previous"] == "x" * 32
    assert re.fullmatch(r"[0-9a-f]{64}", shell["jwt-secret"])
    shell.run("/data/jwt-secret-previous")
    assert not shell.has("jwt-secret-previous")
