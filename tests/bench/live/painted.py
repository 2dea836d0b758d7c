"""Trigger → painted: how soon an accepted trigger is on a screen, beside a plain socket in the same run."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page
from websockets.sync.client import connect

from tests.bench import report
from tests.bench.live.figures import QUIET
from tests.bench.live.machine import Watch
from tests.bench.product import Product, product
from tests.bench.report import Gate, percentile, spread
from tests.support.debian import Unavailable
from tests.support.visitors import Visitor, launched

SCRIPT = Path(__file__).with_name("painted.js")
NAMED = re.compile(r"painted-(\d+)")
CLOCK = "performance.timeOrigin + performance.now()"


@dataclass
class Run:
    """Milliseconds from a trigger's post on, and the doubt about the browser's clock."""

    answered: list[float] = field(default_factory=list)
    socket: list[float] = field(default_factory=list)
    inserted: list[float] = field(default_factory=list)
    painted: list[float] = field(default_factory=list)
    missing: int = 0
    clock_ms: float = 0.0
    others: float = 0.0


def run(*, quick: bool) -> list[Gate]:
    """Print the table; that everything was painted is demanded, how soon is shown."""
    number, alerts = (1, 40) if quick else (3, 100)
    runs = []
    try:
        with product() as found, launched() as browser:
            for run_ in range(number):
                report.say(f"painted: run {run_ + 1} of {number}, {alerts} alerts …")
                runs.append(_run(found, browser, alerts, first=run_ * alerts))
    except Unavailable as reason:
        report.say(f"painted: left out: {reason}")
        return [Gate("trigger → painted in Chromium", "Chromium", "there is none", None)]
    _print(runs, alerts)
    return [
        Gate(
            f"trigger → painted in Chromium, p{share * 100:.0f}",
            "shown",
            f"{spread([percentile(of.painted, share) for of in runs])} ms; "
            f"socket {spread([percentile(of.socket, share) for of in runs])} ms",
            None,
        )
        for share in (0.5, 0.95)
    ] + [report.none("triggers that were not painted", [of.missing for of in runs])]


def _run(found: Product, browser: Browser, alerts: int, first: int) -> Run:
    """A visitor of its own, one alert after the other has reached the socket."""
    done = Run()
    posted: dict[str, float] = {}
    visitor = Visitor(browser, found.stack.url)
    visitor.context.add_init_script(path=SCRIPT)
    page = visitor.sign_in(found.token).live()
    with _heard(found) as heard:
        before = _ahead(page)
        watch = Watch(found.stack.pid("gateway"))
        headers = {"Authorization": f"Bearer {found.token}"}
        with httpx.Client(base_url=found.stack.url, headers=headers) as client:
            for number in map(str, range(first, first + alerts)):
                time.sleep(random.uniform(0.15, 0.25))
                trigger = {
                    "alert_rule_id": found.rule_id,
                    "current_value": 900,
                    "labels": {"host": f"painted-{number}."},  # the dot: in a page's text the next cell follows at once
                }
                posted[number] = time.time()
                client.post("/api/v1/triggers", json=trigger).raise_for_status()
                done.answered.append(1000 * (time.time() - posted[number]))
                heard.wait(number)
        time.sleep(1.0)
        done.others = watch.others()
        noted = json.loads(page.evaluate("JSON.stringify(convexPainted)"))
        after = _ahead(page)
    visitor.close()
    ahead, done.clock_ms = (before + after) / 2, abs(before - after)
    for number, at in posted.items():
        if number in heard.at:
            done.socket.append(1000 * (heard.at[number] - at))
        if number in noted["painted"]:
            done.inserted.append(noted["inserted"][number] - ahead - 1000 * at)
            done.painted.append(noted["painted"][number] - ahead - 1000 * at)
        else:
            done.missing += 1
    return done


def _ahead(page: Page) -> float:
    """By how many milliseconds the page's clock is ahead of this process's, by the quickest of many questions."""
    found = []
    for _ in range(50):
        asked = time.time()
        told = float(page.evaluate(CLOCK))
        answered = time.time()
        found.append((answered - asked, told - 500 * (asked + answered)))
    return min(found)[1]


class _Heard:
    """When the socket had each alert."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._changed = threading.Condition()

    def take(self, text: str) -> None:
        now = time.time()
        with self._changed:
            for number in NAMED.findall(text):
                self.at.setdefault(number, now)
            self._changed.notify_all()

    def wait(self, number: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: number in self.at, timeout=10)


@contextmanager
def _heard(found: Product) -> Iterator[_Heard]:
    """A socket beside the browser, with the same token."""
    heard = _Heard()
    url = found.stack.url.replace("http", "ws", 1) + "/ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {found.token}"}) as socket:
        socket.send('{"type":"subscribe"}')
        while '"subscribed"' not in str(socket.recv(timeout=10)):
            pass

        def listen() -> None:
            for text in socket:
                heard.take(str(text))

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        yield heard
    listening.join(timeout=10)


def _print(runs: list[Run], alerts: int) -> None:
    def of(what: str, share: float) -> str:
        return spread([percentile(getattr(run, what), share) for run in runs])

    report.markdown(
        "Trigger → painted, ms: medians of runs (min–max)",
        ("from the post to", "p50", "p95", "p99"),
        [
            (title, *(of(what, share) for share in (0.5, 0.95, 0.99)))
            for title, what in (
                ("202", "answered"),
                ("a socket", "socket"),
                ("the page's elements", "inserted"),
                ("painted in headless Chromium, 60 frames a second", "painted"),
            )
        ],
        caption=f"{len(runs)} runs of {alerts} new alerts, one after the other, 150–250 ms apart; the dashboard open, "
        "signed in by a cookie; painted: the first task behind the frame with the alert's row; clocks compared before "
        f"and after each run, apart by at most {max(run.clock_ms for run in runs):.2f} ms; others took "
        f"{spread([run.others for run in runs], 0)} % of a core (quiet: ≤ {QUIET:g} %)",
    )
