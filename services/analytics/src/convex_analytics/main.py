"""The composition root of analytics."""

from __future__ import annotations

import importlib.util
import logging
import sys

from convex_analytics import aggregation, jobs, pattern_detection, predictions, refresh
from convex_analytics.predictions import Predictions
from convex_analytics.settings import AnalyticsSettings
from convex_analytics.statistics import Statistics
from convex_analytics.worker import HintHandler, Poller
from convex_analytics.writer.api import Anthropic, Price
from convex_analytics.writer.writer import Budget, ModelWriter
from convex_common.contracts import JOB_DUE, PREDICTION_DUE
from convex_common.exits import Exit
from convex_common.ids import Ids
from convex_common.job_timings import JobTimings
from convex_common.postgres.database import Database, Limits
from convex_common.postgres.job_runner import Job, JobRunner
from convex_common.redis.broker import Worker, make_broker
from convex_common.redis.middleware import Traces
from convex_common.serving import WorkerProcess, exit_code
from convex_common.settings import load
from convex_common.stores import POSTGRES, REDIS

log = logging.getLogger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit 2 and one line where a setting is wrong."""
    return exit_code(lambda: run(load(AnalyticsSettings)))


def run(settings: AnalyticsSettings) -> int:
    """Wire everything, run, and stop: a job under way is given back, so that another worker goes on at once."""
    process = WorkerProcess("analytics", settings)
    ids = Ids()
    lease = settings.analytics_lease_seconds
    limits = Limits(statement=min(30.0, lease / 2), idle_in_transaction=lease)
    stores = process.metrics.stores
    database = Database(
        settings.database_url,
        "convex-analytics",
        size=settings.analytics_threads + 2,
        limits=limits,
        watch=stores.watch(POSTGRES),
    )
    database.open()
    statistics = Statistics(database)
    found: dict[str, Job] = {
        aggregation.NAME: aggregation.DailyAggregation(statistics),
        refresh.NAME: refresh.StatisticsRefresh(database, statistics),
        pattern_detection.NAME: pattern_detection.PatternDetection(database, ids),
    }
    foretold: dict[str, Job] = {predictions.NAME: Predictions(database, _writer(settings, database, ids))}
    timings = JobTimings(process.metrics, process.measures)
    analytics = JobRunner(database, JOB_DUE.queue, jobs.analytics(found), lease, timings=timings)
    prediction = JobRunner(database, PREDICTION_DUE.queue, jobs.prediction(foretold), lease, timings=timings)
    # Messages are only hints and are not timed: the runs that they are about are, hinted at or not.
    broker = make_broker(settings.redis_url, settings.queue_prefix, [Traces()], stores.watch(REDIS))
    handlers = {
        JOB_DUE: HintHandler(JOB_DUE, database, analytics, ids),
        PREDICTION_DUE: HintHandler(PREDICTION_DUE, database, prediction, ids),
    }
    worker = Worker(broker, handlers, threads=settings.analytics_threads)
    poller = Poller({JOB_DUE.queue: analytics, PREDICTION_DUE.queue: prediction})
    with process.serving(ready=poller.healthy) as stopping:
        worker.start()
        poller.start()
        log.info("waiting for jobs", extra={"threads": settings.analytics_threads})
        stopping.wait()
        analytics.stop()
        prediction.stop()
        worker.stop(timeout=3.0)
        poller.stop(timeout=2.0)
    database.close()
    broker.close()
    return Exit.DONE


def _writer(settings: AnalyticsSettings, database: Database, ids: Ids) -> ModelWriter | None:
    """A model's words over predictions, where there is a key; without the SDK, which is an extra, a warning."""
    key = settings.anthropic_api_key
    if key is None:
        return None
    if importlib.util.find_spec("anthropic") is None:
        log.warning("ANTHROPIC_API_KEY is set, but its SDK is missing; install convex-analytics[model]")
        return None
    price = Price(settings.anthropic_input_price, settings.anthropic_output_price)

    def model() -> Anthropic:
        return Anthropic(
            key.get_secret_value(),
            settings.anthropic_model,
            base_url=settings.anthropic_base_url,
            thinking=settings.anthropic_thinking_tokens,
            timeout=settings.anthropic_timeout_seconds,
        )

    return ModelWriter(database, model, Budget(price, int(settings.anthropic_monthly_usd * 1_000_000)), ids)


if __name__ == "__main__":
    sys.exit(main())
