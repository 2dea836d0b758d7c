"""What a worker's process has around its work: logs, spans and figures, the probes, and an end when it is told to."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from convex_common import logging as json_logging
from convex_common import tracing
from convex_common.errors import NotFound, SettingsError
from convex_common.exits import Exit
from convex_common.health import Page, Probe, StatusServer
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.redis.flusher import flusher_of
from convex_common.settings import CommonSettings
from convex_common.stores import CACHE


class WorkerProcess:
    """Made first, since what is wired afterwards counts with its `metrics` and `measures`."""

    def __init__(self, service: str, settings: CommonSettings) -> None:
        json_logging.configure(service, settings.log_level)
        self._settings = settings
        self._spans = tracing.configure(service, settings)
        self.metrics, self.measures = Metrics(CollectorRegistry()), Measures()
        self.metrics.tell_component(service)

    @contextmanager
    def serving(
        self, *, ready: Probe, live: Probe = lambda: True, pages: Mapping[str, Page] | None = None
    ) -> Iterator[threading.Event]:
        """Probes are answered and figures told until the block ends, which starts the work, waits and stops the work.

        What it waits for is set by SIGTERM and SIGINT.
        """
        status = StatusServer(
            self._settings.prometheus_port,
            self.metrics.registry if self._settings.prometheus_enabled else None,
            ready,
            live,
            host=self._settings.metrics_host,
            pages=pages,
        )
        flusher = flusher_of(
            self.measures,
            self._settings.cache_redis_url,
            self._settings.queue_prefix,
            watch=self.metrics.stores.watch(CACHE),
        )
        stopping = stop_signals()
        try:
            status.start()
            flusher.start()
            yield stopping
        finally:
            flusher.stop()
            status.stop()
            if self._spans is not None:
                self._spans.shutdown()


def stop_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT from now on."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def exit_code(run: Callable[[], int]) -> int:
    """That of `run`, or WRONG and one line where a setting, or what it is asked for, is wrong."""
    try:
        return run()
    except (SettingsError, NotFound) as error:
        sys.stderr.write(f"{error}\n")
        return Exit.WRONG
