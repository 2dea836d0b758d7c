"""What people may do to an alert, as a table; the impossible is a conflict that changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from convex_common.domain.alert import Alert, Event, Reason, Resolution, Status
from convex_common.domain.change import Cause, Changes
from convex_common.domain.transitions import acknowledge, resolve
from convex_common.errors import Conflict
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
