"""People's actions on alerts, on one or on many: one transaction, then the live feed and the notifier's hint."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from convex_common.alert_timers import with_snoozes
from convex_common.contracts import DELIVERIES_DUE, MAX_DELIVERIES, DeliveryIds
from convex_common.domain.alert import Alert, Event, as_wire
from convex_common.domain.audit import Act, differences
from convex_common.domain.change import Changes
from convex_common.domain.channel import Channel
from convex_common.domain.self_audit import of_people
from convex_common.domain.transitions import acknowledge, assign, comment, judge, resolve, snooze
from convex_common.domain.verdict import Verdict
from convex_common.errors import ConvexError, Invalid, NotFound, PreconditionFailed
from convex_common.ids import Ids
from convex_common.logging import bound
from convex_common.ports import FeedPublisher, HintSender
from convex_common.postgres import verdicts
from convex_common.postgres.alert_store import lock_many, save
from convex_common.postgres.audit import record_now
from convex_common.postgres.configuration import load_channels
from convex_common.postgres.database import Connection, Database
from convex_common.postgres.members import is_member
from convex_common.tracing import new_traceparent

log = logging.getLogger(__name__)

Keep = Callable[[Connection, bytes], None]
"""Stores what is answered, an alert's JSON, in the transaction of the action."""
TOLD = ("status", "resolution_notes", "snoozed_until", "assigned_to")


@dataclass(frozen=True, slots=True)
class Known:
    """What an action may look up, read when it asks: the channels, who belongs here, what a person has said of it."""

    channels: Callable[[], tuple[Channel, ...]]
    verdict: Callable[[uuid.UUID, str], Verdict | None]
    is_member: Callable[[str], bool]


Decide = Callable[[Alert, Known], Changes]
"""What an action makes of an alert; a Conflict where its state does not allow it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an action made of an alert: its JSON afterwards, or why it was refused and stayed as it was."""

    alert_id: uuid.UUID
    alert: bytes | None
    refused: ConvexError | None = None


KeepAll = Callable[[Connection, Sequence[Done]], None]
"""Stores what became of many alerts, in the transaction of the actions."""


def acknowledging(user_id: str, now: dt.datetime) -> Decide:
    """Somebody is on it."""
    return lambda alert, _: acknowledge(alert, user_id, now)


def resolving(user_id: str, notes: str | None, now: dt.datetime) -> Decide:
    """It is over, says a person."""
    return lambda alert, known: resolve(alert, user_id, notes, now, known.channels())


def judging(user_id: str, verdict: Verdict, now: dt.datetime) -> Decide:
    """Whether it was worth being told, says a person."""
    return lambda alert, known: judge(alert, user_id, verdict, known.verdict(alert.id, user_id), now)


def snoozing(user_id: str, until: dt.datetime | None, now: dt.datetime) -> Decide:
    """Nobody is told of it until then; None ends that."""

    def decide(alert: Alert, _: Known) -> Changes:
        return snooze(alert, user_id, until, now)

    return decide


def assigning(user_id: str, assignee: str | None) -> Decide:
    """Who is to look after it; a member of the workspace, or nobody in particular."""

    def decide(alert: Alert, known: Known) -> Changes:
        if assignee is not None and not known.is_member(assignee):
            raise Invalid(
                "user_id", "is no member of this workspace", cure="GET /assignees lists those who can be asked"
            )
        return assign(alert, user_id, assignee)

    return decide


def commenting(user_id: str, text: str) -> Decide:
    """A word about it."""
    return lambda alert, _: comment(alert, user_id, text)


class AlertActions:
    """What people do to alerts. Synchronous: an event loop calls it in a thread."""

    def __init__(self, database: Database, ids: Ids, publisher: FeedPublisher, sender: HintSender) -> None:
        self._database = database
        self._ids = ids
        self._publisher = publisher
        self._sender = sender

    def one(
        self,
        workspace_id: uuid.UUID,
        alert_id: uuid.UUID,
        decide: Decide,
        *,
        if_match: int | None,
        now: dt.datetime,
        keep: Keep | None = None,
    ) -> bytes:
        """The alert's JSON afterwards. NotFound, Conflict, PreconditionFailed (it is not of version `if_match`)."""

        def check(alert: Alert) -> None:
            if if_match is not None and alert.version != if_match:
                raise PreconditionFailed(
                    f"the alert is of version {alert.version} by now, not {if_match}", cure="load it and decide again"
                )

        def finish(connection: Connection, done: Sequence[Done]) -> None:
            if done[0].refused is not None:
                raise done[0].refused
            if keep is not None and done[0].alert is not None:
                keep(connection, done[0].alert)

        (done,) = self._act(workspace_id, (alert_id,), decide, now, check, finish)
        assert done.alert is not None
        return done.alert

    def many(
        self,
        workspace_id: uuid.UUID,
        alert_ids: Sequence[uuid.UUID],
        decide: Decide,
        *,
        now: dt.datetime,
        keep: KeepAll | None = None,
    ) -> list[Done]:
        """The same for different alerts in one transaction: what became of each, in the order of their ids here."""
        return self._act(workspace_id, alert_ids, decide, now, lambda _: None, keep or (lambda *_: None))

    def _act(
        self,
        workspace_id: uuid.UUID,
        alert_ids: Sequence[uuid.UUID],
        decide: Decide,
        now: dt.datetime,
        check: Callable[[Alert], None],
        finish: KeepAll,
    ) -> list[Done]:
        traceparent = new_traceparent()
        with self._database.transaction(workspace_id) as connection:
            alerts = lock_many(connection, workspace_id, alert_ids)
            known = Known(
                channels=cache(lambda: load_channels(connection)),
                verdict=partial(verdicts.of_person, connection, workspace_id),
                is_member=cache(partial(is_member, connection, workspace_id)),
            )
            done: list[Done] = []
            changes: list[Changes] = []
            acts: list[Act] = []
            for alert_id in alert_ids:
                try:
                    alert = alerts.get(alert_id)
                    if alert is None:
                        raise NotFound("there is no such alert in this workspace")
                    check(alert)
                    decided = decide(alert, known)
                except ConvexError as error:
                    done.append(Done(alert_id, None, error))
                    continue
                changes.append(with_snoozes(decided, now))
                acts.extend(_acts(alert, decided))
                done.append(Done(alert_id, as_wire(decided.entries[-1].alert if decided.entries else alert)))
            if of_people(workspace_id):  # the audit log is kept for ever, and nobody did these
                record_now(connection, workspace_id, *acts)
            whole = Changes.of(changes).within(traceparent)
            written = save(connection, workspace_id, whole, self._ids, now)
            finish(connection, done)
            events = written.live_events()
        self._publisher.publish([*events, *written.personal])
        for start in range(0, len(written.delivery_ids), MAX_DELIVERIES):
            chunk = written.delivery_ids[start : start + MAX_DELIVERIES]
            self._sender.send(DELIVERIES_DUE, DeliveryIds(tuple(map(str, chunk))), traceparent)
        for entry in whole.entries:
            with bound(workspace_id=workspace_id, alert_id=entry.alert.id):
                log.info("alert %s", entry.event.value, extra={"user_id": entry.actor})
        return done


def _acts(before: Alert, changes: Changes) -> list[Act]:
    """What goes on the audit log: that somebody did it, and what it changed. The alert log tells the rest."""
    if not changes.entries:
        return []
    after = changes.entries[-1].alert
    told = {name: getattr(after, name) for name in TOLD}
    changed = differences({name: getattr(before, name) for name in TOLD}, told)
    return [
        Act(
            entry.actor,
            f"alert.{entry.event.value}",
            f"alert:{before.id}",
            dict(entry.detail) if entry.event is Event.JUDGED else {"changes": changed},
        )
        for entry in changes.entries
        if entry.actor is not None
    ]
