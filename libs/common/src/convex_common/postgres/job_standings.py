"""Orders about jobs, and what the scheduler saw of the cluster: written here, read by everybody who shows jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.job_standing import CronJobSeen, Order, Sight, Standing
from convex_common.postgres.database import Connection

STANDINGS: Final = """SELECT job, o.suspended, o.ordered_by, o.ordered_at, o.done_at IS NOT NULL,
    c.name, c.schedule, c.time_zone, c.suspended, c.by_values, c.active, c.last_schedule_at, c.last_success_at,
    c.newest_jobs, c.error
FROM job_orders o FULL JOIN cron_jobs c USING (job)"""

SIGHT: Final = "SELECT namespace, reachable, since, error, looked_at FROM cluster_sight"

SUSPENDED: Final = "SELECT ordered_by, ordered_at FROM job_orders WHERE job = %s AND suspended FOR SHARE"

ORDER_SUSPENDED: Final = text("""INSERT INTO job_orders AS o (job, suspended, ordered_by) VALUES (:job, true, :by)
ON CONFLICT (job) DO UPDATE SET suspended = true, ordered_by = excluded.ordered_by, ordered_at = clock_timestamp(),
    done_at = NULL
WHERE NOT o.suspended RETURNING job""")

# Where there is no CronJob that is suspended, nobody has to do anything more.
ORDER_RESUMED: Final = text("""INSERT INTO job_orders AS o (job, suspended, ordered_by, done_at)
SELECT :job, false, :by, CASE WHEN EXISTS (SELECT FROM cron_jobs WHERE job = :job AND suspended) THEN NULL
                         ELSE clock_timestamp() END
ON CONFLICT (job) DO UPDATE SET suspended = false, ordered_by = excluded.ordered_by, ordered_at = clock_timestamp(),
    done_at = excluded.done_at""")

DONE: Final = """UPDATE job_orders SET done_at = clock_timestamp()
WHERE job = %(job)s AND suspended = %(suspended)s AND ordered_at = %(at)s AND done_at IS NULL"""

# What has not changed is not written again: the scheduler looks every few seconds, and rarely sees anything new.
SEEN: Final = """INSERT INTO cron_jobs AS c (job, name, schedule, time_zone, suspended, by_values, active,
    last_schedule_at, last_success_at, newest_jobs, error)
VALUES (%(job)s, %(name)s, %(schedule)s, %(time_zone)s, %(suspended)s, %(by_values)s, %(active)s, %(last_schedule)s,
    %(last_success)s, %(newest_jobs)s, %(error)s)
ON CONFLICT (job) DO UPDATE SET name = excluded.name, schedule = excluded.schedule, time_zone = excluded.time_zone,
    suspended = excluded.suspended, by_values = excluded.by_values, active = excluded.active,
    last_schedule_at = excluded.last_schedule_at, last_success_at = excluded.last_success_at,
    newest_jobs = excluded.newest_jobs, error = excluded.error
WHERE c IS DISTINCT FROM excluded"""

GONE: Final = "DELETE FROM cron_jobs WHERE job <> ALL(%s)"

LOOKED: Final = """INSERT INTO cluster_sight AS s (namespace, reachable, since, error)
VALUES (%(namespace)s, %(reachable)s, clock_timestamp(), %(error)s)
ON CONFLICT (only_one) DO UPDATE SET namespace = excluded.namespace, reachable = excluded.reachable,
    since = CASE WHEN s.reachable = excluded.reachable THEN s.since ELSE excluded.since END, error = excluded.error,
    looked_at = clock_timestamp()"""


async def standings(connection: AsyncConnection) -> dict[str, Standing]:
    """By job; one of which nothing is ordered and nothing was seen is absent."""
    return _by_job((await connection.execute(text(STANDINGS))).all())


async def sight(connection: AsyncConnection) -> Sight | None:
    """Whether the cluster's API answers; None where no scheduler asks it."""
    return _sight((await connection.execute(text(SIGHT))).first())


async def suspend(connection: AsyncConnection, job: str, *, by: str) -> bool:
    """Order that a job be suspended; whether it was not before."""
    return (await connection.execute(ORDER_SUSPENDED, {"job": job, "by": by})).first() is not None


async def resume(connection: AsyncConnection, job: str, *, by: str) -> None:
    """Order that a job be on its timetable again."""
    await connection.execute(ORDER_RESUMED, {"job": job, "by": by})


def read(connection: Connection) -> dict[str, Standing]:
    """As `standings`, for threads."""
    return _by_job(connection.execute(STANDINGS))


def read_sight(connection: Connection) -> Sight | None:
    """As `sight`, for threads."""
    return _sight(connection.execute(SIGHT).fetchone())


def suspended_by(connection: Connection, job: str) -> Order | None:
    """The order by which a job is suspended; nobody takes it back before this transaction ends."""
    row = connection.execute(SUSPENDED, (job,)).fetchone()
    return None if row is None else Order(suspended=True, by=row[0], at=row[1], done=False)


def carried_out(connection: Connection, job: str, order: Order) -> None:
    """The cluster does as this order says; a later one is left alone."""
    connection.execute(DONE, {"job": job, "suspended": order.suspended, "at": order.at})


def seen(connection: Connection, cron_jobs: Mapping[str, CronJobSeen]) -> None:
    """What there is in the cluster, by job; what is absent is gone."""
    for job, cron_job in cron_jobs.items():
        values = {name: getattr(cron_job, name) for name in CronJobSeen.__dataclass_fields__}
        values |= {"job": job, "newest_jobs": Jsonb([dict(one) for one in cron_job.newest_jobs])}
        connection.execute(SEEN, values)
    connection.execute(GONE, (list(cron_jobs),))


def told(connection: Connection, job: str, *, suspended: bool) -> None:
    """The cluster was told so, and did."""
    connection.execute("UPDATE cron_jobs SET suspended = %s, error = NULL WHERE job = %s", (suspended, job))


def refused(connection: Connection, job: str, error: str) -> None:
    """The cluster was told, and does not."""
    connection.execute("UPDATE cron_jobs SET error = %s WHERE job = %s", (error, job))


def looked(connection: Connection, namespace: str, error: str | None) -> None:
    """Whether the cluster's API answered just now."""
    connection.execute(LOOKED, {"namespace": namespace, "reachable": error is None, "error": error})


def forget(connection: Connection) -> None:
    """No scheduler asks the cluster any more."""
    connection.execute("DELETE FROM cron_jobs")
    connection.execute("DELETE FROM cluster_sight")


def _by_job(rows: Iterable[Sequence[Any]]) -> dict[str, Standing]:
    return {row[0]: Standing(_order(row[1:5]), _cron_job(row[5:])) for row in rows}


def _order(row: Sequence[Any]) -> Order | None:
    if row[0] is None:
        return None
    return Order(suspended=row[0], by=row[1], at=row[2], done=row[3])


def _cron_job(row: Sequence[Any]) -> CronJobSeen | None:
    if row[0] is None:
        return None
    return CronJobSeen(
        name=row[0],
        schedule=row[1],
        time_zone=row[2],
        suspended=row[3],
        by_values=row[4],
        active=row[5],
        last_schedule=row[6],
        last_success=row[7],
        newest_jobs=row[8],
        error=row[9],
    )


def _sight(row: Sequence[Any] | None) -> Sight | None:
    if row is None:
        return None
    return Sight(namespace=row[0], reachable=row[1], since=row[2], error=row[3], looked_at=row[4])
