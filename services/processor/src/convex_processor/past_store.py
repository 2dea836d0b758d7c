"""Reads the past of series for which it is to be looked ahead: put together over equal spans, and bounded."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from itertools import islice
from typing import Final

from convex_common.domain.conditions import Sample
from convex_common.domain.outlook import look_back
from convex_common.domain.rule import Rule
from convex_common.postgres.database import Connection
from convex_processor.domain.series import Series

FORECASTS: Final = 2
"""Series in one transaction: a look ahead takes some 50 ms, for which the batch's other events wait."""

SPANS: Final = 2000
MOST_READ: Final = 50_000

PAST: Final = """SELECT max(o.at), sum(least(greatest(o.value, -1e290), 1e290)) / count(*) FROM (
    SELECT at, value FROM observations
    WHERE workspace_id = %(workspace)s AND series = %(series)s AND at > %(since)s AND at <= %(until)s
    ORDER BY at DESC LIMIT %(most)s) o
GROUP BY date_bin(%(step)s, o.at, %(since)s) ORDER BY 1"""


def load(
    connection: Connection, workspace_id: uuid.UUID, ahead: Mapping[bytes, Rule], known: Mapping[bytes, Series]
) -> dict[bytes, list[Sample]]:
    """The past of the first few of them, up to each one's last value; the others are for a later transaction."""
    pasts: dict[bytes, list[Sample]] = {}
    for key, rule in islice(ahead.items(), FORECASTS):
        series = known.get(key)
        if series is None or series.last_at is None:
            continue
        back = dt.timedelta(seconds=look_back(rule))
        rows = connection.execute(
            PAST,
            {
                "workspace": workspace_id,
                "series": key,
                "since": series.last_at - back,
                "until": series.last_at,
                "step": back / SPANS,
                "most": MOST_READ,
            },
            binary=True,
        ).fetchall()
        pasts[key] = [(at.timestamp(), value) for at, value in rows]
    return pasts
