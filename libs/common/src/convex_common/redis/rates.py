"""Buckets that all processes share: one Lua call a decision, by Redis's own clock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from convex_common.domain.rate import Rate
from convex_common.redis.async_link import AsyncLink
from convex_common.redis.resp import Part, Reply, ReplyError, command

# As `domain.rate.decide`, in microseconds, for several buckets at once: a permit is taken from each or from none.
# First it takes what is `owed`, come what may. Then it grants `want` permits or as many as there are, if these are
# `need` at least. A bucket's key lasts until it is full.
SCRIPT: Final = b"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed, need, granted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full, wait, tightest = {}, 0, 0
for i, key in ipairs(KEYS) do
    local interval, tolerance = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
    full[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + owed * interval
    local room = (now + tolerance - full[i]) / interval
    local missing = (math.min(need, tolerance / interval) - room) * interval
    if missing > wait then wait, tightest = missing, i end
    granted = math.min(granted, math.max(math.floor(room), need))
end
if tightest > 0 then granted = 0 end
for i, key in ipairs(KEYS) do
    if granted + owed > 0 then
        local later = full[i] + granted * tonumber(ARGV[2 * i + 2])
        redis.call('SET', key, string.format('%.0f', later), 'PX', math.ceil((later - now) / 1000) + 1)
    end
end
return {granted, math.ceil(wait), tightest}
"""
_SHA: Final = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket by its name, which must be the same everywhere, and how it fills."""

    name: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Granted:
    """How many permits there were. None: the bucket at the place `tightest` will have them after `wait` seconds."""

    permits: int
    wait: float
    tightest: int


class RatesUnavailable(OSError):  # noqa: N818 - reads as a state, as those of `convex_common.errors`
    """Redis did not answer in time, or is away."""


class SharedRates:
    """Takes permits from shared buckets. Belongs to the event loop on which it is used."""

    def __init__(self, redis_url: str, queue_prefix: str) -> None:
        self._link = AsyncLink(redis_url, size=1, what="rate limits")
        self._prefix = f"{queue_prefix}:limit:"

    async def take(self, buckets: Sequence[Bucket], need: int, want: int, within: float, *, owed: int = 0) -> Granted:
        """Up to `want` permits of every bucket, `need` at least; or none. RatesUnavailable after `within` seconds.

        What is `owed`, since it was used already, is taken in any case.
        """
        arguments: list[Part] = [len(buckets), *(self._prefix + bucket.name for bucket in buckets), owed, need, want]
        for bucket in buckets:
            arguments += [f"{bucket.rate.interval * 1e6:.6f}", f"{bucket.rate.tolerance * 1e6:.0f}"]
        try:
            (reply,) = await self._link.call(command("EVALSHA", _SHA, *arguments), 1, within)
            if isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT"):
                (reply,) = await self._link.call(command("EVAL", SCRIPT, *arguments), 1, within)
            return _granted(reply)
        except OSError as error:
            raise RatesUnavailable(str(error)) from error

    async def aclose(self) -> None:
        """Hang up."""
        await self._link.aclose()


def _granted(reply: Reply) -> Granted:
    match reply:
        case [int(permits), int(wait), int(tightest)]:
            return Granted(permits, wait / 1e6, tightest - 1)
    raise ConnectionError(f"Redis refused to decide: {reply!r}")
