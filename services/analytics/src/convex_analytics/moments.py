"""Bounds of a time in the alert log, whose rows are found by their ids."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from convex_common.ids import floor_at

SLACK: Final = dt.timedelta(hours=1)
"""Ids carry their maker's clock, `at` the database's. Ids choose the partitions, `at` decides."""


def bounds(start: dt.datetime, end: dt.datetime) -> dict[str, Any]:
    """The parameters `start`, `end`, `from_id` and `to_id` of a query."""
    return {
        "start": start,
        "end": end,
        "from_id": floor_at(start - SLACK),
        "to_id": floor_at(end + SLACK),
    }
