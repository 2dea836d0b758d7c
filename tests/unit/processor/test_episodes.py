"""Batches, as a table of events and what comes of them; each of these was wrong once or is easily got wrong."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from convex_common.domain.alert import Alert, Event, Reason, Resolution, Status
from convex_common.domain.severity import Severity
from convex_common.events import Payload, SourceEnd, WindowEnd
from convex_processor.decide import EventFailed, decoded
from tests.unit.processor.world import (
    START,
    World,
    a_channel,
    a_rule,
    a_source_alert,
    a_trigger,
    an_event,
    configured,
    source_key,
    trigger_key,
)

RULE = a_rule()
LABELS = {"alertname": "Down"}
PLAIN = trigger_key(RULE, {})
SOURCE = source_key(LABELS)


@pytest.fixture
def world() -> World:
    return World(configured([RULE], [a_channel()]))


def batch(world: World, *events: tuple[bytes, Payload], clock_skew: int = 0) -> None:
    first = sum(len(entry.event_ids) for entry in world.log) + 1000
    world.process([an_event(payload, key, first + n) for n, (key, payload) in enumerate(events)], clock_skew)


def later(world: World, seconds: int) -> None:
    world.now += dt.timedelta(seconds=seconds)


def only(world: World, key: bytes) -> Alert:
    (alert,) = world.of(key)
    return alert


def causes(world: World) -> list[str]:
    return [notice.cause.value for _, notice in world.told]


def test_folds_of_a_batch_are_one_row(world: World) -> None:
    batch(world, *[a_trigger(RULE, {}, value=float(n)) for n in range(5)])
    created, folded = world.log
    assert (created.count, folded.count, len(folded.event_ids)) == (1, 4, 4)
    assert (folded.event, folded.reason, folded.detail) == (Event.UPDATED, Reason.DUPLICATE, {"value": 4.0})
    assert only(world, PLAIN).current_value == 4.0


def test_folds_of_other_reasons_are_other_rows(world: World) -> None:
    batch(world, a_trigger(RULE, {}))
    world.acknowledge(only(world, PLAIN))
    later(world, 299)
    batch(world, a_trigger(RULE, {}), a_trigger(RULE, {}))
    later(world, 1)
    batch(world, a_trigger(RULE, {}))
    assert [(entry.reason, entry.count) for entry in world.log[2:]] == [(Reason.DUPLICATE, 2), (Reason.ACKNOWLEDGED, 1)]


def test_an_episode_may_begin_and_end_in_one_batch(world: World) -> None:
    batch(world, a_trigger(RULE, {}), a_trigger(RULE, {}, resolved=True), a_trigger(RULE, {}))
    assert [entry.event for entry in world.log] == [Event.CREATED, Event.RESOLVED, Event.REOPENED]
    assert causes(world) == ["fired", "resolved"]
    assert [timer.kind for timer in world.timers.values()] == ["window_end"]


def test_without_a_window_a_batch_may_hold_two_episodes_of_a_fingerprint() -> None:
    rule = a_rule(suppression_seconds=0)
    world = World(configured([rule]))
    batch(world, *[a_trigger(rule, {}, resolved=resolved) for resolved in (False, True, False, True, False)])
    assert [alert.status for alert in world.of(PLAIN)] == [Status.RESOLVED, Status.RESOLVED, Status.FIRING]
    assert causes(world) == ["fired", "resolved"] * 2 + ["fired"]


def test_folds_are_counted_before_the_alert_is_resolved(world: World) -> None:
    batch(world, a_trigger(RULE, {}), a_trigger(RULE, {}), a_trigger(RULE, {}), a_trigger(RULE, {}, resolved=True))
    assert [(entry.event, entry.alert.occurrences) for entry in world.log] == [
        (Event.CREATED, 1),
        (Event.UPDATED, 3),
        (Event.RESOLVED, 3),
    ]


@pytest.mark.parametrize("ahead", [5, 0, -5])
def test_the_latest_alert_is_the_newest_also_where_clocks_differ(world: World, ahead: int) -> None:
    batch(world, a_trigger(RULE, {}), a_trigger(RULE, {}, resolved=True), clock_skew=ahead)
    batch(world, a_trigger(RULE, {}, "critical"))
    batch(world, a_trigger(RULE, {}, "critical"))
    first, second = world.of(PLAIN)
    assert (first.status, second.status, second.occurrences) == (Status.RESOLVED, Status.FIRING, 2)


def test_an_escalation_passes_the_window_and_an_acknowledgement(world: World) -> None:
    batch(world, a_trigger(RULE, {}))
    world.acknowledge(only(world, PLAIN))
    batch(world, a_trigger(RULE, {}, "critical"), a_trigger(RULE, {}, "error"))
    assert causes(world) == ["fired", "escalation"]
    assert (only(world, PLAIN).severity, only(world, PLAIN).status) == (Severity.CRITICAL, Status.ACKNOWLEDGED)


def test_a_new_firing_of_the_source_earlier_in_the_batch_outlives_the_timer_of_the_old_one(world: World) -> None:
    batch(world, a_source_alert(LABELS, 0, 60))
    later(world, 60)
    ((key, timer),) = world.take_due_timers()
    assert isinstance(timer, SourceEnd)
    batch(world, a_source_alert(LABELS, 50, 400), (key, timer))
    assert only(world, SOURCE).status is Status.FIRING
    assert world.timers["source_end", str(only(world, SOURCE).id)].due_at == START + dt.timedelta(seconds=400)


def test_a_resolve_of_the_source_is_about_the_firing_before_it_in_the_batch(world: World) -> None:
    batch(world, a_source_alert(LABELS, 0, None))
    batch(world, a_source_alert(LABELS, 50, None), a_source_alert(LABELS, 0, 40, resolved=True))
    assert only(world, SOURCE).status is Status.FIRING
    batch(world, a_source_alert(LABELS, 50, 60, resolved=True))
    assert only(world, SOURCE).status is Status.RESOLVED


def test_an_alert_that_expired_and_comes_again_without_an_end_does_not_expire_at_once(world: World) -> None:
    batch(world, a_source_alert(LABELS, 0, 30))
    later(world, 30)
    batch(world, *world.take_due_timers())
    assert only(world, SOURCE).resolution is Resolution.EXPIRED
    batch(world, a_source_alert(LABELS, 0, None))
    assert world.take_due_timers() == []
    assert only(world, SOURCE).status is Status.FIRING


def test_a_resend_is_no_occurrence_and_writes_no_log(world: World) -> None:
    batch(world, a_source_alert(LABELS, 0, 30))
    batch(world, a_source_alert(LABELS, 0, 90), a_source_alert(LABELS, 0, 120))
    assert (len(world.log), only(world, SOURCE).occurrences) == (1, 1)
    assert world.timers["source_end", str(only(world, SOURCE).id)].due_at == START + dt.timedelta(seconds=120)


def test_a_window_timer_that_comes_too_early_is_set_again(world: World) -> None:
    batch(world, a_trigger(RULE, {}), a_trigger(RULE, {}, resolved=True), a_trigger(RULE, {}))
    timer = WindowEnd(alert_id=only(world, PLAIN).id)
    world.timers.clear()
    later(world, 299)
    batch(world, (PLAIN, timer))
    assert world.timers["window_end", str(timer.alert_id)].due_at == START + dt.timedelta(seconds=300)
    later(world, 1)
    batch(world, *world.take_due_timers())
    assert causes(world) == ["fired", "resolved", "fired"]


def test_an_end_timer_that_comes_too_early_is_set_again(world: World) -> None:
    """The server's clock may step back, and nobody else would look."""
    batch(world, a_source_alert(LABELS, 0, 30))
    timer = SourceEnd(alert_id=only(world, SOURCE).id, ends_at=START + dt.timedelta(seconds=30))
    world.timers.clear()
    batch(world, (SOURCE, timer))
    assert world.timers["source_end", str(timer.alert_id)].due_at == START + dt.timedelta(seconds=30)


def test_an_event_that_cannot_be_decided_is_named(world: World) -> None:
    good, bad = a_trigger(RULE, {}), a_trigger(a_rule(id=uuid.UUID(int=99)), {})
    events = [an_event(payload, key, n) for n, (key, payload) in enumerate((good, bad))]
    with pytest.raises(EventFailed, match="is gone") as failed:
        world.process(events)
    assert failed.value.event is events[1].event


def test_a_payload_of_another_shape_is_named() -> None:
    event = an_event(a_trigger(RULE, {})[1], PLAIN, 1).event
    with pytest.raises(EventFailed) as failed:
        decoded([event])
    assert failed.value.event is event
