"""`make bench-live`: the gateway beside stock servers and the limit; how soon an alert is on a screen, how smoothly."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import conditions, report
from tests.bench.live import fanout, many, painted, smooth, stalled
from tests.bench.live.ground import Ground, ground
from tests.bench.live.load import CompilerMissing, compiled
from tests.bench.live.machine import allow_files
from tests.bench.program import arguments
from tests.bench.report import Gate

TOPICS = {
    "fanout": "1,000 sockets: latency and CPU beside stock uvicorn and bare uvloop",
    "many": "5,000 sockets: connecting, memory and throughput",
    "stalled": "1,000 sockets of which 50 never read",
    "painted": "trigger → painted in Chromium, beside a socket",
    "smooth": "the dashboard with 10,000 alerts, while 100 a second change and while none does",
}
SOCKETS: dict[str, Callable[..., list[Gate]]] = {"fanout": fanout.run, "many": many.run, "stalled": stalled.run}


def main() -> int:
    """Measure, print, and end with every target beside its result."""
    topics, quick = arguments("python -m tests.bench.live", __doc__ or "", TOPICS)
    on_sockets = [topic for topic in topics if topic in SOCKETS]
    try:
        if on_sockets:
            compiled()
    except CompilerMissing as reason:
        print(f"bench-live: {reason}", file=sys.stderr)
        return 2
    allow_files(many.SOCKETS + many.SPARE_FILES)
    conditions.machine()
    found: list[Gate] = []
    if on_sockets:
        with ground(many.SOCKETS) as made:
            found += _on(made, on_sockets, quick)
    if "painted" in topics:
        found += painted.run(quick=quick)
    if "smooth" in topics:
        found += smooth.run(quick=quick)
    report.gates("Targets" + (" (--quick: short runs, no proof)" if quick else ""), found)
    return 0


def _on(made: Ground, topics: list[str], quick: bool) -> list[Gate]:
    return [gate for topic in topics for gate in SOCKETS[topic](made, quick=quick)]


if __name__ == "__main__":
    sys.exit(main())
