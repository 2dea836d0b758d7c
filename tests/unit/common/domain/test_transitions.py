"""What people may do to an alert, as a table; the impossible is a conflict that changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from convex_common.domain.alert import Alert, Event, Reason, Resolution, Status
from convex_common.domain.change import Cause, Changes
from convex_common.domain.transitions import acknowledge, assign, judge, resolve, snooze
from convex_common.domain.verdict import Verdict
from convex_common.errors import Conflict, Invalid
from tests.unit.common.domain.test_channel import an_alert
from tests.unit.processor.world import START, a_channel

LATER = START + dt.timedelta(minutes=1)
CHANNEL = a_channel()


def acknowledged(alert: Alert) -> Changes:
    return acknowledge(alert, "ann", LATER)


def resolved(alert: Alert) -> Changes:
    return resolve(alert, "ann", "mended", LATER, [CHANNEL])


@pytest.mark.parametrize(
    ("status", "act", "after"),
    [
        pytest.param(Status.FIRING, acknowledged, Status.ACKNOWLEDGED, id="firing, acknowledge"),
        pytest.param(Status.FIRING, resolved, Status.RESOLVED, id="firing, resolve"),
        pytest.param(Status.ACKNOWLEDGED, acknowledged, None, id="acknowledged, acknowledge"),
        pytest.param(Status.ACKNOWLEDGED, resolved, Status.RESOLVED, id="acknowledged, resolve"),
        pytest.param(Status.RESOLVED, acknowledged, None, id="resolved, acknowledge"),
        pytest.param(Status.RESOLVED, resolved, None, id="resolved, resolve"),
    ],
)
def test_transitions(status: Status, act: Callable[[Alert], Changes], after: Status | None) -> None:
    alert = an_alert(status=status, version=7)
    if after is None:
        with pytest.raises(Conflict, match=status.value):
            act(alert)
        return
    changes = act(alert)
    (changed,), (entry,) = changes.updated, changes.entries
    assert (changed.status, changed.version, entry.alert) == (after, 8, changed)
    assert entry.actor == "ann"
    assert (changes.created, changes.folded, changes.timers) == ((), (), ())


def test_an_acknowledgement_names_who_and_when() -> None:
    (changed,) = acknowledged(an_alert()).updated
    assert (changed.acknowledged_by, changed.acknowledged_at) == ("ann", LATER)


def test_a_resolve_keeps_who_acknowledged() -> None:
    alert = an_alert(status=Status.ACKNOWLEDGED, acknowledged_by="bob", acknowledged_at=START)
    (changed,) = resolved(alert).updated
    assert (changed.acknowledged_by, changed.resolved_by, changed.resolution_notes) == ("bob", "ann", "mended")
    assert (changed.resolution, changed.resolved_at, changed.cleared) == (Resolution.MANUAL, LATER, False)


def test_a_resolve_is_told_where_the_firing_was() -> None:
    told = replace(an_alert(), announced=True, announced_channels=(CHANNEL.id,), notifications_sent=1)
    changes = resolved(told)
    (notice,), (entry,) = changes.notices, changes.entries
    assert (notice.cause, notice.sequence, notice.channels) == (Cause.RESOLVED, 2, (CHANNEL,))
    assert (entry.event, entry.reason, entry.notified) == (Event.RESOLVED, Reason.RESOLVED_BY_PERSON, True)
    assert entry.detail == {"notes": "mended"}


def test_a_resolve_that_nobody_hears_of_says_why() -> None:
    changes = resolved(an_alert())
    (entry,) = changes.entries
    assert changes.notices == ()
    assert entry.detail == {"notes": "mended", "withheld": "not_announced"}


@pytest.mark.parametrize("status", Status)
def test_a_verdict_counts_in_any_status_and_changes_nothing_else(status: Status) -> None:
    alert = an_alert(status=status, version=7, verdicts_useful=2)
    changes = judge(alert, "ann", Verdict.FALSE_ALARM, None, LATER)
    assert changes.updated == (replace(alert, verdicts_false_alarm=1, version=8),)
    (entry,), (judged,) = changes.entries, changes.judged
    assert (entry.event, entry.reason, entry.actor) == (Event.JUDGED, Reason.JUDGED_FALSE_ALARM, "ann")
    assert (judged.alert_id, judged.user_id, judged.verdict, judged.at) == (alert.id, "ann", Verdict.FALSE_ALARM, LATER)
    assert (changes.notices, changes.timers) == ((), ())


def test_the_last_word_of_a_person_takes_the_place_of_the_one_before() -> None:
    alert = an_alert(verdicts_useful=1, verdicts_false_alarm=3)
    (after,) = judge(alert, "ann", Verdict.USEFUL, Verdict.FALSE_ALARM, LATER).updated
    assert (after.verdicts_useful, after.verdicts_false_alarm) == (2, 2)


def test_the_same_verdict_again_is_no_change() -> None:
    alert = an_alert(verdicts_useful=1)
    assert judge(alert, "ann", Verdict.USEFUL, Verdict.USEFUL, LATER) == Changes()


def test_a_snooze_says_by_whom_and_until_when_and_leaves_the_status() -> None:
    alert = an_alert(status=Status.ACKNOWLEDGED, version=3)
    changes = snooze(alert, "ann", LATER, START)
    (after,), (entry,) = changes.updated, changes.entries
    assert (after.status, after.snoozed_by, after.snoozed_until, after.version) == (alert.status, "ann", LATER, 4)
    assert (entry.event, entry.reason, entry.actor) == (Event.SNOOZED, Reason.SNOOZED_BY_PERSON, "ann")
    assert snooze(after, "ann", LATER, START) == Changes(), "the same again changes nothing"
    (awake,) = snooze(after, "ben", None, START).updated
    assert (awake.snoozed_by, awake.snoozed_until, awake.version) == (None, None, 5)


@pytest.mark.parametrize(
    ("alert", "until", "refused"),
    [
        pytest.param(an_alert(), START, Invalid, id="now"),
        pytest.param(an_alert(), START - dt.timedelta(seconds=1), Invalid, id="in the past"),
        pytest.param(an_alert(), START + dt.timedelta(days=30, seconds=1), Invalid, id="too far off"),
        pytest.param(an_alert(status=Status.RESOLVED), LATER, Conflict, id="resolved"),
        pytest.param(an_alert(), None, Conflict, id="not snoozed"),
    ],
)
def test_a_snooze_that_cannot_be(alert: Alert, until: dt.datetime | None, refused: type[Exception]) -> None:
    with pytest.raises(refused):
        snooze(alert, "ann", until, START)


@pytest.mark.parametrize("act", [acknowledged, resolved])
def test_who_acts_ends_the_snooze(act: Callable[[Alert], Changes]) -> None:
    (after,) = act(an_alert(snoozed_by="ben", snoozed_until=LATER)).updated
    assert (after.snoozed_by, after.snoozed_until) == (None, None)


def test_an_assignment_tells_the_assignee_unless_they_took_it() -> None:
    given = assign(an_alert(version=2), "ann", "ben")
    (after,), (entry,), (told,) = given.updated, given.entries, given.personal
    assert (after.assigned_to, after.version, told.user_id, told.cause) == ("ben", 3, "ben", Cause.ASSIGNED)
    assert (entry.event, entry.reason, dict(entry.detail)) == (
        Event.ASSIGNED,
        Reason.ASSIGNED_BY_PERSON,
        {"assigned_to": "ben"},
    )
    assert assign(after, "cleo", "ben") == Changes()
    taken = assign(after, "cleo", "cleo")
    assert (taken.personal, taken.entries[0].detail["instead_of"]) == ((), "ben")
    (nobodys,) = assign(after, "ann", None).entries
    assert (nobodys.alert.assigned_to, nobodys.reason) == (None, Reason.UNASSIGNED_BY_PERSON)
    with pytest.raises(Conflict):
        assign(an_alert(status=Status.RESOLVED), "ann", "ben")
