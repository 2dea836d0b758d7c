"""Services that run jobs, as processes on real stores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.postgres import Store


def environment(store: Store, redis_url: str, queue_prefix: str, **more: str) -> dict[str, str]:
    """What a service is given."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": store.url,
        "DATABASE_OWNER_URL": store.owner_url,
        "REDIS_URL": redis_url,
        "QUEUE_PREFIX": queue_prefix,
        "METRICS_HOST": "127.0.0.1",
        **more,
    }


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@dataclass
class Service:
    """A running process and its status port."""

    process: subprocess.Popen[str]
    port: int

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def metric(self, sample: str) -> float | None:
        """The value of one sample, such as `up{job="x"}`."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{sample} "):
                return float(line.rpartition(" ")[2])
        return None

    def stop(self) -> int:
        """By SIGTERM; it has ten seconds."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running(name: str, env: dict[str, str], *arguments: str) -> Iterator[Service]:
    """The service as its console script starts it; killed at the end if it still runs."""
    port = free_port()
    process = subprocess.Popen(
        [program(name), *arguments],
        env={**env, "PROMETHEUS_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    service = Service(process, port)
    try:
        yield service
    finally:
        service.kill()


def run_job(env: dict[str, str], *arguments: str, within: float = 60.0) -> tuple[int, str]:
    """`convex-scheduler run …`: exit code and the one line."""
    ended = subprocess.run(
        [program("convex-scheduler"), "run", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    return ended.returncode, ended.stdout.strip()


def rows(store: Store, query: str, *values: Any) -> list[dict[str, Any]]:
    """Read by the owner, as dictionaries."""
    with psycopg.connect(store.owner_url, row_factory=psycopg.rows.dict_row) as owner:
        return owner.execute(query, values).fetchall()


def job_run(store: Store, job: str) -> dict[str, Any]:
    """The only run of a job."""
    (run,) = rows(store, "SELECT * FROM job_runs WHERE job = %s", job)
    return run


def when_status(store: Store, job: str, status: str, *, within: float = 20.0) -> dict[str, Any]:
    """The only run of a job, once it has this status."""

    def look() -> dict[str, Any] | None:
        found = rows(store, "SELECT * FROM job_runs WHERE job = %s", job)
        return found[0] if len(found) == 1 and found[0]["status"] == status else None

    run = eventually(look, within=within, what=f"{job} {status}")
    assert run is not None
    return run


def detail_of(line: str) -> dict[str, Any]:
    """The JSON at the end of a result line."""
    detail: dict[str, Any] = json.loads(line[line.index("{") :])
    return detail
