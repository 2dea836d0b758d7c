"""Terms: whole days, and a workspace's own only where they are shorter."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from convex_common.domain.retention import Terms, first_kept

TERMS = Terms(observations=30, log=90, alerts=365, statistics=1095)


@pytest.mark.parametrize(
    ("own", "terms"),
    [
        pytest.param({}, TERMS, id="none of its own"),
        pytest.param({"observations": None, "log": None}, TERMS, id="none any more"),
        pytest.param({"observations": 7, "alerts": 30}, Terms(7, 90, 30, 1095), id="shorter"),
        pytest.param({"log": 400}, TERMS, id="longer has no effect"),
    ],
)
def test_a_workspaces_terms(own: dict[str, int | None], terms: Terms) -> None:
    assert TERMS.shortened(own) == terms


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        pytest.param("2026-03-10T00:00:00+00:00", "2026-03-03T00:00:00+00:00", id="midnight"),
        pytest.param("2026-03-10T23:59:59.999999+00:00", "2026-03-03T00:00:00+00:00", id="a moment before the next"),
        pytest.param("2026-03-11T00:30:00+01:00", "2026-03-03T00:00:00+00:00", id="elsewhere it is tomorrow"),
    ],
)
def test_what_is_kept_first(now: str, kept: str) -> None:
    assert first_kept(dt.datetime.fromisoformat(now), 7) == dt.datetime.fromisoformat(kept)


def test_a_change_of_the_clocks_moves_nothing() -> None:
    now = dt.datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert first_kept(now, 1) == dt.datetime(2026, 3, 28, tzinfo=dt.UTC)
