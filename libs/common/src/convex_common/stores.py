"""Whether a process gets at its stores, as its own work finds out; nobody asks them for the sake of asking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

POSTGRES: Final = "postgres"
REDIS: Final = "redis"
"""The broker's: hints, at `REDIS_URL`."""
CACHE: Final = "cache"
"""The cache's and the live feed's, at `CACHE_REDIS_URL`."""

REMEMBERED: Final = 60.0
"""Seconds for which a call says how a store is; what was learnt earlier is known no more."""


class Watch(Protocol):
    """Told by whoever calls a store how the call went."""

    def answered(self) -> None: ...
    def failed(self) -> None: ...


class Unwatched:
    """Nobody is told, as in commands and tests."""

    def answered(self) -> None:
        """Nothing."""

    def failed(self) -> None:
        """Nothing."""


UNWATCHED: Final[Watch] = Unwatched()


class StoreWatch:
    """How the last call of one store went, and when. Thread-safe: each call is one assignment."""

    def __init__(self, failures: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._clock = clock
        self._last: tuple[bool, float] | None = None

    def answered(self) -> None:
        """The store answered, be it with an error of the question's own."""
        self._last = (True, self._clock())

    def failed(self) -> None:
        """It could not be reached, did not answer in time, or would not work."""
        self._last = (False, self._clock())
        self._failures()

    @property
    def up(self) -> bool | None:
        """What the last call found; None where there was none within a minute."""
        last = self._last
        return last[0] if last is not None and self._clock() - last[1] <= REMEMBERED else None

    def silent_for(self, seconds: float) -> bool:
        """Whether nobody has called it for so long."""
        last = self._last
        return last is None or self._clock() - last[1] >= seconds


class Stores(Collector):
    """`store_up` of the stores that the process calls; a store comes into being when its watch is first asked for."""

    _NAME: Final = "store_up"
    _TOLD: Final = "1 where the last call to a store was answered, 0 where not; absent without one for a minute."

    def __init__(self, errors: Counter) -> None:
        self._errors = errors
        self._watches: dict[str, StoreWatch] = {}

    def watch(self, store: str) -> StoreWatch:
        """The one watch of a store."""
        if store not in self._watches:
            self._watches[store] = StoreWatch(self._errors.labels(store).inc)
        return self._watches[store]

    def collect(self) -> Iterable[Metric]:
        """What is known now."""
        family = GaugeMetricFamily(self._NAME, self._TOLD, labels=("store",))
        for store, watch in self._watches.items():
            if (up := watch.up) is not None:
                family.add_metric((store,), up)
        yield family

    def describe(self) -> Iterable[Metric]:
        """The name, so that the registry need not collect to learn it."""
        yield GaugeMetricFamily(self._NAME, self._TOLD, labels=("store",))
