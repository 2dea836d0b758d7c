"""`convex admin secrets`: which keys have sealed what, and getting rid of an old one while everything runs."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import msgspec
import typer

from convex_admin.database import connect, record, work_for
from convex_admin.failures import told
from convex_common.exits import Exit
from convex_common.postgres import sealed
from convex_common.postgres.database import Connection
from convex_common.secretbox import SecretBox

WITHOUT_ID = "without an id"


def status(as_json: bool) -> None:
    """Print what each key has sealed; exit 1 where something is sealed by none of them."""
    with told():
        box = _box()
        with connect() as connection:
            found = _counted(connection)
    rows = [_row(key, place, found) for place, key in enumerate(box.key_ids)]
    rows += [_row(key, None, found) for key in sorted(found.keys() - set(box.key_ids) - {WITHOUT_ID})]
    if WITHOUT_ID in found:
        rows.append(_row(WITHOUT_ID, None, found) | {"state": "made before keys had ids: rotate"})
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
    else:
        for row in rows:
            typer.echo(f"{row['key']}  {row['state']}{_told(row['sealed'])}")
    if any(row["state"] == UNKNOWN for row in rows):
        raise typer.Exit(Exit.FAILED)


def rotate(batch: int) -> None:
    """Seal everything anew with the first key; exit 1 where something could not be opened."""
    with told():
        box = _box()
        unreadable = 0
        workspaces: Counter[Any] = Counter()
        with connect(autocommit=True) as connection:
            for column in sealed.SEALED:
                done = 0
                for result in sealed.reseal(connection, column, box, batch):
                    done += result.rows.total()
                    unreadable += result.unreadable
                    workspaces += result.rows
                    typer.echo(f"{column}: {done} sealed anew", err=True)
            for workspace_id, rows in workspaces.items():
                with connection.transaction():
                    work_for(connection, workspace_id)
                    record(connection, workspace_id, "secrets.rotated", rows=rows, key=box.key_ids[0])
            found = _counted(connection)
    typer.echo(
        f"{workspaces.total()} sealed anew with {box.key_ids[0]}, {unreadable} that no key of ENCRYPTION_KEYS opens"
    )
    for key in box.key_ids[1:]:
        if key in found or WITHOUT_ID in found:
            typer.echo(f"{key}: still in use, by what was sealed meanwhile; run this again")
        else:
            typer.echo(f"{key}: unused; it may be removed once no service seals with it any more")
    if unreadable:
        raise typer.Exit(Exit.FAILED)


NEWEST = "seals"
IN_USE = "in use: rotate"
UNUSED = "unused: may be removed"
UNKNOWN = "not in ENCRYPTION_KEYS: nobody can open these"


def _row(key: str, place: int | None, found: dict[str, dict[str, int]]) -> dict[str, Any]:
    counts = found.get(key, {})
    state = UNKNOWN if place is None else NEWEST if place == 0 else IN_USE if counts else UNUSED
    return {"key": key, "state": state, "sealed": counts}


def _counted(connection: Connection) -> dict[str, dict[str, int]]:
    """By key, then by column, where there is any."""
    found: dict[str, dict[str, int]] = {}
    for column in sealed.SEALED:
        for key, rows in sealed.rows_by_key(connection, column).items():
            found.setdefault(key or WITHOUT_ID, {})[str(column)] = rows
    return found


def _told(counts: dict[str, int]) -> str:
    return "".join(f", {column}: {rows}" for column, rows in counts.items())


def _box() -> SecretBox:
    keys = os.environ.get("ENCRYPTION_KEYS", "")
    return SecretBox([key for key in (part.strip() for part in keys.split(",")) if key])
