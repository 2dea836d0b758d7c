"""A look at the cache's Redis, and at the broker's: what the hourly check reports, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from convex_common.redis.cache import keys
from convex_common.redis.cache.classes import CLASSES
from convex_common.redis.link import Link
from convex_common.redis.resp import Reply, ReplyError, command

WITHIN: Final = 1.0
"""Seconds that each question may take."""

SLOW_MS: Final = 10.0
FULL_PERCENT: Final = 90.0
POOR_RATE: Final = 50.0
_LOOKS: Final = 5
_SCAN_COUNT: Final = 1000
_MOST_SCANS: Final = 200


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` are sentences that name their cure; none of them means that all is well.

    `keys` counts entries by class, of the first 200,000 keys that Redis shows; `hit_rates` are percents by class, as
    far as the caller knows them. `memory_percent` is None where Redis has no limit.
    """

    reachable: bool
    ping_ms: float | None = None
    memory_bytes: int | None = None
    memory_percent: float | None = None
    eviction_policy: str | None = None
    evicted_keys: int | None = None
    keys: Mapping[str, int] = field(default_factory=dict)
    hit_rates: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As a job's result."""
        return asdict(self)


def check(
    cache_redis_url: str, redis_url: str, queue_prefix: str, hit_rates: Mapping[str, float] | None = None
) -> Report:
    """Never raises. Takes a second for each question at most, and blocks the server for none."""
    rates = dict(hit_rates or {})
    problems = [
        f"the hit rate of {name} is {rate:.0f} %: see docs/cache.md on what to look at"
        for name, rate in sorted(rates.items())
        if rate < POOR_RATE
    ]
    problems += _of_broker(redis_url)
    link = Link(cache_redis_url)
    try:
        ping_ms = _ping_ms(link)
        memory, stats = _info(link, "memory"), _info(link, "stats")
        counted = _counted(link, queue_prefix)
    except OSError as error:
        problems.insert(
            0, f"the cache's Redis cannot be asked ({error}): requests go to PostgreSQL; see CACHE_REDIS_URL"
        )
        return Report(reachable=False, hit_rates=rates, problems=tuple(problems))
    finally:
        link.close()
    used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    percent = round(100 * used / limit, 1) if limit else None
    policy = memory.get("maxmemory_policy", "")
    if ping_ms > SLOW_MS:
        problems.append(f"a ping takes {ping_ms:.0f} ms, more than the cache saves: look for a slow command")
    if percent is not None and percent > FULL_PERCENT and policy == "noeviction":
        problems.append(f"its memory is {percent:.0f} % full and nothing may be evicted: raise maxmemory")
    return Report(
        reachable=True,
        ping_ms=round(ping_ms, 3),
        memory_bytes=used,
        memory_percent=percent,
        eviction_policy=policy,
        evicted_keys=int(stats.get("evicted_keys", 0)),
        keys=counted,
        hit_rates=rates,
        problems=tuple(problems),
    )


def _of_broker(redis_url: str) -> list[str]:
    """What is wrong with where the queues are: evictions would drop work from them."""
    link = Link(redis_url)
    try:
        memory = _info(link, "memory")
    except OSError as error:
        return [f"the queues' Redis cannot be asked ({error}): work waits for the pollers; see REDIS_URL"]
    finally:
        link.close()
    policy = memory.get("maxmemory_policy", "noeviction")
    if int(memory.get("maxmemory", 0)) and policy != "noeviction":
        return [f"the queues' Redis evicts ({policy}), so it drops work: set maxmemory-policy noeviction there"]
    return []


def _ping_ms(link: Link) -> float:
    """The median of a few; the first one also connects."""
    taken = []
    for _ in range(_LOOKS + 1):
        began = time.perf_counter()
        _asked(link, command("PING"))
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken[1:])[_LOOKS // 2]


def _info(link: Link, section: str) -> dict[str, str]:
    reply = _asked(link, command("INFO", section))
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else ""
    return {name: value for name, _, value in (line.partition(":") for line in text.splitlines()) if value}


def _counted(link: Link, queue_prefix: str) -> dict[str, int]:
    """Entries by class; a thousand keys looked at a time."""
    counts = {kind.name: 0 for kind in CLASSES}
    cursor = b"0"
    for _ in range(_MOST_SCANS):
        reply = _asked(
            link, command("SCAN", cursor, "MATCH", keys.namespace_pattern(queue_prefix), "COUNT", _SCAN_COUNT)
        )
        if not isinstance(reply, list) or not isinstance(reply[0], bytes) or not isinstance(reply[1], list):
            raise ConnectionError("no answer to SCAN")
        cursor = reply[0]
        for key in reply[1]:
            name = keys.class_of(queue_prefix, key.decode()) if isinstance(key, bytes) else None
            if name in counts:
                counts[name] += 1
        if cursor == b"0":
            break
    return counts


def _asked(link: Link, question: bytes) -> Reply:
    reply = link.call(question, 1, WITHIN)[0]
    if isinstance(reply, ReplyError):
        raise ConnectionError(f"Redis refused: {reply}")
    return reply
