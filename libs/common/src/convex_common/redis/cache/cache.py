"""Answers computed from PostgreSQL, kept in Redis, and served for as long as nothing they depend on has changed.

Why an old answer is never taken for a good one is told in docs/decisions/0012-the-cache-follows-the-feed.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast
from uuid import UUID

from convex_common.errors import Invalid, StoreUnavailable
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.redis.async_link import AsyncLink
from convex_common.redis.cache import entry, keys, marks
from convex_common.redis.cache.classes import CLASSES, CacheClass
from convex_common.redis.cache.counts import CacheCounts
from convex_common.redis.cache.entry import Corrupt, Entry
from convex_common.redis.cache.flights import Flights
from convex_common.redis.cache.positions import Position, Positions
from convex_common.redis.cache.standing import NOTHING, Malformed, Standing, fields
from convex_common.redis.cache.standing import standing as standing_of
from convex_common.redis.resp import Reply, ReplyError, command

log = logging.getLogger(__name__)

WITHIN: Final = 0.02
"""Seconds that a look-up or a store may take; after that the answer comes from PostgreSQL alone."""

_HELD_UP_FOR: Final = 0.25
"""Seconds that marks may be under way before they are taken for lost."""

_SCAN_COUNT: Final = 1000
_SCAN_WITHIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was computed, and of when: the feed's offset or the class's version, read in the same snapshot or before."""

    value: bytes
    epoch: UUID
    stamp: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A value that is as good as one computed now, and the offset or version that it may be said to be of."""

    value: bytes
    epoch: UUID
    stamp: int


Load = Callable[[], Awaitable[Loaded]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer would be stored, and what had to be known before it is computed. `required` is what its stamp
    must reach to be good."""

    key: str
    epoch: UUID
    sweep: int
    required: int


class Cache:
    """Belongs to one event loop. Redis may be away, slow, full or lying: then it is as if nothing had been cached."""

    def __init__(
        self,
        cache_redis_url: str,
        queue_prefix: str,
        positions: Positions,
        metrics: Metrics,
        measures: Measures | None = None,
        *,
        within: float = WITHIN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._link = AsyncLink(cache_redis_url)
        self._prefix = queue_prefix
        self._positions = positions
        self._counts = {kind.name: CacheCounts(kind.name, metrics, measures) for kind in CLASSES}
        self._within = within
        self._clock = clock
        self._flights: Flights[Answer] = Flights()
        self._held_up: dict[UUID, tuple[int, float]] = {}
        self._freeing: set[asyncio.Task[int]] = set()

    async def find(
        self, workspace_id: UUID, kind: CacheClass, asked: str, load: Load, *, facets: Sequence[str] = ()
    ) -> Answer:
        """What `asked` stands for, loaded at most once where many ask. Errors of `load` pass through.

        `asked` names everything that the value depends on beside the workspace, and nothing about who asks: whoever may
        read it gets the same bytes. A class by facets is given those that the value depends on.
        """
        counts = self._counts[kind.name]
        answer, place = await self._looked_up(workspace_id, kind, asked, facets)
        if answer is not None:
            counts.hit(workspace_id)
            return answer
        counts.miss(workspace_id)

        async def fill() -> Answer:
            loaded = await load()
            if kind.by_facet:
                self._positions.saw(workspace_id, loaded.epoch, loaded.stamp)
            if place is not None:
                await self._store(workspace_id, kind, place, loaded)
            return Answer(loaded.value, loaded.epoch, loaded.stamp)

        def good(other: Answer) -> bool:
            return place is not None and other.epoch == place.epoch and other.stamp >= place.required

        return await self._flights.shared((workspace_id, kind.name, asked), fill, good)

    async def changed(self, workspace_id: UUID, kind: CacheClass, version: int) -> None:
        """What a class is computed from is of this version by now: call after the commit, before anybody is told.

        Never raises. Where Redis is away, others see the change within a second.
        """
        self._positions.forget(workspace_id)
        try:
            position = await self._positions.of(workspace_id, self._link.era)
            await self._raise(workspace_id, position.epoch, offset=None, versions={kind.name: version})
        except (OSError, StoreUnavailable):
            self._counts[kind.name].error(workspace_id)

    async def sweep(self, workspace_id: UUID, kind: CacheClass) -> asyncio.Task[int]:
        """End a workspace's answers of a class, those being computed at this moment too.

        None of them is served any more when this returns; the task that it returns frees their memory and tells how
        many there were. For what neither the feed nor a version tells, such as a repair by hand. OSError,
        StoreUnavailable.
        """
        position = await self._positions.of(workspace_id, self._link.era)
        name = keys.marks_key(self._prefix, workspace_id, position.epoch)
        token = secrets.randbits(31) + 1
        _unless_refused(await self._call(command("HSET", name, f"s:{kind.name}", token)))
        freeing = asyncio.create_task(self._unlinked(keys.entries_pattern(self._prefix, workspace_id, kind)))
        self._freeing.add(freeing)
        freeing.add_done_callback(self._freeing.discard)
        return freeing

    async def flush(self, namespace: str) -> int:
        """Throw away everything of the named prefix, for tests; Invalid unless it is this cache's own. OSError."""
        if namespace != self._prefix:
            raise Invalid("namespace", "is not this cache's", cure="name the QUEUE_PREFIX that is to be flushed")
        return await self._unlinked(keys.namespace_pattern(namespace))

    async def aclose(self) -> None:
        """Close the connections; memory that is not freed yet ends with its time."""
        for task in self._freeing:
            task.cancel()
        await asyncio.gather(*self._freeing, return_exceptions=True)
        await self._link.aclose()

    async def _looked_up(
        self, workspace_id: UUID, kind: CacheClass, asked: str, facets: Sequence[str]
    ) -> tuple[Answer | None, _Place | None]:
        """A good answer, or where to store one; neither where Redis is of no use."""
        counts = self._counts[kind.name]
        try:
            if not await self._link.ready(self._within):
                raise ConnectionError("there is no connection to Redis")
            era = self._link.era
            position = await self._positions.of(workspace_id, era)
            key = keys.entry_key(self._prefix, workspace_id, position.epoch, kind, asked)
            of_marks = keys.marks_key(self._prefix, workspace_id, position.epoch)
            asking = command("HMGET", of_marks, *fields(kind, facets)) + command("GET", key)
            marked, stored = await self._link.call(asking, 2, self._within)
            try:
                standing = standing_of(kind, position.versions, _of_marks(marked))
            except Malformed as error:
                counts.error(workspace_id)
                log.warning("cache: marks are thrown away: %s", error, extra={"workspace_id": str(workspace_id)})
                await self._call(command("UNLINK", of_marks))
                standing = NOTHING
            if not standing.opened:
                begun = await self._opened(workspace_id, position.epoch, era)
                if begun.epoch != position.epoch:  # restored at this moment
                    return None, None
                required = begun.offset if kind.by_facet else begun.versions[kind.name]
                return None, _Place(key, begun.epoch, standing.sweep, required)
            place = _Place(key, position.epoch, standing.sweep, standing.required)
            if kind.by_facet and not standing.complete(position.offset):
                await self._held_up_marks(workspace_id, position.epoch, era, standing)
                return None, replace(place, required=max(place.required, position.offset))
            self._held_up.pop(workspace_id, None)
            found = self._good(workspace_id, kind, place, stored)
            if found is None or era != self._link.era:
                return None, place
            reached = max(found.stamp, standing.through) if kind.by_facet else found.stamp
            return Answer(found.value, position.epoch, reached), place
        except OSError as error:
            counts.error(workspace_id)
            log.debug("cache: a miss, since %s", error or type(error).__name__)
            return None, None

    def _good(self, workspace_id: UUID, kind: CacheClass, place: _Place, stored: Reply) -> Entry | None:
        """The entry that lies there, unless it is out of date or damaged."""
        if stored is None:
            return None
        try:
            if not isinstance(stored, bytes):
                raise Corrupt(f"no text: {stored}")
            found = entry.decode(place.key, stored)
        except Corrupt as error:
            self._counts[kind.name].error(workspace_id)
            log.warning("cache: a value is thrown away: %s", error, extra={"workspace_id": str(workspace_id)})
            return None
        good = found.stamp >= place.required and found.sweep == place.sweep
        return found if good and self._clock() * 1000 < found.expires_ms else None

    async def _store(self, workspace_id: UUID, kind: CacheClass, place: _Place, loaded: Loaded) -> None:
        """Keep what was loaded, for a little less than its class allows, so that not all end at once."""
        if loaded.epoch != place.epoch:  # restored meanwhile: the next one learns it
            self._positions.forget(workspace_id)
            return
        if len(loaded.value) > kind.most_bytes:
            return
        milliseconds = int(kind.seconds * 1000 * random.uniform(0.9, 1.0))  # noqa: S311 - no secret
        expires = int(self._clock() * 1000) + milliseconds
        raw = entry.encode(place.key, Entry(place.sweep, loaded.stamp, expires, loaded.value))
        try:
            _unless_refused(await self._call(command("SET", place.key, raw, "PX", milliseconds)))
        except OSError as error:
            self._counts[kind.name].error(workspace_id)
            log.debug("cache: not stored, since %s", error or type(error).__name__)

    async def _opened(self, workspace_id: UUID, epoch: UUID, era: int) -> Position:
        """Begin marks where there are none (or not those of this class): nothing read before this moment is good.

        Redis may forget once more while PostgreSQL answers, and with it changes that came after that answer. The token
        is forgotten then, too, and the marks stay closed: the next who asks opens them.
        """
        token = secrets.randbits(31)
        for reply in await self._link.call(marks.asking(self._prefix, workspace_id, epoch, token), 2, self._within):
            _unless_refused(reply)
        position = await self._positions.now(workspace_id, era)
        await self._raise(workspace_id, position.epoch, offset=position.offset, versions=position.versions, token=token)
        return position

    async def _held_up_marks(self, workspace_id: UUID, epoch: UUID, era: int, standing: Standing) -> None:
        """Changes are committed and not marked. Usually their marks come a moment later; lost ones are made good."""
        now = self._clock()
        through, since = self._held_up.get(workspace_id, (-1, now))
        if through != standing.through:
            self._held_up[workspace_id] = (standing.through, now)
        elif now - since >= _HELD_UP_FOR:
            del self._held_up[workspace_id]
            log.info("cache: lost marks are made good", extra={"workspace_id": str(workspace_id)})
            await self._opened(workspace_id, epoch, era)

    async def _raise(
        self,
        workspace_id: UUID,
        epoch: UUID,
        *,
        offset: int | None,
        versions: Mapping[str, int],
        token: int | None = None,
    ) -> None:
        run = marks.raised(self._prefix, workspace_id, epoch, offset=offset, versions=versions, token=token)
        reply = await self._call(run.by_digest())
        if isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply = await self._call(run.by_text())
        _unless_refused(reply)

    async def _call(self, one: bytes) -> Reply:
        return (await self._link.call(one, 1, self._within))[0]

    async def _unlinked(self, pattern: str) -> int:
        """Remove the keys that match, a thousand looked at a time: no command holds up the server."""
        cursor, removed = b"0", 0
        while True:
            reply = _unless_refused(
                (
                    await self._link.call(
                        command("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT), 1, _SCAN_WITHIN
                    )
                )[0]
            )
            cursor, found = cast("tuple[bytes, list[bytes]]", reply)
            if found:
                removed += cast(
                    "int", _unless_refused((await self._link.call(command("UNLINK", *found), 1, _SCAN_WITHIN))[0])
                )
            if cursor == b"0":
                return removed


def _unless_refused(reply: Reply) -> Reply:
    """The reply; ConnectionError where Redis would not do it."""
    if isinstance(reply, ReplyError):
        raise ConnectionError(f"Redis refused: {reply}")
    return reply


def _of_marks(reply: Reply) -> Reply:
    """The same; Malformed where something else than marks lies there."""
    if isinstance(reply, ReplyError) and str(reply).startswith("WRONGTYPE"):
        raise Malformed(str(reply))
    return _unless_refused(reply)
