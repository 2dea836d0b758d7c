"""The file of profiles: addresses and tokens of installations, readable by their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

import typer

DEFAULT = "default"


class Profile(NamedTuple):
    """An installation, and who one is there."""

    url: str
    token: str


def path() -> Path:
    """CONVEX_PROFILES, or `convex/profiles.toml` in the user's configuration."""
    given = os.environ.get("CONVEX_PROFILES")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "convex" / "profiles.toml"


def has(name: str) -> bool:
    """Whether there is such a profile."""
    return path().exists() and name in load()


def read(name: str) -> Profile:
    """A profile; ends the command where there is none."""
    profiles = load()
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        _end(f"no profile {name!r} in {path()} (there are: {known}); make it by `convex profiles save {name}`")
    return profiles[name]


def load() -> dict[str, Profile]:
    """All of them. Ends the command where others can read the file, or nobody can."""
    import tomllib

    file = path()
    try:
        if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            _end(f"{file} has tokens and others can read it: chmod 600 {file}")
        found: dict[str, Any] = tomllib.loads(file.read_text())
        return {name: Profile(str(kept["url"]), str(kept["token"])) for name, kept in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        _end(f"{file}: is no file of profiles ({error}); mend or remove it")
        raise  # never


def save(profiles: dict[str, Profile]) -> None:
    """Write them, whole or not at all."""
    import json
    import tempfile

    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    tables = [
        f"[{json.dumps(name)}]\nurl = {json.dumps(kept.url)}\ntoken = {json.dumps(kept.token)}\n"
        for name, kept in sorted(profiles.items())
    ]
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".profiles-")  # readable by its owner alone
    with os.fdopen(descriptor, "w") as written:
        written.write("\n".join(tables))
    Path(temporary).replace(file)


def _end(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(2)
