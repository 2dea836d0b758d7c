"""GET …/api/v2/alerts and …/api/v2/status: what amtool shows of us."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from platform import python_version
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import msgspec
from sqlalchemy import literal_column, select
from starlette.responses import Response

from convex_common.domain.channel import Matcher, Operator
from convex_common.errors import Invalid
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.tables import alerts, frameworks
from convex_gateway.ingest import matchers
from convex_gateway.ingest.alertmanager import SOURCE, refused
from convex_gateway.ingest.endpoint import Received, json_answer

MOST: Final = 10_000
RECEIVER: Final = "convex-alerts"

_TRUE: Final = frozenset({"true", "1", "t", "yes", "y", "on"})
_FALSE: Final = frozenset({"false", "0", "f", "no", "n", "off"})


class AlertStatus(msgspec.Struct, frozen=True, rename="camel"):
    """Active, or suppressed by a silence of ours; nothing is inhibited."""

    state: str = "active"
    silenced_by: list[str] = []
    inhibited_by: list[str] = []
    muted_by: list[str] = []


class Receiver(msgspec.Struct, frozen=True):
    """Who it is routed to; our channels are not Alertmanager's receivers, so there is one for all."""

    name: str


class GettableAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An open alert as Alertmanager's API v2 gives it."""

    annotations: Mapping[str, str]
    ends_at: dt.datetime
    fingerprint: str
    receivers: list[Receiver]
    starts_at: dt.datetime
    status: AlertStatus
    updated_at: dt.datetime
    labels: Mapping[str, str]
    generator_url: str = msgspec.field(name="generatorURL")


class AlertmanagerReads:
    """Answers what Alertmanager's clients ask."""

    def __init__(self, database: AsyncDatabase, started_at: dt.datetime) -> None:
        self._database = database
        self._started_at = started_at

    async def alerts(self, received: Received) -> Response:
        """The open alerts of Alertmanager's clients that every `filter` fits, by fingerprint; the newest 10,000."""
        try:
            wanted = wanted_by(received.query)
        except Invalid as error:
            return refused(error)
        if wanted is None:
            return json_answer(200, [])
        found = await self._open(received.workspace_id)
        fitting = [alert for alert in found if all(matcher.fits(alert.labels) for matcher in wanted.matchers)]
        return json_answer(200, [alert for alert in fitting if alert.status.state in wanted.states])

    async def status(self, _: Received) -> Response:
        """Who answers, since when; there is no cluster of Alertmanagers and no configuration of theirs."""
        return json_answer(200, status_of(self._started_at))

    async def _open(self, workspace_id: uuid.UUID) -> Sequence[GettableAlert]:
        query = (
            select(
                alerts.c.labels,
                alerts.c.context,
                alerts.c.fingerprint,
                alerts.c.triggered_at,
                alerts.c.last_seen_at,
                alerts.c.source_starts_at,
                alerts.c.source_ends_at,
                alerts.c.silenced_by,
            )
            .join(
                frameworks,
                (frameworks.c.workspace_id == alerts.c.workspace_id) & (frameworks.c.id == alerts.c.framework_id),
            )
            .where(
                alerts.c.workspace_id == workspace_id,
                literal_column("alerts.status <> 'resolved'"),  # as its partial index has it
                frameworks.c.source == SOURCE,
            )
            .order_by(alerts.c.id.desc())
            .limit(MOST)
        )
        async with self._database.transaction(workspace_id) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return sorted((gettable(row) for row in rows), key=lambda alert: alert.fingerprint)


class Wanted(NamedTuple):
    """Which alerts a query asks for."""

    matchers: Sequence[Matcher]
    states: frozenset[str]


def wanted_by(query: str) -> Wanted | None:
    """What a query asks for; None where that is no alert that we have. Invalid naming the parameter."""
    parameters = parse_qs(query, keep_blank_values=True)
    asked = {name: _switch(name, parameters) for name in ("active", "silenced", "inhibited", "unprocessed")}
    wanted = [matchers.parse(text) for text in parameters.get("filter", ())]
    receiver = parameters.get("receiver", [""])[0]
    if receiver:
        matchers.check_expression("receiver", receiver)
    routed = not receiver or Matcher("name", Operator.MATCHES, receiver).fits({"name": RECEIVER})
    states = frozenset(state for state, switch in (("active", "active"), ("suppressed", "silenced")) if asked[switch])
    return Wanted(wanted, states) if states and routed else None


def gettable(row: Mapping[Any, Any]) -> GettableAlert:
    """An alert's row in Alertmanager's words. Its context is as the processor stores it."""
    silence = row["silenced_by"]
    return GettableAlert(
        annotations=row["context"].get("annotations", {}),
        ends_at=_utc(row["source_ends_at"] or row["last_seen_at"]),
        fingerprint=bytes(row["fingerprint"]).hex(),
        receivers=[Receiver(RECEIVER)],
        starts_at=_utc(row["source_starts_at"] or row["triggered_at"]),
        status=AlertStatus() if silence is None else AlertStatus("suppressed", [str(silence)]),
        updated_at=_utc(row["last_seen_at"]),
        labels=row["labels"],
        generator_url=row["context"].get("generator_url", ""),
    )


def status_of(started_at: dt.datetime) -> Mapping[str, object]:
    """Alertmanager's status, with our version."""
    return {
        "cluster": {"status": "disabled", "peers": []},
        "versionInfo": {
            "branch": "",
            "buildDate": "",
            "buildUser": "",
            "goVersion": f"python {python_version()}",
            "revision": "",
            "version": f"convex-alerts {version('convex-gateway')}",
        },
        "config": {"original": ""},
        "uptime": started_at,
    }


def _switch(name: str, parameters: Mapping[str, Sequence[str]]) -> bool:
    """Absent means yes."""
    value = parameters.get(name, ["true"])[0].lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise Invalid(name, "must be true or false")


def _utc(at: dt.datetime) -> dt.datetime:
    return at.astimezone(dt.UTC)
