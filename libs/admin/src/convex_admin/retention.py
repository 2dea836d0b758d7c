"""`convex admin retention`: for how long a workspace keeps what was recorded, where that is shorter than elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from convex_admin.owner import connect, told, work_for, workspaces
from convex_common.domain.audit import Act
from convex_common.domain.retention import SHORTEST
from convex_common.postgres import audit, retention
from convex_common.postgres.bootstrap import OPERATOR


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
        audit.record_now(connection, workspace.id, Act(OPERATOR, "retention.changed", slug, {**terms}))
    _tell(terms)


def _tell(terms: retention.OwnTerms) -> None:
    for kind in SHORTEST:
        days = terms[kind]
        typer.echo(f"{kind}: {'as the installation' if days is None else f'{days} days'}")
