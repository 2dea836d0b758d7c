"""How long runs of jobs wait and take, in the installation's figures and in this process's own."""

from __future__ import annotations

from convex_common.measures import INSTALLATION, QUEUE_PROCESSING, QUEUE_WAIT, Measures
from convex_common.metrics import Metrics


class JobTimings:
    """What a JobRunner tells goes to both. Thread-safe."""

    def __init__(self, metrics: Metrics, measures: Measures) -> None:
        self._metrics = metrics
        self._measures = measures

    def __call__(self, queue: str, waited: float, took: float) -> None:
        """One run, in seconds."""
        self._metrics.queue_wait_seconds.labels(queue).observe(waited)
        self._metrics.queue_processing_seconds.labels(queue).observe(took)
        self._measures.observe(INSTALLATION, QUEUE_WAIT, 1000 * waited, queue)
        self._measures.observe(INSTALLATION, QUEUE_PROCESSING, 1000 * took, queue)
