"""Whatever happens in whatever order: what the suppression section says, event by event and in batches."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from convex_common.domain.alert import Alert, Event, Reason, Status
from convex_common.domain.channel import Matcher, Operator
from convex_common.domain.silence import Silence
from convex_common.errors import Conflict
from convex_common.events import Payload
from tests.unit.processor import world as worlds
from tests.unit.processor.suppression_model import RANK, WINDOW, Model, Quiet
from tests.unit.processor.world import START, World, a_channel, a_rule, a_source_alert, a_trigger, an_event, configured

RULE = a_rule()
TRIGGERED = {"plain": {}, "labelled": {"host": "b"}}
SOURCE = {"alertname": "Down", "severity": "error"}
KEYS = {
    **{worlds.trigger_key(RULE, labels): name for name, labels in TRIGGERED.items()},
    worlds.source_key(SOURCE): "source",
}
KEY_OF = {name: key for key, name in KEYS.items()}
WITHHELD = {Reason.DUPLICATE, Reason.ACKNOWLEDGED, Reason.CLOSED_BY_PERSON, Reason.SILENCED, Reason.SNOOZED}
QUIET = {
    ("labelled",): Matcher("host", Operator.EQUAL, "b"),
    ("source",): Matcher("alertname", Operator.EQUAL, "Down"),
    ("labelled", "plain", "source"): Matcher("rule_name", Operator.MATCHES, ".+"),
}
"""Matchers, and what they fit."""

names = st.sampled_from(sorted(TRIGGERED))
every_name = st.sampled_from(sorted(KEY_OF))
severities = st.sampled_from(sorted(RANK))
skews = st.sampled_from([0, 0, 0, -20, 20])
ends = st.sampled_from([None, -5, 30, 200, 400])


class Suppression(RuleBasedStateMachine):
    """`single` gets every event alone, `batched` gets them in batches, the model knows what has to come of them."""

    def __init__(self) -> None:
        super().__init__()
        configuration = configured([RULE], [a_channel()])
        self.model = Model()
        self.single = World(configuration)
        self.batched = World(configuration)
        self.queue: list[tuple[bytes, Payload, int]] = []
        self.silences: list[tuple[Silence, Quiet]] = []
        self.accepted = 0
        self.triggers: list[int] = []
        self.starts: list[int] = []
        self.skew = 0

    @initialize(skew=skews)
    def begin(self, skew: int) -> None:
        self.skew = skew

    @rule(name=names, severity=severities)
    def trigger(self, name: str, severity: str) -> None:
        self.model.trigger(name, severity)
        self._accept(*a_trigger(RULE, TRIGGERED[name], severity, value=float(self.accepted)), counted=True)

    @rule(name=names, severity=severities, times=st.integers(2, 5))
    def triggers_in_a_row(self, name: str, severity: str, times: int) -> None:
        for _ in range(times):
            self.trigger(name, severity)

    @rule(name=names)
    def clear(self, name: str) -> None:
        self.model.clear(name)
        self._accept(*a_trigger(RULE, TRIGGERED[name], resolved=True))

    @rule(ends_in=ends, fresh=st.booleans())
    def source_fires(self, ends_in: int | None, fresh: bool) -> None:
        """A new alert of the other tool, or the last one once more."""
        if fresh or not self.starts:
            self.starts.append(max([self.model.now, *(at + 1 for at in self.starts)]))
        self._source(self.starts[-1], ends_in)

    @rule(ends_in=ends)
    def source_is_out_of_date(self, ends_in: int | None) -> None:
        if len(self.starts) > 1:
            self._source(self.starts[-2], ends_in)

    def _source(self, starts_at: int, ends_in: int | None) -> None:
        before = self.model.counted
        ends_at = None if ends_in is None else self.model.now + ends_in
        self.model.source_fires("source", starts_at, ends_at, "error")
        self._accept(*a_source_alert(SOURCE, starts_at, ends_at), counted=self.model.counted > before)

    @rule(stale=st.booleans())
    def source_resolves(self, stale: bool) -> None:
        if len(self.starts) > stale:
            starts_at = self.starts[-2 if stale else -1]
            self.model.source_resolves("source", starts_at)
            self._accept(*a_source_alert(SOURCE, starts_at, self.model.now, resolved=True))

    @rule(name=every_name)
    def acknowledge(self, name: str) -> None:
        self.flush()
        episode = self.model.fingerprint(name).open
        if snoozed := episode is not None and episode.snoozed_until is not None:
            self.timers_fire()
        possible = self.model.acknowledge(name)
        for world in (self.single, self.batched):
            alert = world.latest(KEY_OF[name])
            if possible:
                assert alert is not None
                world.acknowledge(alert)
            elif alert is not None:
                with pytest.raises(Conflict):
                    world.acknowledge(alert)
        if snoozed:
            self._fire()

    @rule(name=every_name)
    def resolve(self, name: str) -> None:
        self.flush()
        possible = self.model.resolve(name)
        for world in (self.single, self.batched):
            alert = world.latest(KEY_OF[name])
            if possible:
                assert alert is not None
                world.resolve(alert)
            elif alert is not None:
                with pytest.raises(Conflict):
                    world.resolve(alert)

    @rule(name=every_name, lasts=st.sampled_from([1, 150, 300, 400]))
    def snooze(self, name: str, lasts: int) -> None:
        self.timers_fire()
        possible = self.model.snooze(name, self.model.now + lasts)
        self._snooze(name, possible, self.single.now + dt.timedelta(seconds=lasts))

    @rule(name=names, lasts=st.sampled_from([150, 400]), after=st.sampled_from([0, 301]), severity=severities)
    def fires_while_snoozed(self, name: str, lasts: int, after: int, severity: str) -> None:
        """What the rules come to one after the other, seldom enough."""
        self.trigger(name, "info")
        self.snooze(name, lasts)
        self.advance(after)
        self.trigger(name, severity)

    @rule(name=every_name)
    def unsnooze(self, name: str) -> None:
        self.timers_fire()
        self._snooze(name, self.model.unsnooze(name), None)
        self._fire()

    def _snooze(self, name: str, possible: bool, until: dt.datetime | None) -> None:
        for world in (self.single, self.batched):
            alert = world.latest(KEY_OF[name])
            if possible:
                assert alert is not None
                world.snooze(alert, until)
            elif alert is not None:
                with pytest.raises(Conflict):
                    world.snooze(alert, until)

    @rule(seconds=st.sampled_from([1, 30, 100, 200, 299, 300, 301, 1000]))
    def advance(self, seconds: int) -> None:
        """No silence begins or ends unnoticed on the way; at the end of it events may come before its timers do."""
        target = self.model.now + seconds
        while self.model.now < target:
            if any(at <= self.model.now for at in self._silence_timers()):
                self.timers_fire()
            self.flush()
            self.model.now = min([target, *(at for at in self._silence_timers() if at > self.model.now)])
            self.single.now = self.batched.now = START + dt.timedelta(seconds=self.model.now)

    def _silence_timers(self) -> list[int]:
        return [
            int((timer.due_at - START).total_seconds())
            for (kind, _), timer in self.single.timers.items()
            if kind.startswith("silence") and timer.due_at is not None
        ]

    @rule(
        fits=st.sampled_from(sorted(QUIET)),
        begins_in=st.sampled_from([0, 0, 150]),
        lasts=st.sampled_from([10, 250, 400]),
    )
    def silence(self, fits: tuple[str, ...], begins_in: int, lasts: int) -> None:
        self.timers_fire()
        quiet = Quiet(frozenset(fits), self.model.now + begins_in, self.model.now + begins_in + lasts)
        starts_at, ends_at = (START + dt.timedelta(seconds=at) for at in (quiet.starts_at, quiet.ends_at))
        number = uuid.UUID(int=5000 + len(self.silences))
        silence = Silence(id=number, matchers=(QUIET[fits],), starts_at=starts_at, ends_at=ends_at)
        self._silence(silence, quiet)
        self.silences.append((silence, quiet))
        self.model.silences.append(quiet)

    @rule(which=st.integers(0, 3))
    def expire(self, which: int) -> None:
        """A person ends a silence early, whether it has begun or not."""
        self.timers_fire()
        if which < len(self.silences):
            silence, quiet = self.silences[-1 - which]
            if quiet.ends_at > self.model.now:
                quiet.ends_at = self.model.now
                self._silence(replace(silence, expired_at=self.single.now), quiet)
                for name in sorted(quiet.names):
                    self.model.silence_ends(name)

    def _silence(self, silence: Silence, quiet: Quiet) -> None:
        for world in (self.single, self.batched):
            world.silence(silence)
        if quiet.ends_at <= self.model.now:
            self._fire()

    @rule()
    def window_closes(self) -> None:
        """To the very second at which some window ends."""
        end = [p.window_from + WINDOW for p in self.model.of.values() if p.window_from is not None]
        if end and min(end) > self.model.now:
            self.advance(min(end) - self.model.now)

    @rule()
    def timers_fire(self) -> None:
        self.flush()
        self.model.timers()
        self._fire()

    def _fire(self) -> None:
        """Due timers become events, and those that are set by these."""
        while self._fire_once():
            self.flush()

    def _fire_once(self) -> bool:
        single, batched = self.single.take_due_timers(), self.batched.take_due_timers()
        assert [(key, payload.kind) for key, payload in single] == [(key, payload.kind) for key, payload in batched]
        for one, other in zip(single, batched, strict=True):
            self.accepted += 1
            self.single.process([an_event(one[1], one[0], self.accepted)], self.skew)
            self.queue.append((*other, self.accepted))
        return bool(single)

    @rule(skew=skews)
    def another_processor(self, skew: int) -> None:
        """The next batches are processed elsewhere, by a machine whose clock is off."""
        self.flush()
        self.skew = skew

    @rule()
    def flush(self) -> None:
        """The queued events are processed as one batch; afterwards both worlds are alike."""
        if self.queue:
            self.batched.process([an_event(payload, key, n) for key, payload, n in self.queue], self.skew)
            self.queue.clear()
        assert described(self.batched) == described(self.single)

    def _accept(self, key: bytes, payload: Payload, *, counted: bool = False) -> None:
        self.accepted += 1
        if counted:
            self.triggers.append(self.accepted)
        self.single.process([an_event(payload, key, self.accepted)], self.skew)
        self.queue.append((key, payload, self.accepted))

    @invariant()
    def as_the_text_says(self) -> None:
        told = [(at, KEYS[notice.alert.fingerprint], notice.cause.value) for at, notice in self.single.told]
        for name, key in KEY_OF.items():
            assert [one for one in told if one[1] == name] == [one for one in self.model.told if one[1] == name]
            expected = [
                (e.status, e.severity, e.occurrences, e.announced) for e in self.model.fingerprint(name).episodes
            ]
            assert [(a.status, a.severity, a.occurrences, a.announced) for a in self.single.of(key)] == expected

    @invariant()
    def every_trigger_is_counted_once(self) -> None:
        assert sum(alert.occurrences for alert in self.single.alerts.values()) == len(self.triggers)
        logged = [event_id.int for entry in self.single.log for event_id in entry.event_ids]
        assert [number for number in logged if number in set(self.triggers)] == self.triggers

    @invariant()
    def nothing_is_withheld_without_a_reason(self) -> None:
        triggers = set(self.triggers)
        withheld = 0
        for entry in self.single.log:
            assert entry.count == len(entry.event_ids) or entry.actor is not None
            if not triggers.isdisjoint(event_id.int for event_id in entry.event_ids):
                assert entry.notified or entry.reason in WITHHELD, entry
                withheld += 0 if entry.notified else entry.count
            if entry.event is Event.RESOLVED:
                assert entry.notified or entry.detail["withheld"] == Reason.NOT_ANNOUNCED.value
        assert withheld == self.model.withheld

    @invariant()
    def never_two_within_the_window(self) -> None:
        for key in KEYS:
            fired = [
                (at, notice)
                for at, notice in self.single.told
                if notice.alert.fingerprint == key and notice.cause.value != "resolved"
            ]
            for (before, _), (at, notice) in pairwise(fired):
                assert at - before >= WINDOW or notice.reason in (Reason.SEVERITY_RAISED, Reason.SNOOZE_ENDED)

    @invariant()
    def notifications_are_numbered(self) -> None:
        for world in (self.single, self.batched):
            for alert in world.alerts.values():
                sequence = [notice.sequence for _, notice in world.told if notice.alert.id == alert.id]
                assert sequence == list(range(1, alert.notifications_sent + 1))

    @invariant()
    def versions_only_grow(self) -> None:
        for world in (self.single, self.batched):
            for alert in world.alerts.values():
                versions = [entry.alert.version for entry in world.log if entry.alert.id == alert.id]
                assert all(a < b for a, b in pairwise(versions))
                assert versions[-1] == alert.version

    @invariant()
    def a_silent_reopening_is_looked_at_again(self) -> None:
        for alert in self.single.alerts.values():
            if alert.is_open and not alert.announced and alert.in_window(self.single.now):
                timer = self.single.timers["window_end", str(alert.id)]
                assert timer.due_at == alert.window_ends_at
            if alert.is_open and alert.source_ends_at is not None and alert.source_ends_at > self.single.now:
                assert self.single.timers["source_end", str(alert.id)].due_at == alert.source_ends_at

    @invariant()
    def what_fires_and_is_not_silenced_is_told(self) -> None:
        if any(timer.due_at is not None and timer.due_at <= self.single.now for timer in self.single.timers.values()):
            return
        for alert in self.single.alerts.values():
            if alert.is_open:
                silenced = self.model.silenced(KEYS[alert.fingerprint])
                assert (alert.silenced_by is not None) == silenced, alert
                if alert.snoozed_until is not None and not silenced:
                    assert self.single.timers["snooze_end", str(alert.id)].due_at == alert.snoozed_until
                elif alert.status is Status.FIRING and not silenced:
                    assert alert.announced or alert.in_window(self.single.now)

    def teardown(self) -> None:
        self.flush()


def described(world: World) -> object:
    """A world without what batching may change: ids, versions, and how folds share a row."""
    places = {alert.id: (KEYS[key], n) for key in KEYS for n, alert in enumerate(world.of(key))}
    own = {"id", "version"}
    return {
        "alerts": {
            places[alert.id]: {name: getattr(alert, name) for name in Alert.__slots__ if name not in own}
            for alert in world.alerts.values()
        },
        "told": sorted(
            (at, places[notice.alert.id], notice.sequence, notice.cause, notice.reason, notice.alert.severity)
            for at, notice in world.told
        ),
        "timers": sorted(
            (kind, places[alert.id], timer.due_at)
            for (kind, subject), timer in world.timers.items()
            for alert in world.alerts.values()
            if str(alert.id) == subject
        ),
        "log": {
            place: [
                (event_id, entry.event, entry.reason, entry.notified)
                for entry in world.log
                if entry.alert.id == alert_id
                for event_id in entry.event_ids or (None,)
            ]
            for alert_id, place in places.items()
        },
    }


def _run(examples: int, steps: int, *, same_every_time: bool) -> None:
    run_state_machine_as_test(
        Suppression,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=same_every_time,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_suppression_follows_its_text() -> None:
    _run(examples=120, steps=40, same_every_time=True)


@pytest.mark.long
def test_suppression_follows_its_text_at_length() -> None:
    _run(examples=2000, steps=50, same_every_time=False)
