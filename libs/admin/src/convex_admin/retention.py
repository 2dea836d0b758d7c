"""`convex admin retention`: for how long a workspace keeps what was recorded, where that is shorter than elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from convex_admin.database import connect, record, work_for, workspaces
from convex_admin.failures import told
from convex_common.domain.retention import SHORTEST
from convex_common.postgres import retention


def show(slug: str) -> None:
    """Print the workspace's own terms."""
    with told(), connect() as connection:
        (workspace,) = workspaces(connection, slug)
        work_for(connection, workspace.id)
        terms = retention.find(connection, workspace.id)
    _tell(terms)


def change(slug: str, changed: Mapping[str, int | None]) -> None:
    """Change those that are given; 0 takes a term away."""
    given = {kind: days or None for kind, days in changed.items() if days is not None}
    with told(), connect() as connection:
        (workspace,) = workspaces(connection, slug)
        work_for(connection, workspace.id)
        terms = retention.change(connection, workspace.id, given)
        record(connection, workspace.id, "retention.changed", **terms)
    _tell(terms)


def _tell(terms: retention.OwnTerms) -> None:
    for kind in SHORTEST:
        days = terms[kind]
        typer.echo(f"{kind}: {'as the installation' if days is None else f'{days} days'}")
