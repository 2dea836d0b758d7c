"""Periods of a time zone's calendar, as instants. Pure.

Days begin when the zone says so: with a change of its clocks they are 23 or 25 hours long, and none is lost or counted
twice. Statistics are kept by quarters of an hour in UTC, of which every zone's days are whole ones.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from zoneinfo import ZoneInfo

_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)


class Bucket(StrEnum):
    """What a series is made of."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def midnight(day: dt.date, where: ZoneInfo) -> dt.datetime:
    """The first instant of a day, in UTC; also of one whose clocks skip midnight."""
    return dt.datetime.combine(day, dt.time(), where).astimezone(dt.UTC)


def end_of(day: dt.date, where: ZoneInfo) -> dt.datetime:
    """The first instant after a day, in UTC; of the last day that there is, nearly."""
    try:
        return midnight(day + _DAY, where)
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)


def bounds(bucket: Bucket, first: dt.date, last: dt.date, where: ZoneInfo) -> list[dt.datetime]:
    """Where each bucket of the days from `first` to `last` begins, and the end of the last one.

    The first and the last week or month are cut where the period begins and ends.
    """
    days = [first + _DAY * n for n in range((last - first).days + 1)]
    end = end_of(last, where)
    if bucket is Bucket.HOUR:
        return [*(at for day in days for at in _hours(midnight(day, where), end_of(day, where))), end]
    begins = [day for day in days if day == first or _begins(bucket, day)]
    return [*(midnight(day, where) for day in begins), end]


def before(first: dt.date, last: dt.date) -> tuple[dt.date, dt.date]:
    """The period before, with as many days."""
    length = (last - first) + _DAY
    return first - length, last - length


def _begins(bucket: Bucket, day: dt.date) -> bool:
    return bucket is Bucket.DAY or (day.weekday() == 0 if bucket is Bucket.WEEK else day.day == 1)


def _hours(start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    found = [start]
    while end - found[-1] > _HOUR:
        found.append(found[-1] + _HOUR)
    return found
