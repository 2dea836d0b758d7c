"""Things that are described in a YAML or JSON file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from convex_alerts.cli import names
from convex_alerts.cli.command import WRONG, Session


def read(path: Path | None) -> dict[str, Any]:
    """The file's one object, or that on stdin for `-`; nothing for no file."""
    if path is None:
        return {}
    try:
        return parsed(sys.stdin.read() if str(path) == "-" else path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{path}: cannot be read ({error})", err=True)
        raise typer.Exit(WRONG) from None


def parsed(text: str, where: str) -> dict[str, Any]:
    """One object in YAML, of which JSON is a part."""
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        typer.echo(f"{where}: is no YAML ({' '.join(str(error).split())})", err=True)
        raise typer.Exit(WRONG) from None
    if not isinstance(found, dict):
        typer.echo(f"{where}: should be one object, as `name: value` lines", err=True)
        raise typer.Exit(WRONG)
    return found


def edited(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields that were changed in the person's editor; the others are not among them."""
    import os
    import shlex
    import subprocess
    import tempfile

    import yaml

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="convex-") as folder:
        file = Path(folder) / "edit.yaml"
        file.write_text(yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True))
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except OSError as error:
            typer.echo(f"the editor {editor!r} cannot be run ({error}): set EDITOR, or use options or --file", err=True)
            raise typer.Exit(WRONG) from None
        if done.returncode:
            typer.echo("the editor gave up: nothing was changed", err=True)
            raise typer.Exit(WRONG)
        after = parsed(file.read_text(), where)
    return {name: after.get(name) for name in {**value, **after} if after.get(name) != value.get(name)}


def with_ids(session: Session, fields: dict[str, Any]) -> dict[str, Any]:
    """`framework` and `channels` are names of people's; `framework_id` and `channel_ids` what the API takes."""
    if "framework" in fields:
        fields["framework_id"] = names.id_of(session, "frameworks", str(fields.pop("framework")))
    if "channels" in fields:
        told = fields.pop("channels") or []
        fields["channel_ids"] = [names.id_of(session, "channels", str(name)) for name in told]
    return fields
