"""People's actions on an alert: one transaction each, then the live feed and the notifier's hint."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable

from convex_common.contracts import DELIVERIES_DUE, MAX_DELIVERIES, DeliveryIds
from convex_common.domain.alert import Alert, as_wire
from convex_common.domain.audit import Act, differences
from convex_common.domain.change import Changes
from convex_common.domain.transitions import acknowledge, resolve
from convex_common.errors import NotFound, PreconditionFailed
from convex_common.ids import Ids
from convex_common.logging import bound
from convex_common.ports import FeedPublisher, HintSender
from convex_common.postgres.alert_store import lock_one, save
from convex_common.postgres.audit import record_now
from convex_common.postgres.configuration import load_channels
from convex_common.postgres.database import Connection, Database
from convex_common.tracing import new_traceparent

log = logging.getLogger(__name__)

Keep = Callable[[Connection, bytes], None]
"""Stores what is answered, an alert's JSON, in the transaction of the action."""
TOLD = ("status", "resolution_notes")


class AlertActions:
    """Acknowledge and resolve. Synchronous: an event loop calls it in a thread."""

    def __init__(self, database: Database, ids: Ids, publisher: FeedPublisher, sender: HintSender) -> None:
        self._database = database
        self._ids = ids
        self._publisher = publisher
        self._sender = sender

    def acknowledge(
        self,
        workspace_id: uuid.UUID,
        alert_id: uuid.UUID,
        *,
        user_id: str,
        if_match: int | None,
        now: dt.datetime,
        keep: Keep | None = None,
    ) -> bytes:
        """The alert's JSON afterwards. NotFound, Conflict, PreconditionFailed (it is not of version `if_match`)."""
        return self._act(workspace_id, alert_id, if_match, now, keep, lambda alert, _: acknowledge(alert, user_id, now))

    def resolve(
        self,
        workspace_id: uuid.UUID,
        alert_id: uuid.UUID,
        *,
        user_id: str,
        notes: str | None,
        if_match: int | None,
        now: dt.datetime,
        keep: Keep | None = None,
    ) -> bytes:
        """The alert's JSON afterwards. NotFound, Conflict, PreconditionFailed."""
        return self._act(
            workspace_id,
            alert_id,
            if_match,
            now,
            keep,
            lambda alert, connection: resolve(alert, user_id, notes, now, load_channels(connection)),
        )

    def _act(
        self,
        workspace_id: uuid.UUID,
        alert_id: uuid.UUID,
        if_match: int | None,
        now: dt.datetime,
        keep: Keep | None,
        decide: Callable[[Alert, Connection], Changes],
    ) -> bytes:
        traceparent = new_traceparent()
        with self._database.transaction(workspace_id) as connection:
            alert = lock_one(connection, workspace_id, alert_id)
            if alert is None:
                raise NotFound("there is no such alert in this workspace")
            if if_match is not None and alert.version != if_match:
                raise PreconditionFailed(
                    f"the alert is of version {alert.version} by now, not {if_match}", cure="load it and decide again"
                )
            changes = decide(alert, connection).within(traceparent)
            record_now(connection, workspace_id, *_acts(alert, changes))
            written = save(connection, workspace_id, changes, self._ids, now)
            answer = as_wire(changes.updated[0])
            if keep is not None:
                keep(connection, answer)
            events = written.live_events()
        self._publisher.publish(events)
        for start in range(0, len(written.delivery_ids), MAX_DELIVERIES):
            chunk = written.delivery_ids[start : start + MAX_DELIVERIES]
            self._sender.send(DELIVERIES_DUE, DeliveryIds(tuple(map(str, chunk))), traceparent)
        for entry in changes.entries:
            with bound(workspace_id=workspace_id, alert_id=alert_id):
                log.info("alert %s", entry.event.value, extra={"user_id": entry.actor})
        return answer


def _acts(before: Alert, changes: Changes) -> list[Act]:
    """What goes on the audit log: that somebody did it, and what it changed. The alert log tells the rest."""
    after = changes.updated[0]
    told = {name: getattr(after, name) for name in TOLD}
    detail = {"changes": differences({name: getattr(before, name) for name in TOLD}, told)}
    return [
        Act(entry.actor, f"alert.{entry.event.value}", f"alert:{before.id}", detail)
        for entry in changes.entries
        if entry.actor is not None
    ]
