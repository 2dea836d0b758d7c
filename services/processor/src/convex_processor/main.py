"""The processor's composition root."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from prometheus_client import CollectorRegistry

from convex_common import logging as json_logging
from convex_common import tracing
from convex_common.contracts import EVENTS_ACCEPTED
from convex_common.errors import SettingsError
from convex_common.health import StatusServer
from convex_common.ids import Ids
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.database import Connection, Database, Limits, connect
from convex_common.redis.broker import Sender, Worker, make_broker, standard_middleware
from convex_common.redis.cache.counts import CacheCounts
from convex_common.redis.flusher import flusher_of
from convex_common.redis.live import LivePublisher
from convex_common.settings import load
from convex_processor.batches import BatchProcessor
from convex_processor.configurations import Configurations
from convex_processor.drainer import ClaimLimits, Drainer, DrainerPool
from convex_processor.handler import EventHandler
from convex_processor.poller import Poller
from convex_processor.settings import ProcessorSettings

log = logging.getLogger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit 2 and one line where a setting is wrong."""
    try:
        settings = load(ProcessorSettings)
        return run(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def run(settings: ProcessorSettings) -> int:
    """Wire everything, run, and stop in the order that loses nothing."""
    json_logging.configure("processor", settings.log_level)
    provider = tracing.configure("processor", settings)
    metrics, measures = Metrics(CollectorRegistry()), Measures()
    ids = Ids()
    configurations = Configurations(CacheCounts("rules", metrics, measures))
    sender = Sender(settings.redis_url, settings.queue_prefix)
    publisher = LivePublisher(settings.cache_redis_url, settings.queue_prefix)
    database = Database(settings.database_url, "convex-processor", size=2)
    database.open()
    limits = Limits(statement=min(5.0, settings.processor_lease_seconds / 3))

    def batches(connection: Connection) -> BatchProcessor:
        handler = EventHandler(connection, configurations, ids)
        return BatchProcessor(connection, handler, publisher, sender, metrics, measures, traced=provider is not None)

    def drainer() -> Drainer:
        claim_limits = ClaimLimits(settings.processor_batch, settings.processor_lease_seconds)
        return Drainer(
            lambda: connect(settings.database_url, "convex-processor", limits, repeats=True), batches, claim_limits
        )

    pool = DrainerPool(drainer, settings.processor_drainers, full=settings.processor_batch // 2)
    poller = Poller(database, pool.drain)
    broker = make_broker(settings.redis_url, settings.queue_prefix, standard_middleware(metrics))
    worker = Worker(broker, {EVENTS_ACCEPTED: lambda _: pool.drain()}, threads=settings.processor_threads)
    status = StatusServer(
        settings.prometheus_port,
        metrics.registry if settings.prometheus_enabled else None,
        ready=pool.healthy.is_set,
        live=lambda: True,
        host=settings.metrics_host,
    )
    flusher = flusher_of(measures, settings.cache_redis_url, settings.queue_prefix)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    status.start()
    flusher.start()
    worker.start()
    poller.start()
    log.info("processing", extra={"drainers": settings.processor_drainers})
    stopping.wait()
    poller.stop()
    worker.stop(timeout=5.0)
    pool.stop(timeout=10.0)
    flusher.stop()
    status.stop()
    database.close()
    broker.close()
    if provider is not None:
        provider.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
