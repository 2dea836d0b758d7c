"""Nothing accepted is lost, nobody is told twice without a reason: while everything is killed with -9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from convex_dev.stack import Stack
from tests.chaos.storm import Storm
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver

UNFINISHED = """SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM deliveries WHERE status = 'pending') AS n"""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("triggers", "fingerprints", "kills"),
    [
        pytest.param(2_000, 100, 1, id="short"),
        pytest.param(20_000, 1_000, 5, id="full", marks=pytest.mark.long),
    ],
)
def test_every_202_is_folded_once_and_every_notification_arrives(
    new_stack: Callable[..., Stack], receiver: Receiver, triggers: int, fingerprints: int, kills: int
) -> None:
    workspace = workspace_of(new_stack())
    workspace.webhook(receiver.url())
    # A short window, so that reminders keep the notifier at work through all the kills.
    rule_id = workspace.rule(workspace.framework(), suppression_seconds=3)
    storm = Storm(workspace, rule_id, triggers, fingerprints, kills)
    storm.run()
    eventually(lambda: _unfinished(workspace) == 0, within=180.0, what="an empty inbox and no pending delivery")

    folded = Counter(
        str(event_id) for row in workspace.rows("SELECT event_ids FROM alert_log") for event_id in row["event_ids"]
    )
    accepted = set(storm.accepted)
    assert len(accepted) == len(storm.accepted) >= triggers
    assert {event_id for event_id in accepted if folded[event_id] != 1} == set()
    alerts = workspace.rows("SELECT sum(occurrences) AS n FROM alerts")
    assert alerts[0]["n"] == sum(folded.values())

    deliveries = {str(row["id"]) for row in workspace.rows("SELECT id FROM deliveries WHERE status = 'delivered'")}
    notifications = workspace.rows("SELECT count(*) AS n FROM notifications")[0]["n"]
    assert len(deliveries) == notifications
    received = Counter(request.headers["webhook-id"] for request in receiver.received)
    assert set(received) == deliveries
    repeats = sum(received.values()) - len(received)
    assert repeats <= storm.in_flight_at_kills
    assert _offsets_are_gapless(workspace)
    print(_told(storm, folded, len(deliveries), repeats))


def _unfinished(workspace: Workspace) -> int:
    return int(workspace.rows(UNFINISHED)[0]["n"])


def _offsets_are_gapless(workspace: Workspace) -> bool:
    rows = workspace.rows('SELECT count(*) AS n, min("offset") AS lo, max("offset") AS hi FROM alert_log')
    return bool(rows[0]["n"] == rows[0]["hi"] and rows[0]["lo"] == 1)


def _told(storm: Storm, folded: Counter[str], deliveries: int, repeats: int) -> dict[str, Any]:
    return {
        "accepted": len(storm.accepted),
        "folded": sum(folded.values()),
        "killed": dict(storm.killed),
        "refused": dict(storm.refused),
        "deliveries": deliveries,
        "repeats": repeats,
        "in flight at kills": storm.in_flight_at_kills,
    }
