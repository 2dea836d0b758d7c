"""The dashboard with ten thousand alerts and a hundred changes a second: frames, long tasks, elements, memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.bench import load, report
from tests.bench.load import Load
from tests.bench.product import Product, product
from tests.bench.report import Gate, percentile
from tests.support.debian import Unavailable
from tests.support.visitors import Visitor, launched, rows

SCRIPT = Path(__file__).with_name("frames.js")
ALERTS, RATE = 10_000, 100.0
ELEMENTS: Final = 2_500
"""Far more than what is seen needs, and far less than ten thousand rows would."""
GROWTH_MIB: Final = 40.0
"""What the page's memory may grow by over a minute of changes, after a collection."""


@dataclass(frozen=True)
class Phase:
    """What a page did while somebody looked at it."""

    title: str
    frames: list[float]
    tasks: list[float]
    elements: int
    heap_mib: float

    @property
    def per_second(self) -> float:
        return 1000 * len(self.frames) / sum(self.frames)


@dataclass(frozen=True)
class Found:
    """Both phases, and the memory before them."""

    before_mib: float
    phases: list[Phase]

    @property
    def elements(self) -> int:
        return max(phase.elements for phase in self.phases)

    @property
    def growth_mib(self) -> float:
        return self.phases[-1].heap_mib - self.before_mib


def run(*, quick: bool) -> list[Gate]:
    """Print the table; that elements and memory stay bounded is demanded, how smooth it is is shown."""
    try:
        with product() as made, launched() as browser:
            found = measure(made, browser, seconds=10 if quick else 60)
    except Unavailable as reason:
        report.say(f"smooth: left out: {reason}")
        return [Gate("smoothness in Chromium", "Chromium", "there is none", None)]
    _print(found)
    still = found.phases[0]
    return [
        report.at_most(f"elements with {ALERTS:,} alerts", [found.elements], ELEMENTS, ""),
        report.at_most("growth of the page's memory", [found.growth_mib], GROWTH_MIB, "MiB"),
        Gate("frames, p95", "shown", f"{percentile(still.frames, 0.95):.1f} ms", None),
    ]


def measure(made: Product, browser: Browser, *, seconds: int, alerts: int = ALERTS) -> Found:
    """Alerts that are open, then changes of them: first watched, then scrolled through."""
    job = replace(made.job, rate=RATE, seconds=1, fingerprints=alerts, new_percent=0)
    report.say(f"smooth: opening {alerts:,} alerts …")
    load.run(job)
    visitor = Visitor(browser, made.stack.url)
    visitor.context.add_init_script(path=SCRIPT)
    page = visitor.sign_in(made.token).live()
    expect(rows(page).first).to_have_attribute("aria-setsize", str(alerts), timeout=120_000)
    devtools = visitor.context.new_cdp_session(page)
    before = _heap(devtools)
    changes = Load(replace(job, seconds=2 * seconds + 10, primed_by=job.run))
    changes.begun.wait(120)
    report.say(f"smooth: {seconds} s of {RATE:g} changes a second, then {seconds} s of scrolling …")
    phases = [
        _phase("watched", page, devtools, seconds, lambda: page.wait_for_timeout(200)),
        _phase("scrolled through", page, devtools, seconds, lambda: _scroll(page)),
    ]
    changes.result()
    visitor.close()
    return Found(before, phases)


def _scroll(page: Page) -> None:
    page.mouse.move(640, 500)
    page.mouse.wheel(0, 700)
    page.wait_for_timeout(50)


def _phase(title: str, page: Page, devtools: CDPSession, seconds: int, what: Callable[[], None]) -> Phase:
    page.evaluate("convexFrames.begin()")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        what()
    noted = page.evaluate("convexFrames.end()")
    return Phase(title, noted["frames"], noted["tasks"], noted["elements"], _heap(devtools))


def _heap(devtools: CDPSession) -> float:
    """MiB that are in use after a collection."""
    devtools.send("HeapProfiler.collectGarbage")
    return float(devtools.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


def _print(found: Found) -> None:
    report.markdown(
        f"The dashboard with {ALERTS:,} alerts and {RATE:g} changes a second, in headless Chromium",
        (
            "",
            "frames a second",
            "frame p50, ms",
            "p95",
            "p99",
            "tasks over 50 ms",
            "longest, ms",
            "elements",
            "heap, MiB",
        ),
        [
            (
                phase.title,
                f"{phase.per_second:.0f}",
                *(f"{percentile(phase.frames, share):.1f}" for share in (0.5, 0.95, 0.99)),
                len(phase.tasks),
                f"{max(phase.tasks, default=0):.0f}",
                phase.elements,
                f"{phase.heap_mib:.1f}",
            )
            for phase in found.phases
        ],
        caption=f"long tasks: over 50 ms; heap before: {found.before_mib:.1f} MiB; both after a collection",
    )
