"""What the caches spare the database."""

from __future__ import annotations

from charts.dashboards import limits
from charts.dashboards.frame import Board, Row
from charts.dashboards.panels import GREEN, ORANGE, RED, Column, Panel, Query, figure, listing, series
from charts.dashboards.promql import LATELY, WINDOW, by_process, of, risen, share, total

HITS, MISSES, ERRORS = "cache_hits_total", "cache_misses_total", "cache_errors_total"
LINE = ((limits.HIT_RATE, ORANGE),)


def board() -> Board:
    """By class of what is cached."""
    return Board(
        "cache-performance",
        "Cache performance",
        "Do the caches answer, and which class of them does not? A cold cache makes nothing wrong, only slow.",
        [
            Row("Now", _now(), height=4),
            Row("Hit rate", _hit_rates(), height=9),
            Row("Look-ups", _lookups()),
            Row("Classes and processes", [_classes(), _processes()], height=9),
        ],
    )


def _hit_rate(by: str = "", window: str = WINDOW) -> str:
    return share(total(HITS, by=by, window=window), total(MISSES, by=by, window=window))


def _now() -> list[Panel]:
    hits, misses, errors = (total(name, window=LATELY) for name in (HITS, MISSES, ERRORS))
    return [
        figure(
            "Hit rate",
            f"Of the look-ups of the last 10 minutes, how many a cache answered. A rule fires below "
            f"{limits.HIT_RATE:g} %.",
            _hit_rate(window=LATELY),
            unit="percent",
            base=ORANGE,
            steps=[(limits.HIT_RATE, GREEN)],
            empty="no look-ups",
            decimals=1,
        ),
        figure("Look-ups", "Per second, over the last 10 minutes.", f"{hits} + {misses}", unit="ops", decimals=1),
        figure(
            "Asked of the database",
            "Look-ups per second that no cache answered, over the last 10 minutes.",
            misses,
            unit="ops",
            decimals=1,
        ),
        figure(
            "Failed",
            "Of the look-ups of the last 10 minutes, how many failed: the cache's Redis is away or slow, or a value "
            "was damaged. Above 5 % the health score falls.",
            f"100 * {errors} / ({hits} + {misses} > 0)",
            unit="percent",
            steps=[(1, ORANGE), (5, RED)],
            empty="no look-ups",
            decimals=2,
        ),
    ]


def _hit_rates() -> list[Panel]:
    return [
        series(
            "Hit rate of all classes",
            "Over all classes. The dashed line is where a rule fires.",
            Query(_hit_rate(), "all classes"),
            unit="percent",
            lines=LINE,
            most=100,
            colours={"all classes": "blue"},
        ),
        series(
            "Hit rate by class",
            "A class that falls while the others stand is being written all the time, or is asked for what is new.",
            Query(_hit_rate(by="class"), "{{class}}"),
            unit="percent",
            lines=LINE,
            most=100,
            colours={},
        ),
    ]


def _lookups() -> list[Panel]:
    return [
        series(
            "Hits and misses",
            "Answered by a cache, and not.",
            Query(total(HITS), "hits"),
            Query(total(MISSES), "misses"),
            unit="ops",
            stacked=True,
            colours={"hits": GREEN, "misses": "light-blue"},
        ),
        series(
            "Misses by class",
            "What the database is asked for instead.",
            Query(total(MISSES, by="class"), "{{class}}"),
            unit="ops",
            colours={},
        ),
        series(
            "Failures by class",
            "Look-ups and stores that failed, and damaged values. Where all fail at once, look at the cache's Redis.",
            Query(total(ERRORS, by="class"), "{{class}}"),
            unit="ops",
            colours={},
        ),
    ]


def _classes() -> Panel:
    hits, misses, errors = (risen(name, by="class") for name in (HITS, MISSES, ERRORS))
    return listing(
        "Classes",
        "Over the time that is shown.",
        [hits, misses, errors, share(hits, misses)],
        {
            "class": Column("Class"),
            "Value #A": Column("Hits", decimals=0),
            "Value #B": Column("Misses", decimals=0),
            "Value #C": Column("Failed", decimals=0, steps=[(0.5, ORANGE)]),
            "Value #D": Column("Hit rate", unit="percent", decimals=1),
        },
        sort="Misses",
        empty="no gateway",
    )


def _processes() -> Panel:
    return series(
        "Hit rate by process",
        "Since each process began: a new one begins low, and rises.",
        Query(by_process(of("cache_hit_rate_percent")), "{{process}}"),
        unit="percent",
        most=100,
        colours={},
    )
