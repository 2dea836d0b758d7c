"""The series of one batch: applies each observation in its order and says what its rules make of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from convex_common.domain.alert import Reason, Resolution
from convex_common.domain.change import Timer
from convex_common.domain.conditions import (
    Evaluation,
    Mark,
    Outcome,
    SeriesState,
    compared_value,
    evaluate,
    held,
    remembered,
)
from convex_common.domain.fingerprint import fingerprint, observations_key, series_key, shard_of
from convex_common.domain.rule import EVALUATED, Rule
from convex_common.events import HoldEnd, Observation, encode
from convex_processor.domain.occurrence import Occurrence, of_series, shown_value


@dataclass(slots=True)
class Series:
    """One series as it changes. `last_at` None: it was never seen."""

    key: bytes
    framework_id: uuid.UUID
    metric: str
    labels: Mapping[str, str]
    state: SeriesState
    last_value: float | None = None
    last_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Fires:
    """A rule's condition holds on a series."""

    fingerprint: bytes
    occurrence: Occurrence


@dataclass(frozen=True, slots=True)
class Clears:
    """A rule's condition has ended on a series, at this value."""

    fingerprint: bytes
    value: float | None = None
    reason: Reason = Reason.CONDITION_CLEARED
    resolution: Resolution = Resolution.AUTOMATIC


@dataclass(slots=True)
class SeriesBatch:
    """The series that a batch touches, and the timers it sets."""

    workspace_id: uuid.UUID
    rules_of: Mapping[tuple[uuid.UUID, str], tuple[Rule, ...]]
    now: dt.datetime
    known: dict[bytes, Series]
    touched: dict[bytes, Series] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)

    def observe(self, observation: Observation) -> Iterator[Fires | Clears]:
        """One observation. One older than the last is stored and decides nothing."""
        key = series_key(self.workspace_id, observation.framework_id, observation.metric, observation.labels)
        series = self.known.get(key)
        if series is None:
            series = self.known[key] = Series(
                key, observation.framework_id, observation.metric, observation.labels, SeriesState()
            )
        if series.last_at is not None and observation.at < series.last_at:
            return
        self.touched[key] = series
        rules = [rule for rule in self._rules(series) if rule.alert_type in EVALUATED]
        widest = max((rule.window_seconds or 0 for rule in rules), default=0)
        recent = remembered(series.state.recent, (observation.at.timestamp(), observation.value), widest)
        previous = series.last_value
        marks = dict(series.state.marks)
        outcomes: list[Fires | Clears] = []
        for rule in rules:
            found = evaluate(rule, marks.get(str(rule.id), Mark()), recent, previous)
            marks[str(rule.id)] = found.mark
            outcomes.extend(self._outcome(rule, series, observation, found))
        active = {str(rule.id) for rule in rules}
        series.state = SeriesState(
            recent=recent if widest else [], marks={name: mark for name, mark in marks.items() if name in active}
        )
        series.last_value, series.last_at = observation.value, observation.at
        yield from outcomes

    def hold_end(self, timer: HoldEnd, rules: Mapping[uuid.UUID, Rule]) -> Iterator[Fires]:
        """A hold time is over: fires if the condition held all the while."""
        series = self.known.get(bytes.fromhex(timer.series))
        rule = rules.get(timer.rule_id)
        if series is None or rule is None or rule.deleted or not rule.enabled or series.last_value is None:
            return
        mark = series.state.marks.get(str(rule.id), Mark())
        if not held(rule, mark, timer.since):
            return
        self.touched[series.key] = series
        series.state = SeriesState(
            recent=series.state.recent, marks={**series.state.marks, str(rule.id): Mark(firing=True)}
        )
        compared = compared_value(rule, series.state.recent, None) if series.state.recent else None
        yield self._fires(rule, series, series.last_value, compared)

    def _rules(self, series: Series) -> tuple[Rule, ...]:
        return self.rules_of.get((series.framework_id, series.metric), ())

    def _outcome(
        self, rule: Rule, series: Series, observation: Observation, found: Evaluation
    ) -> Iterator[Fires | Clears]:
        if found.outcome is Outcome.FIRES:
            yield self._fires(rule, series, observation.value, found.compared)
        elif found.outcome is Outcome.CLEARS:
            yield Clears(self._fingerprint(rule, series), shown_value(rule, observation.value, found.compared))
        elif found.outcome is Outcome.PENDING and found.mark.pending_since == observation.at.timestamp():
            self.timers.append(self._hold(rule, series, observation.at.timestamp()))

    def _fires(self, rule: Rule, series: Series, value: float, compared: float | None) -> Fires:
        return Fires(self._fingerprint(rule, series), of_series(rule, series.labels, value, compared))

    def _fingerprint(self, rule: Rule, series: Series) -> bytes:
        return fingerprint(self.workspace_id, series.framework_id, rule.id, series.labels)

    def _hold(self, rule: Rule, series: Series, since: float) -> Timer:
        shard = shard_of(series.key)
        payload = HoldEnd(rule_id=rule.id, series=series.key.hex(), since=since)
        return Timer(
            kind=HoldEnd.kind.removeprefix("timer:"),
            subject=f"{rule.id}:{series.key.hex()}",
            key=observations_key(self.workspace_id, shard),
            shard=shard,
            due_at=self.now + dt.timedelta(seconds=rule.for_seconds),
            payload=encode(payload),
        )
