"""The dashboard with ten thousand alerts and a hundred changes a second, beside the same page while nothing changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.bench import load, report
from tests.bench.job import Follow, Job
from tests.bench.live.figures import QUIET
from tests.bench.live.machine import Watch
from tests.bench.load import Load
from tests.bench.product import Product, product
from tests.bench.report import Gate, median, percentile, spread
from tests.support.debian import Unavailable
from tests.support.visitors import Visitor, launched, rows

SCRIPT = Path(__file__).with_name("frames.js")
ALERTS, RATE = 10_000, 100.0
ELEMENTS: Final = 1_500
"""More than what is seen needs, and far less than ten thousand rows would: a row has some twenty."""
GROWTH_MIB: Final = 25.0
"""What the page's memory may grow by over all of its changes, after a collection."""


def _watch(page: Page) -> None:
    page.wait_for_timeout(200)


def _scroll(page: Page) -> None:
    page.mouse.wheel(0, 700)
    page.wait_for_timeout(50)


WAYS: Mapping[str, tuple[str, Callable[[Page], None]]] = {
    "watched, newest first": ("/", _watch),
    "watched, latest activity first": ("/?sort=activity", _watch),
    "scrolled through": ("/", _scroll),
}
"""What somebody does with the list: its address, and what is done over and over."""


@dataclass(frozen=True)
class Look:
    """What the page did while somebody looked at it for some seconds."""

    frames: Sequence[float]
    """Milliseconds of each."""
    tasks: Sequence[float]
    """Milliseconds of those that held it up for more than fifty."""
    changes: int
    elements: int
    seconds: float
    busy_seconds: float
    """CPU of the page's main thread."""
    heap_mib: float
    others: float

    @property
    def per_second(self) -> float:
        return len(self.frames) / self.seconds

    @property
    def busy(self) -> float:
        """Percent of a core."""
        return 100 * self.busy_seconds / self.seconds


@dataclass(frozen=True)
class Found:
    """Looks by the way, without changes and with them, in the order in which they were taken."""

    before_mib: float
    still: Mapping[str, list[Look]]
    changing: Mapping[str, list[Look]]

    @property
    def looks(self) -> list[Look]:
        return [look for side in (self.still, self.changing) for looks in side.values() for look in looks]

    @property
    def elements(self) -> int:
        return max(look.elements for look in self.looks)

    @property
    def growth_mib(self) -> float:
        return max(looks[-1].heap_mib for looks in self.changing.values()) - self.before_mib


def run(*, quick: bool) -> list[Gate]:
    """Print the table; that elements and memory stay bounded is demanded, how smooth it is is shown."""
    try:
        with product() as made, launched() as browser:
            found = measure(made, browser, rounds=1 if quick else 3, seconds=6 if quick else 15)
    except Unavailable as reason:
        report.say(f"smooth: left out: {reason}")
        return [Gate("smoothness in Chromium", "Chromium", "there is none", None)]
    _print(found)
    return gates(found)


def gates(found: Found) -> list[Gate]:
    """What is bounded whatever the machine; and for each way what its changes cost."""
    return [
        report.at_most(f"elements with {ALERTS:,} alerts", [found.elements], ELEMENTS, ""),
        report.at_most("growth of the page's memory", [found.growth_mib], GROWTH_MIB, "MiB"),
        *(
            Gate(
                f"frames a second, {way}",
                "shown",
                f"{spread([look.per_second for look in looks], 0)}; "
                f"without changes {spread([look.per_second for look in found.still[way]], 0)}",
                None,
            )
            for way, looks in found.changing.items()
        ),
    ]


def measure(made: Product, browser: Browser, *, rounds: int, seconds: int, alerts: int = ALERTS) -> Found:
    """Opens the alerts, then looks at them in each way: while nothing changes and while a lot does, by turns."""
    looked_at = Product(made.stack, "smooth")
    job = replace(looked_at.job, rate=RATE, seconds=1, fingerprints=alerts, new_percent=0)
    report.say(f"smooth: opening {alerts:,} alerts …")
    load.run(replace(job, follow=Follow.WEBSOCKET))
    changes = replace(job, seconds=seconds + 4, primed_by=job.run)
    visitor = Visitor(browser, made.stack.url)
    visitor.context.add_init_script(path=SCRIPT)
    page = visitor.sign_in(looked_at.token).live()
    _all_there(page, alerts)
    devtools = visitor.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    found = Found(_heap(devtools), {way: [] for way in WAYS}, {way: [] for way in WAYS})
    for round_ in range(rounds):
        report.say(f"smooth: round {round_ + 1} of {rounds}, {2 * len(WAYS)} looks of {seconds} s …")
        for way, (address, act) in WAYS.items():
            page.goto(address)
            _all_there(page, alerts)
            page.mouse.move(*_middle(page) if act is _scroll else (0, 0))
            for side in (found.still, found.changing) if round_ % 2 == 0 else (found.changing, found.still):
                with _under(changes if side is found.changing else None):
                    side[way].append(_look(page, devtools, seconds, act))
    visitor.close()
    return found


def _all_there(page: Page, alerts: int) -> None:
    expect(rows(page).first).to_have_attribute("aria-setsize", str(alerts), timeout=120_000)
    page.wait_for_load_state("networkidle")


def _middle(page: Page) -> tuple[float, float]:
    box = page.get_by_role("list", name="Alerts").locator("..").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@contextmanager
def _under(job: Job | None) -> Iterator[None]:
    """While a generator is at work, where there is to be one."""
    if job is None:
        yield
        return
    at_work = Load(job)
    at_work.begun.wait(120)
    yield
    at_work.result()


def _look(page: Page, devtools: CDPSession, seconds: int, act: Callable[[Page], None]) -> Look:
    page.wait_for_timeout(1_000)
    watch, busy, began = Watch(os.getpid()), _busy(devtools), time.monotonic()
    page.evaluate("convexFrames.begin()")
    while time.monotonic() < began + seconds:
        act(page)
    noted: dict[str, Any] = page.evaluate("convexFrames.end()")
    took = time.monotonic() - began
    return Look(
        **noted, seconds=took, busy_seconds=_busy(devtools) - busy, heap_mib=_heap(devtools), others=watch.others()
    )


def _busy(devtools: CDPSession) -> float:
    told = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in told if one["name"] == "TaskDuration"))


def _heap(devtools: CDPSession) -> float:
    """MiB that are in use after a collection."""
    devtools.send("HeapProfiler.collectGarbage")
    return float(devtools.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


def _print(found: Found) -> None:
    looks = found.looks
    report.markdown(
        f"The dashboard with {ALERTS:,} alerts in headless Chromium, medians (min–max)",
        (
            "the list",
            "changes/s",
            "frames/s",
            "frame p50, ms",
            "p95",
            "p99",
            "tasks > 50 ms a minute",
            "main thread, %",
        ),
        [_row(way, side[way]) for way in WAYS for side in (found.still, found.changing)],
        caption=f"{len(looks)} looks of {spread([look.seconds for look in looks], 0)} s by turns; at most "
        f"{found.elements} elements; memory after a collection {found.before_mib:.1f} MiB before, "
        f"{found.before_mib + found.growth_mib:.1f} MiB after; others took "
        f"{spread([look.others for look in looks], 0)} % of a core (quiet: ≤ {QUIET:g} %)",
    )


def _row(way: str, looks: Sequence[Look]) -> tuple[str, ...]:
    def frame(share: float) -> str:
        return spread([percentile(look.frames, share) for look in looks])

    return (
        way,
        f"{median([look.changes / look.seconds for look in looks]):.0f}",
        spread([look.per_second for look in looks], 0),
        frame(0.5),
        frame(0.95),
        frame(0.99),
        spread([60 * len(look.tasks) / look.seconds for look in looks], 0),
        spread([look.busy for look in looks], 0),
    )
