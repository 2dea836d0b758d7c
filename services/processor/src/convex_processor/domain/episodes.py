"""The alerts of one batch: applies each event in its order and gathers what changed.

Consecutive folds of one alert become one row of its log with their count, event ids and last value.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from convex_common.alert_timers import look_again, no_more
from convex_common.domain.alert import Alert, Event, Reason, Resolution
from convex_common.domain.change import Cause, Changes, Entry, Notice, Timer
from convex_common.domain.channel import Channel
from convex_common.domain.notice import announce, take_back
from convex_common.domain.rule import Rule
from convex_common.domain.silence import Silence, Silenced, silenced
from convex_common.events import SilenceEnd, SnoozeEnd, SourceEnd, WindowEnd
from convex_common.ids import after as id_after
from convex_processor.domain import suppression
from convex_processor.domain.occurrence import Occurrence
from convex_processor.domain.suppression import Move, OnClear, OnResend, Verdict


@dataclass(frozen=True, slots=True)
class Origin:
    """The event that something is done for."""

    event_id: uuid.UUID
    traceparent: str | None = None


class _Folds:
    """Folds of one alert that were counted and not yet applied."""

    __slots__ = ("count", "event_ids", "last", "origin", "reason")

    def __init__(self, reason: Reason, origin: Origin, last: Occurrence) -> None:
        self.reason, self.origin, self.last = reason, origin, last
        self.count = 0
        self.event_ids: list[uuid.UUID] = []


def _by_silence(alert: Alert) -> dict[str, object]:
    return {"silence_id": alert.silenced_by}


class Episodes:
    """The latest alert of every fingerprint of a batch, as it changes. Not thread-safe; one per transaction."""

    def __init__(
        self,
        workspace_id: uuid.UUID,
        latest: Mapping[bytes, Alert],
        rules: Mapping[uuid.UUID, Rule],
        channels: tuple[Channel, ...],
        new_id: Callable[[], uuid.UUID],
        now: dt.datetime,
        silences: tuple[Silence, ...] = (),
    ) -> None:
        self._workspace_id = workspace_id
        self._latest = dict(latest)
        self._rules = rules
        self._channels = channels
        self._new_id = new_id
        self._now = now
        self._silences = silences
        self._folds: dict[bytes, _Folds] = {}
        self._created: dict[uuid.UUID, Alert] = {}
        self._folded: dict[uuid.UUID, Alert] = {}
        self._updated: dict[uuid.UUID, Alert] = {}
        self._entries: list[Entry] = []
        self._notices: list[Notice] = []
        self._timers: list[Timer] = []

    def occurrence(self, fingerprint: bytes, occurrence: Occurrence, origin: Origin) -> None:
        """One occurrence of the condition."""
        latest = self._latest.get(fingerprint)
        verdict = suppression.of_occurrence(latest, occurrence.severity, self._now)
        if verdict.notify is None and verdict.move in (Move.FOLD, Move.STAY_CLOSED):
            self._count_fold(fingerprint, verdict.reason, occurrence, origin)
            return
        if latest is not None and verdict.move is Move.FOLD and (kept := self._stays_quiet(latest, verdict)):
            self._count_fold(fingerprint, kept, occurrence, origin)
            return
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        if verdict.move is Move.OPEN or latest is None:
            self._open(fingerprint, latest, occurrence, verdict, origin)
        else:
            self._continue(latest, occurrence, verdict, origin)
        self._watch_source(fingerprint)

    def clear(
        self,
        fingerprint: bytes,
        reason: Reason,
        resolution: Resolution,
        origin: Origin,
        *,
        value: float | None = None,
    ) -> None:
        """The condition has ended, at `value` where there is one."""
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        decided = suppression.of_clear(latest)
        if latest is None or decided is OnClear.NOTHING:
            return
        if decided is OnClear.MARK_CLEARED:
            marked = replace(latest, cleared=True, version=latest.version + 1)
            self._log(marked, Event.UPDATED, Reason.CONDITION_CLEARED, origin)
            return
        ended = replace(
            suppression.resolved(latest, resolution, self._now),
            current_value=latest.current_value if value is None else value,
            version=latest.version + 1,
        )
        after, notice = take_back(ended, reason, self._channels)
        if notice:
            self._notices.append(replace(notice, traceparent=origin.traceparent))
        detail = {} if notice else {"withheld": Reason.NOT_ANNOUNCED.value}
        self._log(after, Event.RESOLVED, reason, origin, notified=notice is not None, detail=detail)
        self._drop_timers(after)

    def source_firing(self, fingerprint: bytes, occurrence: Occurrence, origin: Origin) -> None:
        """Another tool says that it fires: an occurrence, or a resend that moves its end."""
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        decided = suppression.of_source_firing(latest, occurrence.starts_at, self._now)
        if decided is OnResend.OCCURRENCE:
            self.occurrence(fingerprint, occurrence, origin)
        elif decided is OnResend.MOVE_TIMER and latest is not None:
            moved = replace(latest, source_ends_at=occurrence.ends_at)
            if occurrence.context == latest.context:
                self._keep(moved, folded=True)
            else:  # what people see changes, so they are told
                told = replace(moved, context=occurrence.context, version=latest.version + 1)
                self._log(told, Event.UPDATED, Reason.SOURCE_CHANGED, origin)
            self._watch_source(fingerprint)

    def source_resolved(self, fingerprint: bytes, starts_at: dt.datetime | None, origin: Origin) -> None:
        """Another tool says that it is over."""
        self._apply_folds(fingerprint)
        if suppression.source_resolve_applies(self._latest.get(fingerprint), starts_at):
            self.clear(fingerprint, Reason.SOURCE_RESOLVED, Resolution.AUTOMATIC, origin)

    def source_end(self, fingerprint: bytes, timer: SourceEnd, origin: Origin) -> None:
        """Another tool has not sent its alert again before the end it gave."""
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        if latest is None or latest.id != timer.alert_id or not latest.is_open:
            return
        if latest.source_ends_at is None or latest.source_ends_at > self._now:
            self._watch_source(fingerprint)
            return
        self.clear(fingerprint, Reason.SOURCE_EXPIRED, Resolution.EXPIRED, origin)

    def window_end(self, fingerprint: bytes, timer: WindowEnd, origin: Origin) -> None:
        """The window of a silently reopened alert has ended."""
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        if latest is None or latest.id != timer.alert_id:
            return
        verdict = suppression.of_window_end(latest, self._now)
        if verdict is not None:
            self._told_by_rule(replace(latest, version=latest.version + 1), verdict, origin)
        elif latest.is_open and not latest.announced:
            self._watch_window(latest)

    def silence_end(self, fingerprint: bytes, timer: SilenceEnd, origin: Origin) -> None:
        """A silence that fits an alert has begun or ended: show it, and tell what was kept from people."""
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        if latest is None or latest.id != timer.alert_id or not latest.is_open:
            return
        after = suppression.marked(latest, self._silenced(latest))
        bumped = replace(after, version=latest.version + 1)
        if after.silenced_by is not None:
            if after is not latest:
                self._log(bumped, Event.SUPPRESSED, Reason.SILENCED, origin, detail=_by_silence(bumped))
            self._watch_silence(after)
            return
        if latest.snoozed_until is not None and latest.snoozed_until <= self._now:  # its end was silenced
            self._wake(bumped, origin)
            return
        verdict = None if latest.is_snoozed else suppression.of_silence_end(latest, self._now)
        if verdict is not None:
            self._told_by_rule(bumped, verdict, origin)
        elif after is not latest:
            self._log(bumped, Event.UPDATED, Reason.SILENCE_ENDED, origin)

    def snooze_end(self, fingerprint: bytes, timer: SnoozeEnd, origin: Origin) -> None:
        """A snooze has ended: whoever is concerned is told that it is still open.

        Where a person ended it early, they are told what was kept from them meanwhile, if anything was.
        """
        self._apply_folds(fingerprint)
        latest = self._latest.get(fingerprint)
        if latest is None or latest.id != timer.alert_id or not latest.is_open:
            return
        if latest.snoozed_until is None:
            verdict = suppression.of_silence_end(latest, self._now) if timer.early else None
            if verdict is not None:
                told = replace(verdict, reason=Reason.SNOOZE_ENDED)
                self._told_by_rule(replace(latest, version=latest.version + 1), told, origin)
        elif latest.snoozed_until > self._now:
            self._watch_snooze(latest)
        else:
            self._wake(replace(latest, version=latest.version + 1), origin)

    def _wake(self, alert: Alert, origin: Origin) -> None:
        """The end of a snooze; where a silence is in effect, that silence's end is what wakes."""
        if self._silenced(alert) is None:
            alert = suppression.woken(alert)
        self._told_by_rule(alert, suppression.of_snooze_end(alert), origin)

    def changes(self) -> Changes:
        """All that happened; the batch is over."""
        for fingerprint in tuple(self._folds):
            self._apply_folds(fingerprint)
        folded = [alert for id_, alert in self._folded.items() if id_ not in self._updated and id_ not in self._created]
        updated = [alert for id_, alert in self._updated.items() if id_ not in self._created]
        return Changes(
            created=tuple(self._created.values()),
            folded=tuple(folded),
            updated=tuple(updated),
            entries=tuple(self._entries),
            notices=tuple(self._notices),
            timers=tuple(self._timers),
        )

    def _open(
        self, fingerprint: bytes, latest: Alert | None, occurrence: Occurrence, verdict: Verdict, origin: Origin
    ) -> None:
        opened = occurrence.opens(self._workspace_id, self._id_after(latest), fingerprint, self._now)
        if latest is not None and latest.in_window(self._now):  # goes on where a silence keeps this one untold
            opened = replace(
                opened,
                last_notified_at=latest.last_notified_at,
                last_notified_severity=latest.last_notified_severity,
            )
        self._told(opened, verdict, origin, Event.CREATED, occurrence.channel_ids)
        told = self._latest[fingerprint]
        if not told.announced and told.in_window(self._now):
            self._watch_window(told)

    def _continue(self, latest: Alert, occurrence: Occurrence, verdict: Verdict, origin: Origin) -> None:
        base = suppression.reopened(latest) if verdict.move is Move.REOPEN else latest
        worse = occurrence.severity.exceeds(base.severity)
        after = replace(
            base,
            occurrences=base.occurrences + 1,
            last_seen_at=self._now,
            current_value=occurrence.value,
            threshold_value=occurrence.threshold,
            severity=occurrence.severity if worse else base.severity,
            source_starts_at=occurrence.starts_at or base.source_starts_at,
            source_ends_at=occurrence.ends_at,
            version=base.version + 1,
        )
        event = Event.ESCALATED if verdict.notify is Cause.ESCALATION else suppression.EVENTS[verdict.move]
        self._told(after, verdict, origin, event, occurrence.channel_ids)
        if verdict.move is Move.REOPEN:
            self._watch_window(self._latest[after.fingerprint])

    def _id_after(self, latest: Alert | None) -> uuid.UUID:
        """The latest alert is the one of the greatest id, also where the last one was made by a clock ahead of ours."""
        return self._new_id() if latest is None else id_after(self._new_id(), latest.id)

    def _told_by_rule(self, alert: Alert, verdict: Verdict, origin: Origin) -> None:
        """Without an occurrence: to the channels of its rule as it is now."""
        rule = self._rules.get(alert.rule_id) if alert.rule_id else None
        self._told(alert, verdict, origin, Event.UPDATED, rule.channel_ids if rule else None)

    def _told(
        self,
        alert: Alert,
        verdict: Verdict,
        origin: Origin,
        event: Event,
        channel_ids: tuple[uuid.UUID, ...] | None,
    ) -> None:
        """Notify where the verdict says so and neither a silence nor a snooze is in effect, and log it."""
        found = self._silenced(alert)
        alert = suppression.marked(alert, found)
        if verdict.notify is not None and (found is not None or alert.is_snoozed):
            verdict = replace(verdict, notify=None, reason=Reason.SILENCED if found else Reason.SNOOZED)
        if verdict.notify is not None:
            alert, notice = announce(alert, verdict.notify, verdict.reason, self._now, self._channels, channel_ids)
            self._notices.append(replace(notice, traceparent=origin.traceparent))
        detail = _by_silence(alert) if verdict.reason is Reason.SILENCED else None
        self._log(alert, event, verdict.reason, origin, notified=verdict.notify is not None, detail=detail)
        self._watch_silence(alert)

    def _silenced(self, alert: Alert) -> Silenced | None:
        return silenced(alert, self._silences, self._now) if self._silences else None

    def _stays_quiet(self, alert: Alert, verdict: Verdict) -> Reason | None:
        """Why another occurrence is withheld and changes no more: by the silence that it shows already, or a snooze."""
        if verdict.notify is Cause.ESCALATION or not (alert.is_snoozed or alert.silenced_by):
            return None
        found = self._silenced(alert)
        if suppression.marked(alert, found) is not alert:
            return None
        return Reason.SILENCED if found else Reason.SNOOZED if alert.is_snoozed else None

    def _count_fold(self, fingerprint: bytes, reason: Reason, occurrence: Occurrence, origin: Origin) -> None:
        folds = self._folds.get(fingerprint)
        if folds is not None and folds.reason is not reason:
            self._apply_folds(fingerprint)
            folds = None
        if folds is None:
            folds = self._folds[fingerprint] = _Folds(reason, origin, occurrence)
        folds.count += 1
        folds.last = occurrence
        folds.event_ids.append(origin.event_id)

    def _apply_folds(self, fingerprint: bytes) -> None:
        folds = self._folds.pop(fingerprint, None)
        if folds is None:
            return
        latest, last = self._latest[fingerprint], folds.last
        after = replace(
            latest,
            occurrences=latest.occurrences + folds.count,
            last_seen_at=self._now,
            current_value=last.value,
            threshold_value=last.threshold,
            source_starts_at=last.starts_at or latest.source_starts_at,
            source_ends_at=last.ends_at,
            version=latest.version + 1,
        )
        self._keep(after, folded=True)
        self._entries.append(
            Entry(
                alert=after,
                event=Event.UPDATED if after.is_open else Event.SUPPRESSED,
                reason=folds.reason,
                count=folds.count,
                event_ids=tuple(folds.event_ids),
                detail={"value": last.value, **(_by_silence(after) if folds.reason is Reason.SILENCED else {})},
                traceparent=folds.origin.traceparent,
                before=latest,
            )
        )
        self._watch_source(fingerprint)

    def _log(
        self,
        alert: Alert,
        event: Event,
        reason: Reason,
        origin: Origin,
        *,
        notified: bool = False,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        before = self._latest.get(alert.fingerprint)
        self._keep(alert, folded=False)
        self._entries.append(
            Entry(
                alert=alert,
                event=event,
                reason=reason,
                notified=notified,
                event_ids=(origin.event_id,),
                detail={"value": alert.current_value, **(detail or {})},
                traceparent=origin.traceparent,
                before=before if before is not None and before.id == alert.id else None,
            )
        )

    def _keep(self, alert: Alert, *, folded: bool) -> None:
        known = self._latest.get(alert.fingerprint)
        self._latest[alert.fingerprint] = alert
        if known is None or known.id != alert.id or alert.id in self._created:
            self._created[alert.id] = alert
        elif folded and alert.id not in self._updated:
            self._folded[alert.id] = alert
        else:
            self._updated[alert.id] = alert

    def _watch_window(self, alert: Alert) -> None:
        """A silent reopening: look again when the window ends."""
        if alert.window_ends_at is not None:
            self._timers.append(look_again(alert, alert.window_ends_at, WindowEnd(alert_id=alert.id)))

    def _watch_silence(self, alert: Alert) -> None:
        """Look again when the silence ends."""
        if alert.silenced_until is not None and alert.is_open:
            self._timers.append(look_again(alert, alert.silenced_until, SilenceEnd(alert_id=alert.id)))

    def _watch_snooze(self, alert: Alert) -> None:
        """It was moved, or the clock of the one who fired its timer is ahead of ours."""
        if alert.snoozed_until is not None:
            self._timers.append(look_again(alert, alert.snoozed_until, SnoozeEnd(alert_id=alert.id)))

    def _watch_source(self, fingerprint: bytes) -> None:
        """Another tool's alert ends by itself unless it is sent again."""
        alert = self._latest.get(fingerprint)
        if alert is not None and alert.source_ends_at is not None and alert.is_open:
            timer = SourceEnd(alert_id=alert.id, ends_at=alert.source_ends_at)
            self._timers.append(look_again(alert, alert.source_ends_at, timer))

    def _drop_timers(self, alert: Alert) -> None:
        kinds = (WindowEnd.kind, SilenceEnd.kind, SnoozeEnd.kind, *((SourceEnd.kind,) if alert.source else ()))
        self._timers += (no_more(alert, kind) for kind in kinds)
