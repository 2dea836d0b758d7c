"""`make bench`: every table, or those named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from tests.bench import conditions, program, report

TOPICS = {
    "queue": "idle pick-up beside stock Dramatiq, and every queue beside the specification",
    "path": "trigger → 202 → WebSocket, idle and at 200/s",
    "sustained": "triggers per second with a flat backlog",
    "cache": "hit rates of a mix of dashboards, and what a get, a set and an invalidation take",
    "limits": "a quiet workspace beside one that floods, and beside one that sends ten times as much",
    "aggregation": "statistics of a month with a million alerts, and the same again",
    "peers": "beside Debian's Alertmanager: speed, and what survives a kill -9",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and end with every target beside its result."""
    topics, quick = program.arguments("python -m tests.bench", __doc__ or "", TOPICS, arguments)
    conditions.machine()
    found: list[report.Gate] = []
    for topic in topics:
        run: Callable[..., list[report.Gate]] = import_module(f"tests.bench.{topic}").run
        found += run(quick=quick)
    report.gates("Targets" + (" (--quick: short runs, no proof)" if quick else ""), found)


if __name__ == "__main__":
    main()
