"""The series of one batch: applies each observation in its order and says what its rules make of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from convex_common.domain import outlook, unusual
from convex_common.domain.alert import Reason, Resolution
from convex_common.domain.change import Timer
from convex_common.domain.conditions import (
    Evaluation,
    Mark,
    Outcome,
    Sample,
    SeriesState,
    breaches,
    compared_value,
    evaluate,
    held,
    remembered,
)
from convex_common.domain.fingerprint import fingerprint, observations_key, series_key, shard_of
from convex_common.domain.rule import DECIDED, EVALUATED, AlertType, Rule
from convex_common.events import ForecastDue, HoldEnd, Observation, encode
from convex_detection.score import Score
from convex_processor.domain.learning import LearntSeries
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
    learnt: LearntSeries = field(default_factory=dict)
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
        # Forecasts come last: they give way to a rule that tells of the breach itself.
        rules = [rule for rule in self._rules(series) if rule.alert_type in DECIDED]
        rules.sort(key=lambda rule: rule.alert_type is AlertType.FORECAST)
        widest = max((rule.window_seconds or 0 for rule in rules), default=0)
        recent = remembered(series.state.recent, (observation.at.timestamp(), observation.value), widest)
        previous = series.last_value
        score = self._score(series, rules, observation)
        marks = dict(series.state.marks)
        outcomes: list[Fires | Clears] = []
        for rule in rules:
            mark = marks.get(str(rule.id), Mark())
            if rule.alert_type is AlertType.FORECAST:
                if mark.firing and breaches(rule, observation.value) and _told_by_another(rule, rules, marks):
                    outcomes.append(Clears(self._fingerprint(rule, series), observation.value, Reason.HANDED_OVER))
                    mark = msgspec.structs.replace(mark, firing=False)
                marks[str(rule.id)] = self._asked(rule, series, mark, observation.at.timestamp())
                continue
            if rule.alert_type is not AlertType.ANOMALY:
                found = evaluate(rule, mark, recent, previous)
                outcomes.extend(self._outcome(rule, series, observation, found))
            elif score is not None:
                found = unusual.evaluate(rule, mark, observation.value, observation.at.timestamp(), score)
                outcomes.extend(self._judged(rule, series, observation, found, score))
            else:
                continue
            marks[str(rule.id)] = found.mark
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

    def look_ahead(
        self, due: ForecastDue, rules: Mapping[uuid.UUID, Rule], pasts: Mapping[bytes, Sequence[Sample]]
    ) -> Iterator[Fires | Clears]:
        """Look ahead for a forecast rule on a series whose past was read; a second later where it was not yet."""
        series = self.known.get(bytes.fromhex(due.series))
        rule = rules.get(due.rule_id)
        if series is None or rule is None or rule.deleted or not rule.enabled or series.last_value is None:
            return
        if rule.alert_type is not AlertType.FORECAST:
            return
        if (past := pasts.get(series.key)) is None:
            self.timers.append(self._forecast(rule, series, self.now + dt.timedelta(seconds=1)))
            return
        prospect = outlook.foresee(rule, past)
        if prospect is None:
            return
        marks = series.state.marks
        mark = marks.get(str(rule.id), Mark())
        others = [other for other in self._rules(series) if other.alert_type in EVALUATED]
        if prospect.breached and _told_by_another(rule, others, marks):
            return
        found = outlook.evaluate(rule, mark, prospect)
        self.touched[series.key] = series
        series.state = SeriesState(recent=series.state.recent, marks={**marks, str(rule.id): found.mark})
        if found.outcome is Outcome.FIRES:
            occurrence = of_series(rule, series.labels, series.last_value, None, outlook.evidence(rule, prospect))
            title = f"{rule.name}: {outlook.said(rule, prospect)}"
            yield Fires(self._fingerprint(rule, series), replace(occurrence, title=title))
        elif found.outcome is Outcome.CLEARS:
            yield Clears(self._fingerprint(rule, series), series.last_value)

    def _asked(self, rule: Rule, series: Series, mark: Mark, at: float) -> Mark:
        """Ask for a look ahead where the last one was long enough ago, by the observations' own times."""
        if mark.asked_at is not None and 0 <= at - mark.asked_at < outlook.every(rule):
            return mark
        self.timers.append(self._forecast(rule, series, self.now))
        return msgspec.structs.replace(mark, asked_at=at)

    def _forecast(self, rule: Rule, series: Series, due_at: dt.datetime) -> Timer:
        return self._timer(rule, series, ForecastDue(rule_id=rule.id, series=series.key.hex()), due_at)

    def _score(self, series: Series, rules: Sequence[Rule], observation: Observation) -> Score | None:
        """What the series' detector says of a value; None where no rule asks, or nothing can be said of it yet."""
        learnt = self.learnt.get(series.key)
        if learnt is None or all(rule.alert_type is not AlertType.ANOMALY for rule in rules):
            return None
        return learnt.update(observation.value, observation.at.timestamp())

    def _judged(
        self, rule: Rule, series: Series, observation: Observation, found: Evaluation, score: Score
    ) -> Iterator[Fires | Clears]:
        if found.outcome is Outcome.FIRES:
            context = unusual.evidence(rule, observation.value, score, found.mark.score)
            occurrence = of_series(rule, series.labels, observation.value, None, context)
            yield Fires(self._fingerprint(rule, series), occurrence)
        elif found.outcome is Outcome.CLEARS:
            yield Clears(self._fingerprint(rule, series), observation.value)

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
        due = HoldEnd(rule_id=rule.id, series=series.key.hex(), since=since)
        return self._timer(rule, series, due, self.now + dt.timedelta(seconds=rule.for_seconds))

    def _timer(self, rule: Rule, series: Series, due: HoldEnd | ForecastDue, at: dt.datetime) -> Timer:
        """One of its kind for the rule on the series, in the place of the one before."""
        shard = shard_of(series.key)
        return Timer(
            kind=due.kind.removeprefix("timer:"),
            subject=f"{rule.id}:{series.key.hex()}",
            key=observations_key(self.workspace_id, shard),
            shard=shard,
            due_at=at,
            payload=encode(due),
        )


def _told_by_another(rule: Rule, rules: Sequence[Rule], marks: Mapping[str, Mark]) -> bool:
    """Whether a rule on the breach itself fires already: two alerts of one thing are one too many."""
    return any(
        other.alert_type in EVALUATED and other.condition is rule.condition and marks[str(other.id)].firing
        for other in rules
        if str(other.id) in marks
    )
