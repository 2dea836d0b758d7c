"""`convex admin audit`: whether the chains hold, where they stand, and all that is in them."""

from __future__ import annotations

import sys
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import typer

from convex_admin.database import Workspace, connect, workspaces
from convex_admin.failures import told
from convex_common.domain.audit import MEANINGS, Head, Verdict
from convex_common.domain.audit import verify as verdict_of
from convex_common.errors import Invalid
from convex_common.exits import Exit
from convex_common.postgres import audit
from convex_common.postgres.database import Connection

_encode = msgspec.json.Encoder().encode


class Anchor(msgspec.Struct, frozen=True):
    """A workspace's head as it is noted outside the database; its hash in hexadecimal."""

    workspace_id: uuid.UUID
    workspace: str
    sequence: int
    hash: str

    @property
    def head(self) -> Head:
        return Head(self.sequence, bytes.fromhex(self.hash))


class _Anchors(msgspec.Struct, frozen=True):
    """A back-up's manifest has them too."""

    audit: list[Anchor]


def head(slug: str | None, as_json: bool) -> None:
    """Print where each chain stands."""
    with told(), _snapshot() as connection:
        anchors = heads(connection, slug)
    if as_json:
        typer.echo(msgspec.json.format(_encode(anchors), indent=2))
        return
    for anchor in anchors:
        typer.echo(f"{anchor.workspace}: {anchor.sequence} {anchor.hash or '-'}")


def heads(connection: Connection, slug: str | None = None) -> list[Anchor]:
    """Each workspace's head; 0 where nothing was recorded yet."""
    found = []
    for workspace in workspaces(connection, slug):
        at = audit.head(connection, workspace.id) or Head(0, b"")
        found.append(Anchor(workspace.id, workspace.slug, at.sequence, at.hash.hex()))
    return found


def verify(slug: str | None, as_json: bool, anchored: Sequence[Path]) -> None:
    """Print each workspace's verdict; exit 1 where one is broken."""
    with told():
        anchors = _anchors(anchored)
        with _snapshot() as connection:
            results = list(verdicts(connection, anchors, slug))
    if as_json:
        typer.echo(msgspec.json.format(_encode([_result(*result) for result in results]), indent=2))
    else:
        for workspace, verdict in results:
            typer.echo(sentence(workspace, verdict), err=verdict.broken is not None)
    if any(verdict.broken for _, verdict in results):
        raise typer.Exit(Exit.FAILED)


def verdicts(
    connection: Connection, anchors: Mapping[uuid.UUID, Sequence[Anchor]], slug: str | None = None
) -> Iterator[tuple[Workspace, Verdict]]:
    """Each workspace's, and those of workspaces that an anchor knows and the database does not any more."""
    known = workspaces(connection, slug)
    gone = set() if slug else anchors.keys() - {workspace.id for workspace in known}
    for workspace in [*known, *(Workspace(lost, anchors[lost][-1].workspace) for lost in gone)]:
        chain = audit.chain(connection, workspace.id)
        noted = [anchor.head for anchor in anchors.get(workspace.id, ())]
        yield workspace, verdict_of(workspace.id, chain, audit.head(connection, workspace.id), noted)


def sentence(workspace: Workspace, verdict: Verdict) -> str:
    """A verdict for a person."""
    if verdict.broken is None:
        return f"{workspace.slug}: {verdict.records} records, all in order"
    broken = verdict.broken
    return f"{workspace.slug}: broken at {broken.sequence}: {MEANINGS[broken.fault]} ({verdict.records} before it hold)"


def export(slug: str | None) -> None:
    """Write every record as a line of JSON."""
    with told(), _snapshot() as connection:
        for workspace in workspaces(connection, slug):
            for record in audit.chain(connection, workspace.id):
                line = {
                    "workspace_id": record.workspace_id,
                    "workspace": workspace.slug,
                    "sequence": record.sequence,
                    "at": record.at,
                    "actor": record.actor,
                    "action": record.action,
                    "subject": record.subject,
                    "detail": msgspec.Raw(record.detail.encode()),
                    "trace_id": record.trace_id,
                    "previous_hash": record.previous_hash.hex(),
                    "hash": record.hash.hex(),
                }
                sys.stdout.buffer.write(_encode(line) + b"\n")
        sys.stdout.buffer.flush()


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """One moment of the database, so that a chain and its head belong together while others write."""
    with connect() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def _anchors(files: Sequence[Path]) -> dict[uuid.UUID, list[Anchor]]:
    anchors: dict[uuid.UUID, list[Anchor]] = defaultdict(list)
    for file in files:
        try:
            noted = msgspec.json.decode(file.read_bytes(), type=list[Anchor] | _Anchors)
            for anchor in noted.audit if isinstance(noted, _Anchors) else noted:
                bytes.fromhex(anchor.hash)
                anchors[anchor.workspace_id].append(anchor)
        except (OSError, ValueError) as error:
            raise Invalid(
                str(file), f"is no anchor ({error})", cure="give what `convex admin audit head --json` printed"
            ) from None
    return anchors


def _result(workspace: Workspace, verdict: Verdict) -> dict[str, Any]:
    broken = verdict.broken
    return {
        "workspace_id": workspace.id,
        "workspace": workspace.slug,
        "records": verdict.records,
        "broken": broken and {"sequence": broken.sequence, "fault": broken.fault, "meaning": MEANINGS[broken.fault]},
    }
