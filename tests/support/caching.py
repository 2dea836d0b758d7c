"""A cache on a real Valkey over a truth that tests change: what a list says is what the truth says when it is read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from convex_common.errors import StoreUnavailable
from convex_common.feed import LiveEvent
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.redis.cache.cache import Answer, Cache, Loaded
from convex_common.redis.cache.classes import ALERTS, CacheClass
from convex_common.redis.cache.positions import Position, Positions
from convex_common.redis.live import LivePublisher


@dataclass
class Truth:
    """Stands for PostgreSQL: one workspace's feed and its facets' contents."""

    workspace_id: uuid.UUID = field(default_factory=uuid.uuid4)
    epoch: uuid.UUID = field(default_factory=uuid.uuid4)
    offset: int = 0
    versions: dict[str, int] = field(default_factory=lambda: {"rules": 1, "statistics": 1, "patterns": 1})
    facets: dict[str, int] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    def commit(self, *facets: str) -> LiveEvent:
        """A change of these facets, committed and not yet published."""
        self.offset += 1
        for facet in facets:
            self.facets[facet] = self.facets.get(facet, 0) + 1
        return LiveEvent(self.workspace_id, self.offset, uuid.UUID(int=1), self.epoch, b"{}", facets)

    def read(self, facets: Sequence[str]) -> Loaded:
        value = ",".join(str(self.facets.get(facet, 0)) for facet in facets)
        return Loaded(value.encode(), self.epoch, self.offset)

    async def position(self, workspace_id: uuid.UUID) -> Position:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("PostgreSQL is unavailable", 2.0)
        return Position(self.epoch, self.offset, dict(self.versions))


class Gateway:
    """One gateway's cache over the truth; several may share one Valkey."""

    def __init__(self, truth: Truth, url: str, prefix: str, **options: float) -> None:
        self.truth = truth
        self.seconds = 1000.0
        self.loads = 0
        self.metrics = Metrics(CollectorRegistry())
        self.measures = Measures()
        self.positions = Positions(truth.position, clock=lambda: self.seconds)
        self.cache = Cache(
            url, prefix, self.positions, self.metrics, self.measures, clock=lambda: self.seconds, **options
        )
        self.publisher = LivePublisher(url, prefix)

    async def read(self, *facets: str, kind: CacheClass = ALERTS, workspace_id: uuid.UUID | None = None) -> str:
        return (await self.answer(*facets, kind=kind, workspace_id=workspace_id)).value.decode()

    async def answer(self, *facets: str, kind: CacheClass = ALERTS, workspace_id: uuid.UUID | None = None) -> Answer:
        async def load() -> Loaded:
            self.loads += 1
            if self.truth.away:
                raise StoreUnavailable("PostgreSQL is unavailable", 2.0)
            return self.truth.read(facets)

        return await self.cache.find(workspace_id or self.truth.workspace_id, kind, str(facets), load, facets=facets)

    def counted(self, outcome: str, kind: CacheClass = ALERTS) -> float:
        """`hits`, `misses` or `errors` of a class so far."""
        return self.metrics.registry.get_sample_value(f"cache_{outcome}_total", {"class": kind.name}) or 0

    async def aclose(self) -> None:
        self.publisher.close()
        await self.cache.aclose()
