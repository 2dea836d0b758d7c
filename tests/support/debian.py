"""Debian's binaries without installing them: downloaded as packages, unpacked under `.tools/`."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent.parent / ".tools"
PROGRAMS = {
    "prometheus": ("prometheus", "usr/bin/prometheus"),
    "promtool": ("prometheus", "usr/bin/promtool"),
    "alertmanager": ("prometheus-alertmanager", "usr/bin/prometheus-alertmanager"),
    "amtool": ("prometheus-alertmanager", "usr/bin/amtool"),
}


class Unavailable(Exception):  # noqa: N818 - reads as a state
    """The program cannot be had here, and why."""


def program(name: str) -> Path:
    """The path of one of PROGRAMS, fetched on first use. Raises Unavailable where there is no apt or no package."""
    package, inside = PROGRAMS[name]
    folder = TOOLS / package
    path = folder / inside
    if not path.exists():
        _fetch(package, folder)
    if not path.exists():
        raise Unavailable(f"Debian's {package} has no {inside}")
    return path


def relocated(name: str) -> tuple[Path, Path]:
    """A copy of the program that finds its package's files below the current folder, and the folder to start it in.

    Debian's builds open their templates under /usr/share, where nothing is installed. The copy differs in that path
    alone: relative, and of the same length.
    """
    path, folder = program(name), TOOLS / PROGRAMS[name][0]
    copy = path.with_name(f"{path.name}-relocated")
    if not copy.exists():
        fresh = path.with_name(f"{path.name}-{os.getpid()}")
        fresh.write_bytes(path.read_bytes().replace(b"/usr/share/prometheus/", b"usr/share//prometheus/"))
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy, folder


def program_or_skip(name: str) -> Path:
    """For tests: skipped with a visible reason where there is no apt, never on CI."""
    try:
        return program(name)
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _fetch(package: str, folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(f"{package}: there is no apt-get here to fetch it with")
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=TOOLS) as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # another process was quicker
            return
        if not _download(package, scratch):
            subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True, timeout=180)
            if not _download(package, scratch):
                raise Unavailable(f"{package}: apt-get cannot download it")
        (archive,) = Path(scratch).glob("*.deb")
        unpacked = Path(scratch) / "unpacked"
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True, timeout=120)
        unpacked.rename(folder)


def _download(package: str, folder: str) -> bool:
    done = subprocess.run(
        ["apt-get", "download", "-qq", package], cwd=folder, check=False, capture_output=True, timeout=300
    )
    return done.returncode == 0 and any(Path(folder).glob("*.deb"))
