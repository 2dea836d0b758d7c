"""Loads and saves alerts set-wise: a handful of statements a batch, whatever its size.

A transaction locks the latest alerts of its fingerprints in the fingerprints' order, writes, and takes its feed offsets
last: the row lock on workspace_feed makes offsets commit in order and without gaps.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from psycopg.types.numeric import Int2, Int4, Int8

from convex_common import in_app
from convex_common.domain.alert import Alert, as_wire
from convex_common.domain.change import Changes, Entry, Notice, Personal, Timer
from convex_common.domain.facets import touched
from convex_common.domain.verdict import Judged
from convex_common.feed import LiveEvent, LiveNotification, event_frame
from convex_common.ids import Ids, milliseconds
from convex_common.postgres.alert_rows import COLUMNS, SELECTED, alert_of, array_parameter, columns_of, unpacked
from convex_common.postgres.database import Connection

FOLDED = ("occurrences", "last_seen_at", "current_value", "threshold_value", "context", "source_starts_at",
          "source_ends_at", "version")  # fmt: skip
FIXED = ("workspace_id", "id", "fingerprint", "framework_id", "rule_id", "triggered_at", "source")
UPDATED = tuple(name for name in COLUMNS if name not in FIXED)

LATEST = f"""SELECT x.* FROM unnest(%(fingerprints)b::bytea[]) u(fp) CROSS JOIN LATERAL (
    SELECT {SELECTED} FROM alerts a WHERE a.workspace_id = %(workspace)s AND a.fingerprint = u.fp
    ORDER BY a.id DESC LIMIT 1 FOR UPDATE) x"""

THESE = f"""SELECT {SELECTED} FROM alerts a WHERE a.workspace_id = %(workspace)s AND a.id = ANY(%(ids)b::uuid[])
    ORDER BY a.fingerprint, a.id FOR UPDATE"""


def _unnest(names: Sequence[str], alias: str) -> str:
    return f"unnest({', '.join(array_parameter(name) for name in names)}) AS {alias}({', '.join(names)})"


def _update(names: Sequence[str]) -> str:
    return (
        f"WITH w AS (UPDATE alerts a SET {', '.join(name + ' = ' + unpacked(name, 'u') for name in names)} "
        f"FROM {_unnest(('id', *names), 'u')} WHERE a.workspace_id = %(workspace)s AND a.id = u.id RETURNING 1) "
        "SELECT expect(count(*), %(wanted)s, 'CX002') FROM w"
    )


CREATE = (
    f"WITH w AS (INSERT INTO alerts ({', '.join(COLUMNS)}) "
    f"SELECT {', '.join(unpacked(name, 'u') for name in COLUMNS)} "
    f"FROM {_unnest(COLUMNS, 'u')} ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT expect(count(*), %(wanted)s, 'CX002') FROM w"
)
FOLD = _update(FOLDED)
UPDATE = _update(UPDATED)

NOTIFY = """WITH n AS (
    INSERT INTO notifications (workspace_id, id, alert_id, cause, sequence, reason, data, created_at)
    SELECT %(workspace)s, u.id, u.alert_id, u.cause, u.sequence, u.reason, u.data, %(now)s
    FROM unnest(%(id)b::uuid[], %(alert_id)b::uuid[], %(cause)b::text[], %(sequence)b::int4[], %(reason)b::text[],
                %(data)b::bytea[]) AS u(id, alert_id, cause, sequence, reason, data)
    ON CONFLICT DO NOTHING RETURNING id, alert_id)
INSERT INTO deliveries (workspace_id, id, notification_id, channel_id, alert_id, target, traceparent)
SELECT %(workspace)s, d.id, d.notification_id, d.channel_id, n.alert_id, d.target, d.traceparent
FROM unnest(%(delivery_id)b::uuid[], %(notification_id)b::uuid[], %(channel_id)b::uuid[], %(target)b::text[],
            %(traceparent)b::text[]) AS d(id, notification_id, channel_id, target, traceparent)
JOIN n ON n.id = d.notification_id"""

SET_TIMERS = """INSERT INTO timers (workspace_id, kind, subject, due_at, shard, key, payload)
SELECT %(workspace)s, u.kind, u.subject, u.due_at, u.shard, u.key, u.payload
FROM unnest(%(kind)b::text[], %(subject)b::text[], %(due_at)b::timestamptz[], %(shard)b::int2[], %(key)b::bytea[],
            %(payload)b::bytea[]) AS u(kind, subject, due_at, shard, key, payload)
ON CONFLICT (workspace_id, kind, subject) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload"""

DROP_TIMERS = """DELETE FROM timers t USING unnest(%(kind)b::text[], %(subject)b::text[]) AS u(kind, subject)
WHERE t.workspace_id = %(workspace)s AND t.kind = u.kind AND t.subject = u.subject"""

JUDGE = """INSERT INTO alert_verdicts AS v (workspace_id, alert_id, user_id, verdict, at)
SELECT %(workspace)s, u.alert_id, u.user_id, u.verdict, u.at
FROM unnest(%(alert_id)b::uuid[], %(user_id)b::text[], %(verdict)b::text[], %(at)b::timestamptz[])
    AS u(alert_id, user_id, verdict, at)
ON CONFLICT (workspace_id, alert_id, user_id) DO UPDATE SET verdict = excluded.verdict, at = excluded.at"""

TELL = """INSERT INTO user_notifications
    (workspace_id, id, user_id, notification_id, alert_id, cause, title, data, created_at)
SELECT %(workspace)s, u.id, u.user_id, u.id, u.alert_id, u.cause, u.title, u.data, %(now)s
FROM unnest(%(id)b::uuid[], %(user_id)b::text[], %(alert_id)b::uuid[], %(cause)b::text[], %(title)b::text[],
            %(data)b::bytea[]) AS u(id, user_id, alert_id, cause, title, data)"""

LOG = """WITH f AS (
    UPDATE workspace_feed SET next_offset = next_offset + %(wanted)s WHERE workspace_id = %(workspace)s
    RETURNING next_offset - %(wanted)s AS base, epoch),
l AS (
    INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, reason, count, actor, event_ids,
                           detail, data, at, traceparent)
    SELECT u.id, %(workspace)s, f.base + u.place - 1, u.alert_id, u.framework_id, u.event, u.reason, u.count, u.actor,
           u.event_ids::uuid[], u.detail, u.data, %(now)s, u.traceparent
    FROM f, unnest(%(id)b::uuid[], %(alert_id)b::uuid[], %(framework_id)b::uuid[], %(event)b::text[],
                   %(reason)b::text[], %(count)b::int4[], %(actor)b::text[], %(event_ids)b::text[],
                   %(detail)b::bytea[], %(data)b::bytea[],
                   %(traceparent)b::text[]) WITH ORDINALITY
         AS u(id, alert_id, framework_id, event, reason, count, actor, event_ids, detail, data, traceparent, place))
SELECT base, epoch FROM f"""

_encode = msgspec.json.Encoder().encode


class Cursor(Protocol):
    """What is needed of psycopg's cursor."""

    def fetchone(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction wrote; `position` is readable once its pipeline was synchronised."""

    delivery_ids: tuple[uuid.UUID, ...]
    position: Cursor | None
    frames: tuple[tuple[Entry, bytes], ...]
    workspace_id: uuid.UUID
    personal: tuple[LiveNotification, ...] = ()
    """What to publish to single people after the commit."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The rows of the alert log."""
        return tuple(entry for entry, _ in self.frames)

    def live_events(self) -> list[LiveEvent]:
        """The frames to publish after the commit, in the order of their offsets."""
        if self.position is None:
            return []
        base, epoch = self.position.fetchone()
        return [
            LiveEvent(
                self.workspace_id,
                base + n,
                entry.alert.framework_id,
                epoch,
                event_frame(entry.event, base + n, data),
                touched(entry),
                entry.traceparent,
                milliseconds(entry.event_ids[-1]) if entry.event_ids else None,
            )
            for n, (entry, data) in enumerate(self.frames)
        ]


def lock_latest(connection: Connection, workspace_id: uuid.UUID, fingerprints: Iterable[bytes]) -> dict[bytes, Alert]:
    """The latest alert of each fingerprint, open or not, locked until the transaction ends."""
    rows = connection.execute(
        LATEST, {"workspace": workspace_id, "fingerprints": sorted(fingerprints)}, binary=True
    ).fetchall()
    alerts = (alert_of(row) for row in rows)
    return {alert.fingerprint: alert for alert in alerts}


def lock_many(
    connection: Connection, workspace_id: uuid.UUID, alert_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, Alert]:
    """Those of these alerts that there are, locked until the transaction ends; in the order in which batches lock."""
    rows = connection.execute(THESE, {"workspace": workspace_id, "ids": list(alert_ids)}, binary=True).fetchall()
    alerts = (alert_of(row) for row in rows)
    return {alert.id: alert for alert in alerts}


def save(connection: Connection, workspace_id: uuid.UUID, changes: Changes, ids: Ids, now: dt.datetime) -> Written:
    """Write all of it; call last in a transaction, right before the commit.

    Statements fail with SQLSTATE CX002 where another transaction was quicker: roll back, load and decide again.
    """
    log_ids = ids.take(len(changes.entries))  # before the notifications': a timeline tells first what they are about
    _save_alerts(connection, workspace_id, changes)
    delivery_ids = _save_notices(connection, workspace_id, changes.notices, ids, now)
    _save_timers(connection, workspace_id, changes.timers)
    _save_judged(connection, workspace_id, changes.judged)
    personal = _save_personal(connection, workspace_id, changes.personal, ids, now)
    frames = tuple((entry, as_wire(entry.alert)) for entry in changes.entries)
    position = _save_log(connection, workspace_id, frames, log_ids, now) if frames else None
    return Written(delivery_ids, position, frames, workspace_id, personal)


def _save_alerts(connection: Connection, workspace_id: uuid.UUID, changes: Changes) -> None:
    # Updates first: an episode that ends here makes room for the fingerprint's next.
    for statement, alerts, names in (
        (FOLD, changes.folded, ("id", *FOLDED)),
        (UPDATE, changes.updated, ("id", *UPDATED)),
        (CREATE, changes.created, COLUMNS),
    ):
        if alerts:
            parameters = {"workspace": workspace_id, "wanted": Int8(len(alerts)), **columns_of(alerts, names)}
            connection.execute(statement, parameters, binary=True)


def _save_notices(
    connection: Connection, workspace_id: uuid.UUID, notices: Sequence[Notice], ids: Ids, now: dt.datetime
) -> tuple[uuid.UUID, ...]:
    if not notices:
        return ()
    notification_ids = ids.take(len(notices))
    deliveries = [(n, notice, channel) for n, notice in enumerate(notices) for channel in notice.channels]
    delivery_ids = ids.take(len(deliveries))
    connection.execute(
        NOTIFY,
        {
            "workspace": workspace_id,
            "now": now,
            "id": notification_ids,
            "alert_id": [notice.alert.id for notice in notices],
            "cause": [notice.cause.value for notice in notices],
            "sequence": [Int4(notice.sequence) for notice in notices],
            "reason": [notice.reason.value for notice in notices],
            "data": [as_wire(notice.alert) for notice in notices],
            "delivery_id": delivery_ids,
            "notification_id": [notification_ids[n] for n, _, _ in deliveries],
            "channel_id": [channel.id for _, _, channel in deliveries],
            "target": [channel.target for _, _, channel in deliveries],
            "traceparent": [notice.traceparent for _, notice, _ in deliveries],
        },
        binary=True,
    )
    return tuple(delivery_ids)


def _save_timers(connection: Connection, workspace_id: uuid.UUID, timers: Sequence[Timer]) -> None:
    last = {(timer.kind, timer.subject): timer for timer in timers}
    moved = [timer for timer in last.values() if timer.due_at is not None]
    dropped = [timer for timer in last.values() if timer.due_at is None]
    if moved:
        moved.sort(key=lambda timer: (timer.kind, timer.subject))
        connection.execute(
            SET_TIMERS,
            {
                "workspace": workspace_id,
                "kind": [timer.kind for timer in moved],
                "subject": [timer.subject for timer in moved],
                "due_at": [timer.due_at for timer in moved],
                "shard": [Int2(timer.shard) for timer in moved],
                "key": [timer.key for timer in moved],
                "payload": [timer.payload for timer in moved],
            },
            binary=True,
        )
    if dropped:
        connection.execute(
            DROP_TIMERS,
            {
                "workspace": workspace_id,
                "kind": [timer.kind for timer in dropped],
                "subject": [timer.subject for timer in dropped],
            },
            binary=True,
        )


def _save_judged(connection: Connection, workspace_id: uuid.UUID, judged: Sequence[Judged]) -> None:
    if judged:
        connection.execute(
            JUDGE,
            {
                "workspace": workspace_id,
                "alert_id": [each.alert_id for each in judged],
                "user_id": [each.user_id for each in judged],
                "verdict": [each.verdict.value for each in judged],
                "at": [each.at for each in judged],
            },
            binary=True,
        )


def _save_personal(
    connection: Connection, workspace_id: uuid.UUID, personal: Sequence[Personal], ids: Ids, now: dt.datetime
) -> tuple[LiveNotification, ...]:
    if not personal:
        return ()
    made = [(one, as_wire(one.alert), row_id) for one, row_id in zip(personal, ids.take(len(personal)), strict=True)]
    connection.execute(
        TELL,
        {
            "workspace": workspace_id,
            "now": now,
            "id": [row_id for _, _, row_id in made],
            "user_id": [one.user_id for one in personal],
            "alert_id": [one.alert.id for one in personal],
            "cause": [one.cause.value for one in personal],
            "title": [one.alert.title for one in personal],
            "data": [data for _, data, _ in made],
        },
        binary=True,
    )
    return tuple(
        LiveNotification(
            workspace_id,
            (one.user_id,),
            in_app.frame(row_id, one.alert.id, one.cause.value, one.alert.title, data, now),
        )
        for one, data, row_id in made
    )


def _save_log(
    connection: Connection,
    workspace_id: uuid.UUID,
    frames: Sequence[tuple[Entry, bytes]],
    log_ids: Sequence[uuid.UUID],
    now: dt.datetime,
) -> Cursor:
    entries = [entry for entry, _ in frames]
    return connection.execute(
        LOG,
        {
            "workspace": workspace_id,
            "wanted": Int8(len(frames)),
            "now": now,
            "id": log_ids,
            "alert_id": [entry.alert.id for entry in entries],
            "framework_id": [entry.alert.framework_id for entry in entries],
            "event": [entry.event.value for entry in entries],
            "reason": [entry.reason.value for entry in entries],
            "count": [Int4(entry.count) for entry in entries],
            "actor": [entry.actor for entry in entries],
            "event_ids": ["{" + ",".join(map(str, entry.event_ids)) + "}" for entry in entries],
            "detail": [_encode({**entry.detail, "notified": entry.notified}) for entry in entries],
            "data": [data for _, data in frames],
            "traceparent": [entry.traceparent for entry in entries],
        },
        binary=True,
    )
