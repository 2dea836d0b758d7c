"""What is on record of every job's runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from convex_common.job_status import Figures
from convex_common.postgres.database import Connection

FIGURES: Final = """SELECT job, coalesce(t.completed, 0), coalesce(t.skipped, 0), coalesce(t.failed, 0),
    coalesce(t.quarantined, 0), t.last_run_at, t.last_status, t.last_seconds, t.last_error, t.last_success_at,
    r.job IS NOT NULL
FROM job_totals t FULL JOIN (SELECT DISTINCT job FROM job_runs WHERE status = 'running') r USING (job)"""


def read(connection: Connection) -> dict[str, Figures]:
    """By job; a job that never ran is absent."""
    return by_job(connection.execute(FIGURES))


def by_job(rows: Iterable[Sequence[Any]]) -> dict[str, Figures]:
    """The rows of FIGURES, whoever read them."""
    return {
        row[0]: Figures(
            completed=row[1],
            skipped=row[2],
            failed=row[3],
            quarantined=row[4],
            last_run=row[5],
            last_status=row[6],
            last_seconds=row[7],
            last_error=row[8],
            last_success=row[9],
            running=row[10],
        )
        for row in rows
    }
