"""When something recurs: iCalendar's RRULE (RFC 5545) on the wall clock of a timezone. Pure, at a bounded cost."""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_right
from calendar import monthrange
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

HORIZON: Final = dt.timedelta(days=5 * 366)
"""A rule's last time is this long after its first at most, so that no rule takes long to work out."""
FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_DAY: Final = "([+-]?[1-9]\\d?)?(MO|TU|WE|TH|FR|SA|SU)"
_PARTS: Final = {
    "FREQ": re.compile("|".join(FREQUENCIES)),
    "INTERVAL": re.compile(r"[1-9]\d{0,2}"),
    "COUNT": re.compile(r"[1-9]\d{0,3}"),
    "UNTIL": re.compile(r"\d{8}(T\d{6}Z?)?"),
    "BYDAY": re.compile(f"{_DAY}(,{_DAY}){{0,13}}"),
    "BYMONTHDAY": re.compile(r"[+-]?([1-9]|[12]\d|3[01])(,[+-]?([1-9]|[12]\d|3[01])){0,30}"),
    "BYMONTH": re.compile(r"([1-9]|1[0-2])(,([1-9]|1[0-2])){0,11}"),
    "BYSETPOS": re.compile(r"[+-]?[1-9]\d{0,2}(,[+-]?[1-9]\d{0,2}){0,11}"),
    "WKST": re.compile("|".join(WEEKDAYS)),
}


class Recurrence:
    """The times at which a rule begins, the first at `first` or later. ValueError, in words, for what is no such rule.

    A time that the clock skips is taken an hour later; of one that comes twice the first is meant.
    """

    def __init__(self, rule: str, first: dt.datetime, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)
        begin = first.astimezone(self._zone).replace(tzinfo=None)
        local = _times(_parts(rule, self._zone), begin)
        self.times: Final[tuple[dt.datetime, ...]] = tuple(
            sorted({one.replace(tzinfo=self._zone).astimezone(dt.UTC) for one in local})
        )
        if not self.times:
            raise ValueError("never comes true within five years")

    def before(self, now: dt.datetime) -> dt.datetime | None:
        """The last time at `now` or earlier."""
        place = self._place(now)
        return self.times[place - 1] if place else None

    def after(self, now: dt.datetime) -> dt.datetime | None:
        """The first time later than `now`."""
        place = self._place(now)
        return self.times[place] if place < len(self.times) else None

    @property
    def last(self) -> dt.datetime:
        """The last time of all."""
        return self.times[-1]

    def _place(self, now: dt.datetime) -> int:
        return bisect_right(self.times, now)


@lru_cache(maxsize=2000)
def recurrence(rule: str, first: dt.datetime, timezone: str) -> Recurrence:
    """The same, worked out once."""
    return Recurrence(rule, first, timezone)


def _times(parts: dict[str, str], begin: dt.datetime) -> list[dt.datetime]:
    until = begin + HORIZON
    if "UNTIL" in parts:
        until = min(until, dt.datetime.strptime(parts["UNTIL"], "%Y%m%dT%H%M%S"))  # noqa: DTZ007 - the wall clock
    rule = _Rule(parts, begin.date())
    found = [dt.datetime.combine(day, begin.time()) for day in rule.days(until.date())]
    times = [one for one in found if begin <= one <= until]
    return times[: int(parts["COUNT"])] if "COUNT" in parts else times


class _Rule:
    """Goes through the days one by one: five years are two thousand, and no rule can ask for more."""

    def __init__(self, parts: dict[str, str], first: dt.date) -> None:
        self._first = first
        self._freq = parts["FREQ"]
        self._interval = int(parts.get("INTERVAL", 1))
        self._week_starts = WEEKDAYS.index(parts.get("WKST", "MO"))
        self._months = _numbers(parts, "BYMONTH")
        self._month_days = _numbers(parts, "BYMONTHDAY")
        self._places = _numbers(parts, "BYSETPOS")
        self._days = [
            (int(one[:-2] or 0), WEEKDAYS.index(one[-2:])) for one in parts.get("BYDAY", "").split(",") if one
        ]
        if not self._days and not self._month_days:
            self._take_from_first(first)

    def _take_from_first(self, first: dt.date) -> None:
        if self._freq == "WEEKLY":
            self._days = [(0, first.weekday())]
        elif self._freq in ("MONTHLY", "YEARLY"):
            self._month_days = {first.day}
            if self._freq == "YEARLY" and not self._months:
                self._months = {first.month}

    def days(self, until: dt.date) -> list[dt.date]:
        """All days up to `until`; some of the first period's may be before the first day."""
        day = dt.date(self._first.year, 1, 1) - dt.timedelta(days=7)
        periods: dict[int, list[dt.date]] = {}
        while day <= until:
            period = self._period(day) - self._period(self._first)
            if period >= 0 and period % self._interval == 0 and self._fits(day):
                periods.setdefault(period, []).append(day)
            day += dt.timedelta(days=1)
        return [day for found in periods.values() for day in self._chosen(found)]

    def _period(self, day: dt.date) -> int:
        match self._freq:
            case "DAILY":
                return day.toordinal()
            case "WEEKLY":
                return (day.toordinal() - 1 - self._week_starts) // 7
            case "MONTHLY":
                return day.year * 12 + day.month
        return day.year

    def _fits(self, day: dt.date) -> bool:
        if self._months and day.month not in self._months:
            return False
        length = monthrange(day.year, day.month)[1]
        if self._month_days and not self._month_days & {day.day, day.day - length - 1}:
            return False
        return not self._days or any(day.weekday() == weekday and self._is_nth(day, n) for n, weekday in self._days)

    def _is_nth(self, day: dt.date, n: int) -> bool:
        """Whether it is the month's n-th of its weekday, or the year's where the rule names no month; 0 is any."""
        begin, end = dt.date(day.year, 1, 1), dt.date(day.year, 12, 31)
        if self._freq == "MONTHLY" or self._months:
            begin, end = day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
        return n in (0, (day - begin).days // 7 + 1, -((end - day).days // 7 + 1))

    def _chosen(self, found: list[dt.date]) -> list[dt.date]:
        if not self._places:
            return found
        places = {place - 1 if place > 0 else len(found) + place for place in self._places}
        return [day for place, day in enumerate(found) if place in places]


def _numbers(parts: dict[str, str], name: str) -> set[int]:
    return {int(one) for one in parts[name].split(",")} if name in parts else set()


def _parts(rule: str, zone: ZoneInfo) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        known = _PARTS.get(name)
        if known is None or not equals:
            raise ValueError(f"has {part[:40]!r}, where parts are {', '.join(_PARTS)}, as in FREQ=WEEKLY;BYDAY=MO,TU")
        if name in parts:
            raise ValueError(f"has {name} twice")
        if not known.fullmatch(value):
            allowed = f", which is one of {', '.join(FREQUENCIES)}" if name == "FREQ" else ""
            raise ValueError(f"has no valid {name}{allowed}")
        parts[name] = value
    if "FREQ" not in parts:
        raise ValueError(f"needs FREQ, which is one of {', '.join(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("has both COUNT and UNTIL")
    if parts["FREQ"] in ("DAILY", "WEEKLY") and re.search(r"\d", parts.get("BYDAY", "")):
        raise ValueError("counts weekdays, as in 1MO, which MONTHLY and YEARLY can")
    if "UNTIL" in parts:
        parts["UNTIL"] = _until(parts["UNTIL"], zone).strftime("%Y%m%dT%H%M%S")
    return parts


def _until(text: str, zone: ZoneInfo) -> dt.datetime:
    """On the wall clock; a day is included."""
    try:
        if "T" not in text:
            return dt.datetime.strptime(text, "%Y%m%d").replace(hour=23, minute=59, second=59)  # noqa: DTZ007
        local = dt.datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
        if text.endswith("Z"):
            return local.replace(tzinfo=dt.UTC).astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError("has no valid UNTIL") from None
    return local
