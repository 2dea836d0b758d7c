"""What the detectors tell of series whose shape is known, and that a state goes on where it was."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convex_detection.detector import DETECTORS, resume
from convex_detection.novelty import Novelty
from convex_detection.score import ANOMALY, Reason, sentence
from tests.unit.detection.series import BEGIN, DAY, counter, daily, holes, is_weekend, made


def alarms(series: Iterable[tuple[float, float]]) -> list[float]:
    """The days on which the default detector raises one."""
    detector = Novelty()
    return [(at - BEGIN) / DAY for at, value in series if detector.update(value, at).is_anomaly]


def quiet() -> dict[str, Iterator[tuple[float, float]]]:
    return {
        "a steady trend": made(lambda day, source: 100 + 5 * day + source.gauss(0, 1)),
        "a steep one without noise": made(lambda day, _: 100 + 100 * day),
        "a trend with a daily rhythm": made(lambda day, source: 100 + 5 * day + 20 * daily(day) + source.gauss(0, 1)),
        "a constant": made(lambda *_: 5.0),
        "noise": made(lambda _, source: source.gauss(100, 1)),
        "gaps": holes(made(lambda day, source: 100 + 20 * daily(day) + source.gauss(0, 1)), random.Random(2)),
        "a new weekly rhythm": made(
            lambda day, source: (
                100 + 20 * daily(day) * (0.2 if day > 14 and is_weekend(day) else 1) + source.gauss(0, 1)
            )
        ),
        "a counter that is reset": counter(days=42, step=300, resets_every=9 * 288),
        "hourly values": made(lambda day, source: 100 + 20 * daily(day) + source.gauss(0, 1), days=90, step=3600),
    }


@pytest.mark.parametrize("name", quiet())
def test_no_lasting_stream_of_alarms(name: str) -> None:
    found = alarms(quiet()[name])
    assert len(found) <= 12, found
    assert len([day for day in found if day > 28]) <= 2, found


@pytest.mark.parametrize(
    ("reason", "shape", "within"),
    [
        (Reason.NEVER_SEEN, lambda day, source: source.gauss(100, 1) + (60 if 30 < day < 30.02 else 0), 0.02),
        (
            Reason.UNUSUAL_NOW,
            lambda day, source: 100 + source.gauss(0, 1) + 40 * daily(0.45 if 30 < day < 30.1 else day),
            0.3,
        ),
        (
            Reason.LASTING_SHIFT,
            lambda day, source: 100 + 20 * daily(day) + source.gauss(0, 3) + (5 if day > 30 else 0),
            2.0,
        ),
    ],
)
def test_what_people_want_to_know_is_found_and_named(reason: Reason, shape: object, within: float) -> None:
    detector = Novelty()
    told = []
    for at, value in made(shape):  # type: ignore[arg-type]
        score = detector.update(value, at)
        if score.is_anomaly and (at - BEGIN) / DAY > 30:
            told.append(((at - BEGIN) / DAY - 30, score, value))
    assert told
    assert told[0][0] <= within
    assert reason in {score.reason for _, score, _ in told}
    assert all(sentence(value, score) for _, score, value in told)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_state_goes_on_where_it_was(name: str) -> None:
    series = list(made(lambda day, source: 100 + 20 * daily(day) + source.gauss(0, 3), days=12))
    whole, half = DETECTORS[name](), DETECTORS[name]()
    for number, (at, value) in enumerate(series):
        if number == len(series) // 2:
            assert len(half.pack()) <= 16 << 10
            half, again = resume(half.pack(), name)  # type: ignore[assignment]
            assert again
        assert whole.update(value, at) == half.update(value, at)
    assert whole.pack() == half.pack()


@pytest.mark.parametrize("data", [b"", b"CXD", b"CXD\x01\x01junk", b"CXD\x01\x09" + b"\0" * 40])
@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_no_state_begins_anew(name: str, data: bytes) -> None:
    detector, again = resume(data, name)
    assert not again
    assert detector.update(1.0, BEGIN).reason is Reason.WARMING_UP


@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=60, deadline=None)
@example(values=[(0.0, 0.0), (5e-324, 1.0), (1.7e308, 1.0), (-1.7e308, 1.0), (5e-324, 1.0)])
@given(
    values=st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, 5.0]),
            st.floats(-1e4, 1e6, allow_nan=False),
        ),
        max_size=300,
    )
)
def test_whatever_comes_a_score_is_one(name: str, values: list[tuple[float, float]]) -> None:
    detector = DETECTORS[name]()
    at = float(BEGIN)
    for value, apart in values:
        at += apart
        score = detector.update(value, at)
        assert 0.0 <= score.value < 1.0
        assert 0.0 <= score.confidence <= 1.0
        assert (score.reason is Reason.MISSING) == (not math.isfinite(value))
        assert score.low is None or score.high is None or not score.low > score.high
    assert len(detector.pack()) <= 16 << 10


def test_nothing_is_said_before_a_day_has_passed() -> None:
    detector = Novelty()
    found = [detector.update(source, at) for at, source in made(lambda day, s: s.gauss(0, 1), days=1)]
    assert {score.reason for score in found} == {Reason.WARMING_UP}
    assert all(score.value < ANOMALY for score in found)
