"""An Alertmanager's API, as Prometheus and amtool use it."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import Any
from urllib.parse import quote

import msgspec

from convex_common import events
from convex_common.domain.fingerprint import fingerprint
from tests.integration.gateway.ingest.conftest import Ingest

ALERTS = "/ingest/alertmanager/api/v2/alerts"


def source_framework(ingest: Ingest) -> uuid.UUID:
    ((id_,),) = ingest.rows("SELECT id FROM frameworks WHERE source = 'alertmanager' AND deleted_at IS NULL")
    return uuid.UUID(str(id_))


def test_an_alert_becomes_a_row_in_the_framework_of_its_source(ingest: Ingest) -> None:
    version = ingest.rows("SELECT config_version FROM workspaces")[0][0]
    labels = {"alertname": "Down", "severity": "page", "pod": ""}
    answer = ingest.post(ALERTS, [{"labels": labels, "annotations": {"summary": "it is"}, "more": {"unknown": 1}}])
    assert (answer.status_code, answer.content) == (200, b"")
    framework = source_framework(ingest)
    ((_, _, lane, kind, key, _, _),) = ingest.inbox()
    assert (lane, kind) == (events.CRITICAL_LANE, "source_alert")
    kept = {"alertname": "Down", "severity": "page"}
    assert bytes(key) == fingerprint(ingest.workspace_id, framework, None, kept)
    (event,) = ingest.events()
    assert (event.source, event.labels, event.annotations, event.resolved) == (
        "alertmanager", kept, {"summary": "it is"}, False)  # fmt: skip
    assert ingest.rows("SELECT config_version FROM workspaces")[0][0] > version


def test_the_framework_is_made_once_and_gets_out_of_the_way_of_names(ingest: Ingest) -> None:
    ingest.framework("Alertmanager")

    async def together() -> None:
        posts = (ingest.request("POST", ALERTS, [{"labels": {"n": str(n)}}]) for n in range(20))
        assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200}

    ingest.run(together())
    assert ingest.rows("SELECT name FROM frameworks WHERE source IS NOT NULL") == [("Alertmanager 2",)]
    assert {event.framework_id for event in ingest.events()} == {source_framework(ingest)}


def test_a_bad_alert_is_400_and_none_is_taken(ingest: Ingest) -> None:
    answer = ingest.post(ALERTS, [{"labels": {"a": "b"}}, {"labels": {}}])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "[1].labels")
    assert ingest.post(ALERTS, {"labels": {"a": "b"}}).status_code == 400
    assert (
        ingest.post(ALERTS, [{"labels": {"a": "b"}, "startsAt": "now"}]).json()["errors"][0]["field"] == "[0].startsAt"
    )
    assert ingest.inbox() == []


def opened(ingest: Ingest, labels: dict[str, str], **changed: Any) -> None:
    """An alert as the processor saves it."""
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    fields = {
        "workspace_id": ingest.workspace_id, "id": uuid.uuid4(), "fingerprint": uuid.uuid4().bytes * 2,
        "framework_id": source_framework(ingest), "rule_name": "Down", "alert_type": "threshold", "status": "firing",
        "severity": "warning", "title": "Down", "labels": msgspec.json.encode(labels).decode(),
        "context": '{"annotations": {"summary": "it is"}, "generator_url": "http://prometheus/graph"}',
        "occurrences": 1, "triggered_at": now, "last_seen_at": now, "suppression_seconds": 300,
        "source": "alertmanager", "source_starts_at": now, "source_ends_at": now + dt.timedelta(minutes=4),
    } | changed  # fmt: skip
    columns, places = ", ".join(fields), ", ".join(["%s"] * len(fields))
    with ingest.database.transaction(ingest.workspace_id) as connection:
        connection.execute(f"INSERT INTO alerts ({columns}) VALUES ({places})", tuple(fields.values()))


def listed(ingest: Ingest, *filters: str, **more: Any) -> list[str]:
    query = "&".join(f"filter={quote(text)}" for text in filters)
    answer = ingest.get(f"{ALERTS}?{query}", role="viewer", **more)
    assert answer.status_code == 200, answer.text
    return sorted(alert["labels"]["alertname"] for alert in answer.json())


def test_open_alerts_are_listed_as_alertmanager_does(ingest: Ingest, elsewhere: uuid.UUID) -> None:
    assert listed(ingest) == []
    ingest.post(ALERTS, [{"labels": {"alertname": "first"}}])
    opened(ingest, {"alertname": "Disk", "severity": "critical"})
    opened(ingest, {"alertname": "DiskSlow"}, status="acknowledged")
    opened(ingest, {"alertname": "Gone"}, status="resolved")
    other = ingest.framework()
    opened(ingest, {"alertname": "Ours"}, framework_id=uuid.UUID(other), source=None)

    assert listed(ingest) == ["Disk", "DiskSlow"]
    assert listed(ingest, workspace=elsewhere) == []
    assert listed(ingest, 'alertname="Disk"') == ["Disk"]
    assert listed(ingest, 'alertname=~"Disk"') == ["Disk"]
    assert listed(ingest, 'alertname=~"Disk.*"', 'severity!="critical"') == ["DiskSlow"]
    assert listed(ingest, 'severity=""') == ["DiskSlow"]
    assert listed(ingest, "alertname!~.*Slow") == ["Disk"]
    assert ingest.get(f"{ALERTS}?active=false", role="viewer").json() == []
    assert ingest.get(f"{ALERTS}?filter=nonsense", role="viewer").status_code == 400

    alert = next(found for found in ingest.get(ALERTS, role="viewer").json() if found["labels"]["alertname"] == "Disk")
    assert alert | {"fingerprint": ""} == {
        "annotations": {"summary": "it is"},
        "startsAt": "2026-11-23T12:00:00Z",
        "endsAt": "2026-11-23T12:04:00Z",
        "updatedAt": "2026-11-23T12:00:00Z",
        "fingerprint": "",
        "receivers": [{"name": "convex-alerts"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        "labels": {"alertname": "Disk", "severity": "critical"},
        "generatorURL": "http://prometheus/graph",
    }


def test_status_and_probes(ingest: Ingest) -> None:
    status = ingest.get("/ingest/alertmanager/api/v2/status", role="viewer").json()
    assert status["cluster"]["status"] == "disabled"
    assert status["config"] == {"original": ""}
    assert "version" in status["versionInfo"]
    for probe in ("healthy", "ready"):
        assert ingest.get(f"/ingest/alertmanager/-/{probe}", headers={"Authorization": ""}).status_code == 200


def test_all_of_it_is_described(ingest: Ingest) -> None:
    document = ingest.run(ingest._client.get("/openapi.json")).json()
    assert "post" in document["paths"]["/api/v1/triggers"]
    assert {"get", "post"} <= document["paths"][f"/api/v1{ALERTS}"].keys()
    assert "PostableAlert" in document["components"]["schemas"]
