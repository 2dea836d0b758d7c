"""The scheduler's composition root: `run` for CronJobs, `serve` for the rest."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from convex_common import logging as json_logging
from convex_common import tracing
from convex_common.errors import NotFound, SettingsError, StoreUnavailable
from convex_common.exits import Exit
from convex_common.ids import Ids
from convex_common.job_timings import JobTimings
from convex_common.metrics import Metrics
from convex_common.postgres.database import Database, Limits
from convex_common.postgres.job_runner import Job, JobRunner
from convex_common.redis.broker import Sender
from convex_common.redis.cache.check import check
from convex_common.redis.measures import MeasureStore
from convex_common.serving import WorkerProcess, exit_code, stop_signals
from convex_common.settings import load
from convex_common.stores import CACHE, POSTGRES, REDIS, UNWATCHED, Watch
from convex_common.timetable import LOCAL_QUEUE, TIMETABLE, ScheduledJob
from convex_scheduler.arguments import parser, slots_of
from convex_scheduler.asking import Asker
from convex_scheduler.jobs import cache_check, cleanup, partitions, retention
from convex_scheduler.kubernetes.keeper import Keeper
from convex_scheduler.kubernetes.nowhere import NoCluster
from convex_scheduler.progress import Progress
from convex_scheduler.readings import Readings
from convex_scheduler.run import RunOnce
from convex_scheduler.self_audit.off import SwitchedOff
from convex_scheduler.self_audit.watch import SelfAudit
from convex_scheduler.serve import Loop
from convex_scheduler.settings import SchedulerSettings

log = logging.getLogger(__name__)

TAKE_OVER_AFTER = dt.timedelta(minutes=1)

KEY_SECONDS = 86_400.0
"""How long the self-audit's key is good for; after a failure, as when it has ended, there is a new one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """`serve` unless told `run JOB`. Exit 2 and one line where a setting or an argument is wrong."""
    words = parser().parse_args(arguments)
    if words.command == "run":
        return exit_code(lambda: run(load(SchedulerSettings), words))
    return exit_code(lambda: serve(load(SchedulerSettings)))


def run(settings: SchedulerSettings, words: argparse.Namespace) -> int:
    """One job; its results on stdout, a line for each slot."""
    json_logging.configure("scheduler", settings.log_level)
    job = TIMETABLE.job(words.job)
    _check_owner(job, settings)
    if words.dry_run:
        return preview(job, settings, words.at or _now())
    slots = slots_of(job, words.since, words.at or _now())
    provider = tracing.configure("scheduler", settings)
    stopping = stop_signals()
    database, sender = _database(settings), Sender(settings.redis_url, settings.queue_prefix)
    database.open()
    measured = MeasureStore(settings.cache_redis_url, settings.queue_prefix)
    runner = _runner(settings, database, measured)
    threading.Thread(target=_stop_with, args=(stopping, runner), daemon=True).start()
    try:
        run_once = RunOnce(database, Asker(database, sender, Ids()), runner, stopping)
        if words.run_id is not None:
            result = run_once.one(job, words.run_id, timeout=words.timeout)
            sys.stdout.write(f"{result.line}\n")
            return result.code
        code = Exit.DONE
        bare = words.at is None and words.since is None and not words.even_suspended
        progress = Progress(sys.stderr, len(slots), time.monotonic)
        for slot in slots:
            result = run_once(job, slot, wait=words.wait, timeout=words.timeout, unless_suspended=bare)
            progress.clear()
            sys.stdout.write(f"{result.line}\n")
            sys.stdout.flush()
            code = max(code, result.code)
            if result.code is Exit.TRY_AGAIN:
                break
            progress.step()
        progress.clear()
    finally:
        stopping.set()
        database.close()
        sender.close()
        measured.close()
        if provider is not None:
            provider.shutdown()
    return code


def preview(job: ScheduledJob, settings: SchedulerSettings, at: dt.datetime) -> int:
    """What retention would do, on stdout."""
    if job.name != retention.NAME or settings.database_owner_url is None:
        raise NotFound(f"{job.name} has no --dry-run", cure=f"only {retention.NAME} has")
    database = _database(settings)
    database.open()
    try:
        told = _retention(settings, database, settings.database_owner_url).preview(at)
    except StoreUnavailable as error:
        sys.stdout.write(f"{job.name} cannot be told: {error}\n")
        return Exit.TRY_AGAIN
    finally:
        database.close()
    sys.stdout.write(f"{job.name} {json.dumps(dict(told))}\n")
    return Exit.DONE


def serve(settings: SchedulerSettings) -> int:
    """The loop on one machine, and the installation's metrics."""
    process = WorkerProcess("scheduler", settings)
    stores = process.metrics.stores
    database = _database(settings, stores.watch(POSTGRES))
    sender = Sender(settings.redis_url, settings.queue_prefix, watch=stores.watch(REDIS))
    database.open()
    timetable = TIMETABLE
    if settings.database_owner_url is None:
        timetable = TIMETABLE.without_owner()
        log.warning(
            "DATABASE_OWNER_URL is missing: %s are left to where it is set",
            " and ".join(job.name for job in TIMETABLE if job.needs_owner),
        )
    measured = MeasureStore(settings.cache_redis_url, settings.queue_prefix, watch=stores.watch(CACHE))
    timings = JobTimings(process.metrics, process.measures)
    runner = _runner(settings, database, measured, timings, beside=_beside(settings))
    loop = Loop(timetable, Asker(database, sender, Ids()), runner, _now, asks=settings.scheduler_loop)
    readings = Readings(database, measured.read, process.metrics, TIMETABLE, _now)
    cluster = _keeper(settings, database, runner, process.metrics) if settings.kubernetes_jobs else NoCluster(database)
    with process.serving(ready=loop.healthy, pages={"/jobs": readings.jobs}) as stopping:
        work: list[tuple[str, Callable[[threading.Event], None]]] = [
            ("loop", loop.run),
            ("readings", readings.run),
            ("cluster", cluster.run),
        ]
        if settings.self_audit_url is None:
            work.append(("self-audit", SwitchedOff(database, Ids()).run))
        else:
            audit = _self_audit(settings, settings.self_audit_url, database, process.metrics, stopping)
            work.append(("self-audit", audit.run))
        threads = [threading.Thread(target=target, args=(stopping,), name=name, daemon=True) for name, target in work]
        for thread in threads:
            thread.start()
        log.info("keeping the timetable", extra={"jobs": [job.name for job in timetable]})
        stopping.wait()
        runner.stop()
        for thread in threads:
            thread.join(timeout=3.0)
    database.close()
    sender.close()
    return Exit.DONE


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _check_owner(job: ScheduledJob, settings: SchedulerSettings) -> None:
    if job.needs_owner and settings.database_owner_url is None:
        raise SettingsError("DATABASE_OWNER_URL: is missing", cure=f"{job.name} needs the role that owns the tables")


def _database(settings: SchedulerSettings, watch: Watch = UNWATCHED) -> Database:
    return Database(settings.database_url, "convex-scheduler", size=3, limits=_limits(settings), watch=watch)


def _limits(settings: SchedulerSettings) -> Limits:
    return Limits(statement=min(10.0, settings.scheduler_lease_seconds / 3))


def _beside(settings: SchedulerSettings) -> dt.timedelta | None:
    """In a cluster what CronJobs and Jobs do is left to them; a slot is taken over that none of them has begun."""
    if not settings.kubernetes_jobs:
        return None
    return dt.timedelta() if settings.scheduler_loop else TAKE_OVER_AFTER


def _runner(
    settings: SchedulerSettings,
    database: Database,
    measured: MeasureStore,
    timings: JobTimings | None = None,
    *,
    beside: dt.timedelta | None = None,
) -> JobRunner:
    jobs: dict[str, Job] = {
        cleanup.NAME: cleanup.JobCleanup(database, enabled=settings.queue_cleanup),
        cache_check.NAME: cache_check.CacheHealthCheck(
            lambda: measured.read(None),
            partial(check, settings.cache_redis_url, settings.redis_url, settings.queue_prefix),
        ),
    }
    if settings.database_owner_url is not None:
        jobs[partitions.NAME] = partitions.MakePartitions(settings.database_owner_url, _limits(settings))
        jobs[retention.NAME] = _retention(settings, database, settings.database_owner_url)
    lease = settings.scheduler_lease_seconds
    return JobRunner(database, LOCAL_QUEUE, jobs.__getitem__, lease, only=tuple(jobs), timings=timings, beside=beside)


def _keeper(settings: SchedulerSettings, database: Database, runner: JobRunner, metrics: Metrics) -> Keeper:
    from convex_scheduler.kubernetes.cluster import Cluster, by_kubeconfig, in_cluster  # costly: see there

    configured = (
        in_cluster(settings.kubernetes_service_account)
        if settings.kubeconfig is None
        else by_kubeconfig(settings.kubeconfig)
    )
    namespace, selector = settings.kubernetes_namespace or "", settings.kubernetes_selector or ""
    return Keeper(
        database,
        Cluster(configured, namespace, selector, metrics),
        TIMETABLE,
        runner.only or (),
        metrics,
        look_every=settings.kubernetes_look_seconds,
    )


def _self_audit(
    settings: SchedulerSettings, url: str, database: Database, metrics: Metrics, stopping: threading.Event
) -> SelfAudit:
    from convex_scheduler.self_audit import ground  # costly: an HTTP and a WebSocket client
    from convex_scheduler.self_audit.api import Api
    from convex_scheduler.self_audit.deadman import Deadman
    from convex_scheduler.self_audit.walk import Walk

    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and the dead man's is a secret
    ids = Ids()
    every, within = settings.self_audit_seconds, settings.self_audit_deadline_seconds
    walk = Walk(lambda: Api(url, ground.prepare(database, ids, KEY_SECONDS)), within, stopping)
    address = None if settings.deadman_url is None else settings.deadman_url.get_secret_value()
    return SelfAudit(database, walk, Deadman(address, metrics).tell, metrics, ids, every, within)


def _retention(settings: SchedulerSettings, database: Database, owner_url: str) -> retention.Retention:
    return retention.Retention(database, owner_url, _limits(settings), settings.terms)


def _stop_with(stopping: threading.Event, runner: JobRunner) -> None:
    stopping.wait()
    runner.stop()


if __name__ == "__main__":
    sys.exit(main())
