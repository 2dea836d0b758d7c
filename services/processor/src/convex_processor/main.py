"""The processor's composition root."""

from __future__ import annotations

import logging
import sys

from convex_common.contracts import EVENTS_ACCEPTED
from convex_common.exits import Exit
from convex_common.ids import Ids
from convex_common.postgres.database import Connection, Database, Limits, connect
from convex_common.redis.broker import Sender, Worker, make_broker, standard_middleware
from convex_common.redis.cache.counts import CacheCounts
from convex_common.redis.live import LivePublisher
from convex_common.serving import WorkerProcess, exit_code
from convex_common.settings import load
from convex_common.stores import CACHE, POSTGRES, REDIS
from convex_processor.batches import BatchProcessor
from convex_processor.configurations import Configurations
from convex_processor.drainer import ClaimLimits, Drainer, DrainerPool
from convex_processor.handler import EventHandler
from convex_processor.poller import Poller
from convex_processor.settings import ProcessorSettings

log = logging.getLogger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit 2 and one line where a setting is wrong."""
    return exit_code(lambda: run(load(ProcessorSettings)))


def run(settings: ProcessorSettings) -> int:
    """Wire everything, run, and stop in the order that loses nothing."""
    process = WorkerProcess("processor", settings)
    metrics, measures = process.metrics, process.measures
    ids = Ids()
    configurations = Configurations(CacheCounts("rules", metrics, measures))
    stores = metrics.stores
    sender = Sender(settings.redis_url, settings.queue_prefix, watch=stores.watch(REDIS))
    publisher = LivePublisher(settings.cache_redis_url, settings.queue_prefix, watch=stores.watch(CACHE))
    database = Database(settings.database_url, "convex-processor", size=2, watch=stores.watch(POSTGRES))
    database.open()
    limits = Limits(statement=min(5.0, settings.processor_lease_seconds / 3))

    def batches(connection: Connection) -> BatchProcessor:
        handler = EventHandler(connection, configurations, ids)
        return BatchProcessor(connection, handler, publisher, sender, metrics, measures)

    def drainer() -> Drainer:
        claim_limits = ClaimLimits(settings.processor_batch, settings.processor_lease_seconds)
        return Drainer(
            lambda: connect(settings.database_url, "convex-processor", limits, repeats=True), batches, claim_limits
        )

    pool = DrainerPool(drainer, settings.processor_drainers, full=settings.processor_batch // 2)
    poller = Poller(database, pool.drain)
    broker = make_broker(settings.redis_url, settings.queue_prefix, standard_middleware(metrics), stores.watch(REDIS))
    worker = Worker(broker, {EVENTS_ACCEPTED: lambda _: pool.drain()}, threads=settings.processor_threads)
    with process.serving(ready=pool.healthy.is_set) as stopping:
        worker.start()
        poller.start()
        log.info("processing", extra={"drainers": settings.processor_drainers})
        stopping.wait()
        poller.stop()
        worker.stop(timeout=5.0)
        pool.stop(timeout=10.0)
    database.close()
    broker.close()
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
