"""`make bench`: every table, or those named."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module

from tests.bench import conditions, report

TOPICS = {
    "queue": "idle pick-up beside stock Dramatiq, and every queue beside the specification",
    "path": "trigger → 202 → WebSocket, idle and at 200/s",
    "sustained": "triggers per second with a flat backlog",
    "cache": "hit rates of a mix of dashboards, and what a get, a set and an invalidation take",
    "limits": "a quiet workspace beside one that floods, and beside one that sends ten times as much",
    "peers": "beside Debian's Alertmanager: speed, and what survives a kill -9",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and end with every target beside its result."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    topics = "; ".join(f"{name}: {what}" for name, what in TOPICS.items())
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"{topics}; all without any")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: a look, not a proof")
    given = parser.parse_args(arguments)
    if unknown := set(given.topics) - set(TOPICS):
        parser.error(f"{', '.join(sorted(unknown))}: none of {', '.join(TOPICS)}")
    conditions.machine()
    found: list[report.Gate] = []
    for topic in TOPICS:
        if not given.topics or topic in given.topics:
            run: Callable[..., list[report.Gate]] = import_module(f"tests.bench.{topic}").run
            found += run(quick=given.quick)
    report.gates("Targets" + (" (--quick: short runs, no proof)" if given.quick else ""), found)


if __name__ == "__main__":
    main()
