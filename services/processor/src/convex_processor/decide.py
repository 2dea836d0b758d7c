"""Decides a batch: events in their order, through series and episodes, to changes. Pure; a bad event is named."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from convex_common.domain.alert import Alert, Reason, Resolution
from convex_common.domain.change import Changes, Timer
from convex_common.domain.conditions import Sample
from convex_common.domain.fingerprint import series_key
from convex_common.domain.rule import Rule
from convex_common.events import (
    ForecastDue,
    HoldEnd,
    Observation,
    Observations,
    OfAlert,
    Payload,
    SilenceDue,
    SilenceEnd,
    SnoozeEnd,
    SourceAlert,
    SourceEnd,
    Trigger,
    WindowEnd,
    Withdrawn,
    decode,
)
from convex_common.postgres.configuration import Configuration
from convex_processor.claims import ClaimedEvent
from convex_processor.domain.episodes import Episodes, Origin
from convex_processor.domain.learning import Learner, LearntSeries
from convex_processor.domain.occurrence import of_source, of_trigger
from convex_processor.domain.series import Clears, Fires, Series, SeriesBatch
from convex_processor.domain.silencing import OpenAlert, look


class EventFailed(Exception):  # noqa: N818 - named like the tree of errors in common
    """One event of a batch cannot be processed; the others can."""

    def __init__(self, event: ClaimedEvent, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.event = event


@dataclass(frozen=True, slots=True)
class Decoded:
    """An event and its payload."""

    event: ClaimedEvent
    payload: Payload


def decoded(events: Sequence[ClaimedEvent]) -> list[Decoded]:
    """Every payload, typed; EventFailed for the first that is malformed."""
    result: list[Decoded] = []
    for event in events:
        try:
            result.append(Decoded(event, decode(event.kind, event.payload)))
        except Exception as error:
            raise EventFailed(event, error) from error
    return result


def series_keys(workspace_id: uuid.UUID, batch: Sequence[Decoded]) -> set[bytes]:
    """The series that the batch reads."""
    keys: set[bytes] = set()
    for item in batch:
        if isinstance(item.payload, Observations):
            keys.update(series_key(workspace_id, o.framework_id, o.metric, o.labels) for o in item.payload.items)
        elif isinstance(item.payload, HoldEnd | ForecastDue):
            keys.add(bytes.fromhex(item.payload.series))
    return keys


def learners(workspace_id: uuid.UUID, batch: Sequence[Decoded], configuration: Configuration) -> dict[bytes, Learner]:
    """The batch's series that anomaly rules look at."""
    found: dict[bytes, Learner] = {}
    if not configuration.learning:
        return found
    for one in observations(batch):
        if (learner := (one.framework_id, one.metric)) in configuration.learning:
            found[series_key(workspace_id, one.framework_id, one.metric, one.labels)] = learner
    return found


def looks_ahead(batch: Sequence[Decoded], configuration: Configuration) -> dict[bytes, Rule]:
    """The batch's series for which it is to be looked ahead, each with its rule of the furthest horizon."""
    found: dict[bytes, Rule] = {}
    for item in batch:
        if isinstance(item.payload, ForecastDue) and (rule := configuration.rules.get(item.payload.rule_id)):
            key = bytes.fromhex(item.payload.series)
            if key not in found or (found[key].horizon_seconds or 0) < (rule.horizon_seconds or 0):
                found[key] = rule
    return found


def observations(batch: Sequence[Decoded]) -> list[Observation]:
    """All observations of the batch, to be stored."""
    return [one for item in batch if isinstance(item.payload, Observations) for one in item.payload.items]


def frameworks(batch: Sequence[Decoded]) -> tuple[str, ...]:
    """Each event's framework, by which its figures are told; that of the first observation, and none of a timer."""
    ids = [_framework(item.payload) for item in batch]
    names = {one: "" if one is None else str(one) for one in set(ids)}
    return tuple(names[one] for one in ids)


def _framework(payload: Payload) -> uuid.UUID | None:
    match payload:
        case Trigger() | SourceAlert():
            return payload.framework_id
        case Observations():
            return payload.items[0].framework_id if payload.items else None
    return None


@dataclass(frozen=True, slots=True)
class SeriesOutcome:
    """What a batch's observations make of its series, before any alert was loaded."""

    touched: tuple[Series, ...]
    timers: tuple[Timer, ...]
    steps: Mapping[uuid.UUID, tuple[Fires | Clears, ...]]
    fingerprints: frozenset[bytes]


NOTHING_LEARNT: LearntSeries = {}
NO_PASTS: Mapping[bytes, Sequence[Sample]] = {}

NO_SERIES = SeriesOutcome((), (), {}, frozenset())


def evaluate_series(
    workspace_id: uuid.UUID,
    batch: Sequence[Decoded],
    configuration: Configuration,
    known: dict[bytes, Series],
    now: dt.datetime,
    learnt: LearntSeries = NOTHING_LEARNT,
    pasts: Mapping[bytes, Sequence[Sample]] = NO_PASTS,
) -> SeriesOutcome:
    """Run the rules over the batch's observations, in order; what detectors know goes on with them.

    `pasts` are those of the series for which it is to be looked ahead.
    """
    series = SeriesBatch(workspace_id, configuration.by_metric, now, known, learnt)
    steps: dict[uuid.UUID, tuple[Fires | Clears, ...]] = {}
    fingerprints: set[bytes] = set()
    for item in batch:
        try:
            if isinstance(item.payload, Observations):
                found = tuple(outcome for one in item.payload.items for outcome in series.observe(one))
            elif isinstance(item.payload, HoldEnd):
                found = tuple(series.hold_end(item.payload, configuration.rules))
            elif isinstance(item.payload, ForecastDue):
                found = tuple(series.look_ahead(item.payload, configuration.rules, pasts))
            else:
                continue
        except Exception as error:
            raise EventFailed(item.event, error) from error
        steps[item.event.id] = found
        fingerprints.update(outcome.fingerprint for outcome in found)
    return SeriesOutcome(tuple(series.touched.values()), tuple(series.timers), steps, frozenset(fingerprints))


OF_ONE_ALERT = Trigger | SourceAlert | WindowEnd | SourceEnd | Withdrawn | SilenceEnd | SnoozeEnd
"""The events whose key is a fingerprint."""


def fingerprints(batch: Sequence[Decoded], series: SeriesOutcome) -> set[bytes]:
    """The fingerprints whose latest alerts the batch needs."""
    return {item.event.key for item in batch if isinstance(item.payload, OF_ONE_ALERT)} | series.fingerprints


def looks_at_silences(batch: Sequence[Decoded]) -> bool:
    """Whether it needs to know of every open alert."""
    return any(isinstance(item.payload, SilenceDue) for item in batch)


def decide(
    workspace_id: uuid.UUID,
    batch: Sequence[Decoded],
    configuration: Configuration,
    series: SeriesOutcome,
    latest: Mapping[bytes, Alert],
    new_id: Callable[[], uuid.UUID],
    now: dt.datetime,
    open_alerts: Sequence[OpenAlert] = (),
) -> Changes:
    """Apply every event to the alerts of its fingerprint; `open_alerts` are all of them, where it looks at silences."""
    silences = configuration.silences
    episodes = Episodes(
        workspace_id, latest, configuration.rules, configuration.channels, new_id, now, tuple(silences.values())
    )
    looks: list[Timer] = []
    for item in batch:
        try:
            if isinstance(item.payload, SilenceDue):
                looks.extend(look(item.payload, silences.get(item.payload.silence_id), open_alerts, now))
            else:
                _apply(item, episodes, configuration, series)
        except Exception as error:
            raise EventFailed(item.event, error) from error
    changes = episodes.changes()
    over = {str(alert.id) for alert in changes.updated if not alert.is_open}
    # What an alert of this batch set itself is older than a look that finds more to do.
    found = [timer for timer in looks if timer.subject not in over]
    return replace(changes, timers=(*changes.timers, *series.timers, *found))


def _apply(item: Decoded, episodes: Episodes, configuration: Configuration, series: SeriesOutcome) -> None:
    event, payload = item.event, item.payload
    origin = Origin(event.id, event.traceparent)
    match payload:
        case Trigger():
            _trigger(event, payload, episodes, configuration, origin)
        case SourceAlert(resolved=True):
            episodes.source_resolved(event.key, payload.starts_at, origin)
        case SourceAlert():
            episodes.source_firing(event.key, of_source(payload), origin)
        case WindowEnd() | SourceEnd() | SilenceEnd() | SnoozeEnd():
            _timer(event, payload, episodes, origin)
        case Withdrawn():
            reason = Reason(payload.reason)
            if reason not in STATES or _ended(configuration, payload.rule_id) is not None:
                episodes.clear(event.key, reason, Resolution.AUTOMATIC, origin)
        case Observations() | HoldEnd() | ForecastDue():
            for outcome in series.steps.get(event.id, ()):
                if isinstance(outcome, Fires):
                    episodes.occurrence(outcome.fingerprint, outcome.occurrence, origin)
                else:
                    episodes.clear(outcome.fingerprint, outcome.reason, outcome.resolution, origin, value=outcome.value)


def _timer(event: ClaimedEvent, timer: OfAlert, episodes: Episodes, origin: Origin) -> None:
    match timer:
        case WindowEnd():
            episodes.window_end(event.key, timer, origin)
        case SourceEnd():
            episodes.source_end(event.key, timer, origin)
        case SilenceEnd():
            episodes.silence_end(event.key, timer, origin)
        case SnoozeEnd():
            episodes.snooze_end(event.key, timer, origin)


def _trigger(
    event: ClaimedEvent, trigger: Trigger, episodes: Episodes, configuration: Configuration, origin: Origin
) -> None:
    rule = configuration.rules.get(trigger.rule_id)
    if rule is None:
        raise LookupError(f"rule {trigger.rule_id} is gone")
    if trigger.resolved:
        episodes.clear(event.key, Reason.CONDITION_CLEARED, Resolution.AUTOMATIC, origin, value=trigger.value)
    else:
        episodes.occurrence(event.key, of_trigger(rule, trigger), origin)
        if (reason := _ended(configuration, rule.id)) is not None:  # accepted before that, and nobody could clear it
            episodes.clear(event.key, reason, Resolution.AUTOMATIC, origin)


STATES = frozenset({Reason.RULE_DELETED, Reason.RULE_DISABLED})
"""Reasons to withdraw an alert that hold only as long as its rule is so."""


def _ended(configuration: Configuration, rule_id: uuid.UUID | None) -> Reason | None:
    """How the rule ended; None while it decides."""
    rule = configuration.rules.get(rule_id) if rule_id else None
    if rule is None or rule.deleted:
        return Reason.RULE_DELETED
    return None if rule.enabled else Reason.RULE_DISABLED
