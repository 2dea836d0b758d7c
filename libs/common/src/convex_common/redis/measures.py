"""Measures of all processes, summed in Redis: by minute for what is recent, and without end for what only grows."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from convex_common.domain.distribution import Distribution, merged
from convex_common.errors import StoreUnavailable
from convex_common.measures import LABELLED_BY_ID, WS_CLIENTS, WS_SUBSCRIPTIONS, Deltas, Key
from convex_common.redis.link import Link
from convex_common.redis.resp import Part, Reply, ReplyError, command
from convex_common.stores import UNWATCHED, Watch

MINUTES: Final = 15
"""What is called recent."""

ALIVE_SECONDS: Final = 15
"""After so long without a sign of life a process's levels, such as its open sockets, count no more."""

LEVELS: Final = (WS_CLIENTS, WS_SUBSCRIPTIONS)

_EVERYTHING: Final = "all"
_KEEP_MINUTE: Final = (MINUTES + 3) * 60
_KEEP_SEQUENCE: Final = 3600
_KEEP_TOTALS: Final = 90 * 86400
_WRITE_WITHIN: Final = 1.0
_READ_WITHIN: Final = 0.5

# A write whose answer was lost is sent again: the process's own sequence says whether it was done.
_ADD: Final = """if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
local at = 3
for hash = 2, #KEYS do
    local keep, fields = ARGV[at], tonumber(ARGV[at + 1])
    at = at + 2
    for _ = 1, fields do
        redis.call('HINCRBY', KEYS[hash], ARGV[at], ARGV[at + 1])
        at = at + 2
    end
    redis.call('EXPIRE', KEYS[hash], keep)
end
return 1"""

_BEAT: Final = """local now = tonumber(redis.call('TIME')[1])
redis.call('DEL', KEYS[2])
for at = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])"""

_SUM_LEVELS: Final = """local sums = {}
for at = 2, #ARGV do sums[at - 1] = 0 end
for _, process in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    for at = 2, #ARGV do
        sums[at - 1] = sums[at - 1] + tonumber(redis.call('HGET', ARGV[1] .. process, ARGV[at]) or '0')
    end
end
return sums"""


@dataclass(frozen=True)
class Tally:
    """Counts and distributions by a measure's name and label."""

    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    distributions: Mapping[tuple[str, str], Distribution] = field(default_factory=dict)

    def by_label(self, name: str) -> dict[str, int]:
        """A measure's counts by label."""
        return {label: count for (one, label), count in self.counts.items() if one == name}

    def sum(self, name: str) -> int:
        """A measure's count over all labels."""
        return sum(self.by_label(name).values())

    def spread(self, name: str) -> dict[str, Distribution]:
        """A measure's distributions by label."""
        return {label: one for (other, label), one in self.distributions.items() if other == name}

    def whole(self, name: str) -> Distribution:
        """A measure's distribution over all labels."""
        return merged(self.spread(name).values())


@dataclass(frozen=True)
class Measured:
    """Of one workspace or of all: the last 15 minutes, everything since the store was last emptied, and levels now."""

    recent: Tally
    total: Tally
    levels: Mapping[str, int]


@dataclass(frozen=True)
class Batch:
    """Deltas of one minute, under a number that rises with every batch of a process."""

    sequence: int
    minute: int
    deltas: Deltas


def minute_of(seconds: float) -> int:
    """The minute of a Unix time, by which batches are kept apart."""
    return int(seconds // 60)


class MeasureStore:
    """Adds this process's measures to everybody's, and reads their sums. Thread-safe; calls take turns.

    OSError where Redis cannot be reached or refuses, on writing; StoreUnavailable on reading.
    """

    def __init__(
        self,
        cache_redis_url: str,
        queue_prefix: str,
        *,
        clock: Callable[[], float] = time.time,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._space = f"{queue_prefix}:measures"
        self._process = uuid.uuid4().hex
        self._link = Link(cache_redis_url, watch)
        self._clock = clock

    def add(self, batch: Batch) -> None:
        """Add a batch once, however often it is given."""
        hashes = self._hashes(batch)
        arguments: list[Part] = [batch.sequence, _KEEP_SEQUENCE]
        for _, keep, fields in hashes:
            arguments += [keep, len(fields)]
            for name, by in fields.items():
                arguments += [name, by]
        keys = [f"{self._space}:sequence:{self._process}", *(key for key, _, _ in hashes)]
        self._written(command("EVAL", _ADD, len(keys), *keys, *arguments))

    def beat(self, levels: Mapping[tuple[uuid.UUID, str], int]) -> None:
        """A sign of life with this process's levels, which count until the next one or for 15 seconds."""
        fields: Counter[str] = Counter()
        for (workspace_id, name), value in levels.items():
            fields[_level(str(workspace_id), name)] += value
            fields[_level(_EVERYTHING, name)] += value
        pairs = [part for pair in fields.items() for part in pair]
        keys = (self._processes, f"{self._levels_of}{self._process}")
        self._written(command("EVAL", _BEAT, len(keys), *keys, self._process, ALIVE_SECONDS, *pairs))

    def leave(self) -> None:
        """This process ends: its levels count no more."""
        self._written(command("DEL", f"{self._levels_of}{self._process}"))

    def read(self, workspace_id: uuid.UUID | None) -> Measured:
        """What all processes together have measured for a workspace; None for all workspaces."""
        scope = _EVERYTHING if workspace_id is None else str(workspace_id)
        now = minute_of(self._clock())
        minutes = range(now - MINUTES + 1, now + 2)  # another process's clock may be ahead
        commands = [command("HGETALL", self._minute(scope, minute)) for minute in minutes]
        commands.append(command("HGETALL", self._total(scope)))
        fields = [_level(scope, name) for name in LEVELS]
        commands.append(command("EVAL", _SUM_LEVELS, 1, self._processes, self._levels_of, *fields))
        try:
            replies = _accepted(self._link.call(b"".join(commands), len(commands), _READ_WITHIN))
        except OSError as error:
            raise StoreUnavailable(f"Redis is unavailable: {error}") from error
        *recent, total, levels = replies
        return Measured(_tally(recent), _tally([total]), dict(zip(LEVELS, cast("list[int]", levels), strict=True)))

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        self._link.close()

    @property
    def _processes(self) -> str:
        return f"{self._space}:processes"

    @property
    def _levels_of(self) -> str:
        return f"{self._space}:levels:"

    def _minute(self, scope: str, minute: int) -> str:
        return f"{self._space}:{scope}:{minute}"

    def _total(self, scope: str) -> str:
        return f"{self._space}:{scope}:total"

    def _hashes(self, batch: Batch) -> list[tuple[str, int, Counter[str]]]:
        """What to add: key, seconds to keep it, fields."""
        recent: dict[str, Counter[str]] = {}
        summed: dict[str, Counter[str]] = {}
        for (workspace_id, name, label), fields in _fields(batch.deltas):
            scope, told = str(workspace_id), "" if name in LABELLED_BY_ID else label
            for scopes, among, by in ((recent, scope, label), (summed, scope, told), (summed, _EVERYTHING, told)):
                hash_ = scopes.setdefault(among, Counter())
                for part, value in fields:
                    hash_[f"{name}|{by}|{part}"] += value
        minute = batch.minute
        everything = summed.get(_EVERYTHING)
        if everything:
            recent[_EVERYTHING] = everything
        return [
            *((self._minute(scope, minute), _KEEP_MINUTE, fields) for scope, fields in recent.items()),
            *((self._total(scope), _KEEP_TOTALS, fields) for scope, fields in summed.items()),
        ]

    def _written(self, commands: bytes) -> None:
        _accepted(self._link.call(commands, 1, _WRITE_WITHIN))


def _fields(deltas: Deltas) -> Iterable[tuple[Key, list[tuple[str, int]]]]:
    """Each measure's parts: a count, or a distribution's buckets by their place, and its sum."""
    for key, count in deltas.counts.items():
        yield key, [("count", count)]
    for key, one in deltas.distributions.items():
        filled = [(str(place), count) for place, count in enumerate(one.counts) if count]
        yield key, [*filled, ("sum", one.total_us)]


def _tally(hashes: Sequence[Reply]) -> Tally:
    counts: Counter[tuple[str, str]] = Counter()
    distributions: dict[tuple[str, str], Distribution] = {}
    for hash_ in hashes:
        parts = iter(cast("list[bytes]", hash_))
        for field_, value in zip(parts, parts, strict=True):
            name, label, part = field_.decode().split("|")
            if part == "count":
                counts[name, label] += int(value)
                continue
            distribution = distributions.setdefault((name, label), Distribution())
            if part == "sum":
                distribution.total_us += int(value)
            else:
                distribution.counts[int(part)] += int(value)
    return Tally(counts, distributions)


def _level(scope: str, name: str) -> str:
    return f"{scope}|{name}"


def _accepted(replies: list[Reply]) -> list[Reply]:
    if refused := next((reply for reply in replies if isinstance(reply, ReplyError)), None):
        raise ConnectionError(f"Redis refused: {refused}")
    return replies
