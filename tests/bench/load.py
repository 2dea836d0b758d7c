"""Starts generators and reads what they found."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.bench.generator import Job, Result

ROOT = Path(__file__).resolve().parent.parent.parent


def start(job: Job) -> subprocess.Popen[str]:
    """A generator at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.generator"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(job)))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str]) -> Result:
    """Its result, waited for."""
    out, _ = process.communicate(timeout=600)
    return Result(**json.loads(out))


def run(job: Job) -> Result:
    """One job, from start to end."""
    return finish(start(job))
