"""Lists behind the cache, on real stores: what a change ends, what it leaves, and that nobody reads what was before."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg.types.json import Jsonb

from convex_analytics.pattern_detection import PatternDetection
from convex_common.domain.alert import Status
from convex_common.domain.severity import Severity
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres import positions
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Database, connect
from convex_common.redis.cache.counts import CacheCounts
from convex_common.redis.live import LivePublisher
from convex_processor.batches import BatchProcessor
from convex_processor.configurations import Configurations
from convex_processor.drainer import ClaimLimits, Drainer
from convex_processor.handler import EventHandler
from tests.support.past import Run
from tests.support.patterns import store_pattern
from tests.support.postgres import Store
from tests.support.processing import IDS, Bench
from tests.support.rest import Api, Remembered, add_members, gateway_of, token_of
from tests.support.valkey import Valkey

DAY = 24 * 3600.0


class Installation:
    """Two gateways and a processor, on one PostgreSQL and one Valkey. Positions are good for a day: if anything is
    right here, it is so by the marks."""

    def __init__(self, store: Store, database: Database, redis_url: str, prefix: str) -> None:
        self.store = store
        self.publisher = LivePublisher(redis_url, prefix, within=2.0)
        self.bench = Bench.of(store)
        self.gateways = [self._gateway(database, redis_url, prefix) for _ in range(2)]

    @property
    def one(self) -> Api:
        return self.gateways[0]

    @property
    def two(self) -> Api:
        return self.gateways[1]

    def framework(self, name: str) -> str:
        return self.one.framework(name)

    def process(self, rule_id: uuid.UUID, value: float = 200.0, **fields: Any) -> None:
        """One trigger through the processor, published and marked for real."""
        self.bench.trigger(rule_id, value, **fields)
        self._drain()

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.close()
        self.publisher.close()

    def _gateway(self, database: Database, redis_url: str, prefix: str) -> Api:
        redis = Remembered()
        gateway = gateway_of(
            AsyncDatabase(self.store.url, "tests"),
            database,
            redis,
            publisher=self.publisher,
            cache_url=redis_url,
            queue_prefix=prefix,
            fresh=DAY,
        )
        return Api(self.store, gateway, database, redis)

    def _drain(self) -> None:
        metrics = Metrics(CollectorRegistry())

        def batches(connection: Any) -> BatchProcessor:
            handler = EventHandler(connection, Configurations(CacheCounts("rules", metrics)), IDS)
            return BatchProcessor(connection, handler, self.publisher, self.bench.outbox, metrics, Measures())

        drainer = Drainer(lambda: connect(self.store.url, "test-processor"), batches, ClaimLimits())
        while drainer.step():
            pass
        drainer.close()


@pytest.fixture
def here(store: Store, database: Database, valkey: Valkey, queue_prefix: str) -> Iterator[Installation]:
    add_members(store)
    made = Installation(store, database, valkey.url, queue_prefix)
    yield made
    made.close()


def ids(api: Api, path: str) -> list[tuple[str, str, int]]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return [(item["id"], item["status"], item["occurrences"]) for item in answer.json()["items"]]


def counted(api: Api, kind: str, outcome: str) -> float:
    return api.gateway.metrics.registry.get_sample_value(f"cache_{outcome}_total", {"class": kind}) or 0


def missed(api: Api, paths: dict[str, str]) -> set[str]:
    """Which of the named paths had to be loaded."""
    found = set()
    for name, path in paths.items():
        before = counted(api, "alerts", "misses")
        assert api.get(path).status_code == 200
        if counted(api, "alerts", "misses") > before:
            found.add(name)
    return found


def test_a_second_reader_is_served_by_the_cache_on_any_gateway(here: Installation) -> None:
    here.process(here.bench.rule())
    paths = ["/alerts", "/alerts?severity=warning&status=firing&q=slow&limit=1", "/alerts?since=2020-01-01T00:00:00Z"]
    for path in paths:
        first = here.one.get(path)
        again, elsewhere = here.one.get(path, role="viewer"), here.two.get(path, role="owner")
        assert first.json() == again.json() == elsewhere.json()
        assert first.content == elsewhere.content
    assert (counted(here.one, "alerts", "misses"), counted(here.one, "alerts", "hits")) == (3, 3)
    assert (counted(here.two, "alerts", "misses"), counted(here.two, "alerts", "hits")) == (0, 3)


def test_who_acknowledged_reads_it_on_any_gateway(here: Installation) -> None:
    rule_id = here.bench.rule()
    for n in range(5):
        here.process(rule_id, labels={"n": str(n)})
    for path in ("/alerts", "/alerts?status=firing", "/alerts?status=acknowledged"):
        ids(here.one, path), ids(here.two, path)
    for alert_id, _, _ in ids(here.two, "/alerts"):
        assert here.one.post(f"/alerts/{alert_id}/acknowledge").status_code == 200
        for gateway in here.gateways:
            assert (alert_id, "acknowledged", 1) in ids(gateway, "/alerts")
            assert (alert_id, "acknowledged", 1) in ids(gateway, "/alerts?status=acknowledged")
            assert alert_id not in {found for found, _, _ in ids(gateway, "/alerts?status=firing")}


LISTS = {
    "all": "/alerts",
    "firing": "/alerts?status=firing",
    "acknowledged": "/alerts?status=acknowledged",
    "resolved": "/alerts?status=resolved",
    "warning": "/alerts?severity=warning",
    "critical": "/alerts?severity=critical",
    "warning, resolved": "/alerts?severity=warning&status=resolved",
    "critical, firing": "/alerts?severity=critical&status=firing",
    "here": "/alerts?framework_id={here}",
    "here, warning": "/alerts?framework_id={here}&severity=warning",
    "here, critical": "/alerts?framework_id={here}&severity=critical",
    "here, resolved": "/alerts?framework_id={here}&status=resolved",
    "there": "/alerts?framework_id={there}",
    "summary": "/analytics/summary",
    "summary of here": "/analytics/summary?framework_id={here}",
    "summary of there": "/analytics/summary?framework_id={there}",
}

OF_A_WARNING = {"all", "firing", "warning", "here", "here, warning"}
OF_COUNTS = {"summary", "summary of here"}


def test_a_change_ends_exactly_the_lists_that_it_can_be_in(here: Installation) -> None:
    there = here.framework("there")
    rule_id = here.bench.rule()
    paths = {name: path.format(here=here.bench.framework_id, there=there) for name, path in LISTS.items()}
    assert missed(here.one, paths) == set(LISTS), "nothing can be cached yet"
    assert missed(here.one, paths) == set()

    here.process(rule_id)
    assert missed(here.one, paths) == OF_A_WARNING | OF_COUNTS, "a first trigger"
    here.process(rule_id)
    assert missed(here.one, paths) == OF_A_WARNING, "a fold leaves the numbers as they are"
    (alert_id, _, _) = ids(here.one, "/alerts")[0]
    here.two.post(f"/alerts/{alert_id}/acknowledge")
    assert missed(here.one, paths) == OF_A_WARNING | OF_COUNTS | {"acknowledged"}, "an acknowledgement"
    here.process(rule_id)
    assert missed(here.one, paths) == {"all", "acknowledged", "warning", "here", "here, warning"}, "a fold after it"
    here.two.post(f"/alerts/{alert_id}/resolve")
    ended = {"all", "acknowledged", "resolved", "warning", "warning, resolved", "here", "here, warning",
             "here, resolved"}  # fmt: skip
    assert missed(here.one, paths) == ended | OF_COUNTS, "a resolve"
    here.process(here.bench.rule(severity="critical", name="worse"))
    critical = {"all", "firing", "critical", "critical, firing", "here", "here, critical"}
    assert missed(here.one, paths) == critical | OF_COUNTS, "a critical one"
    assert missed(here.one, paths) == set()


def test_lists_are_of_a_position_from_which_a_subscriber_misses_nothing(here: Installation) -> None:
    rule_id = here.bench.rule()
    path = "/alerts?severity=critical"
    before = here.one.get(path).json()
    for _ in range(3):
        here.process(rule_id)
    after = here.one.get(path).json()
    assert counted(here.one, "alerts", "hits") == 1
    ((epoch, stands),) = here.one.rows("SELECT epoch, next_offset - 1 FROM workspace_feed")
    assert (after["epoch"], after["offset"]) == (str(epoch), stands)
    assert before["offset"] < after["offset"]


def test_a_rule_is_listed_anew_after_any_change_of_the_configuration(here: Installation) -> None:
    framework_id = here.framework("market")
    assert here.two.get("/rules").json()["items"] == []
    made = here.one.rule(framework_id)
    assert [rule["id"] for rule in here.two.get("/rules").json()["items"]] == [made["id"]]
    assert here.two.get("/rules").json() == here.one.get("/rules").json()
    here.two.patch(f"/rules/{made['id']}", {"name": "slower"})
    assert here.one.get("/rules").json()["items"][0]["name"] == "slower"
    assert here.one.get("/rules").json()["items"][0] == here.one.get(f"/rules/{made['id']}").json()
    here.one.delete(f"/rules/{made['id']}")
    assert here.two.get("/rules").json()["items"] == []
    assert counted(here.two, "rules", "hits") >= 1


def test_patterns_are_listed_anew_once_somebody_decided_or_they_were_looked_for_again(here: Installation) -> None:
    rule = here.one.rule(here.framework("market"))
    hold = {"for_seconds": {"from": 0, "to": 120}}
    workspace_id = here.store.workspace_id
    first, second = (store_pattern(here.one.database, workspace_id, rule, hold) for _ in range(2))
    paths = {status: f"/analytics/patterns?status={status}" for status in ("open", "dismissed", "applied", "ended")}

    def listed() -> dict[str, set[str]]:
        told = [{name: gateway.get(path).json() for name, path in paths.items()} for gateway in here.gateways]
        assert told[0] == told[1], "every gateway answers the same"
        return {name: {one["id"] for one in page["items"]} for name, page in told[0].items()}

    assert listed() == {"open": {first, second}, "dismissed": set(), "applied": set(), "ended": set()}
    assert listed()["open"] == {first, second}
    assert counted(here.two, "patterns", "hits") == 8
    (item,) = here.one.get(f"/analytics/patterns?limit=1&rule_id={rule['id']}").json()["items"]
    assert item == here.one.get(f"/analytics/patterns/{item['id']}").json(), "cached or not, it looks the same"

    assert here.one.post(f"/analytics/patterns/{first}/dismiss").status_code == 200
    assert listed() == {"open": {second}, "dismissed": {first}, "applied": set(), "ended": set()}
    assert here.two.post(f"/analytics/patterns/{second}/apply").status_code == 200
    assert listed() == {"open": set(), "dismissed": {first}, "applied": {second}, "ended": set()}

    third = store_pattern(here.one.database, workspace_id, rule, hold)
    assert listed()["open"] == set(), "who stored it said nothing of it"
    PatternDetection(here.one.database, IDS)(Run(dt.datetime.now(dt.UTC)))  # finds nothing: what is open has ended
    for gateway in here.gateways:
        gateway.gateway.cache._positions.forget(workspace_id)  # as after a second
    assert listed() == {"open": set(), "dismissed": {first}, "applied": {second}, "ended": {third}}


def test_workspaces_read_their_own(here: Installation, elsewhere: uuid.UUID) -> None:
    here.process(here.bench.rule())
    assert len(ids(here.one, "/alerts")) == 1
    there = here.one.get("/alerts", token=token_of(elsewhere, "editor", "editor"))
    assert there.json()["items"] == []


class TestSummary:
    def test_figures_of_a_period_and_what_is_open(self, here: Installation) -> None:
        framework_id, other = here.framework("market"), here.framework("other")
        today = dt.datetime.now(dt.UTC).date()
        self._day(here, framework_id, today, alerts=3, acknowledged=1, acknowledge=(10.0, 12.0))
        self._day(here, framework_id, today - dt.timedelta(days=1), alerts=2, acknowledged=3, acknowledge=(20.0, 90.0))
        self._day(here, other, today - dt.timedelta(days=2), alerts=1)
        self._day(here, other, today - dt.timedelta(days=7), alerts=100)
        here.one.alert(framework_id, severity=Severity.CRITICAL)
        here.one.alert(other, status=Status.ACKNOWLEDGED)
        here.one.alert(other, status=Status.RESOLVED)

        found = here.one.get("/analytics/summary").json()
        assert (found["from"], found["to"]) == (str(today - dt.timedelta(days=6)), str(today))
        assert found["total"]["alerts"] == 6
        assert found["total"]["by_severity"] == {"info": 0, "warning": 6, "error": 0, "critical": 0}
        assert found["total"]["by_type"] == {"threshold": 6}
        assert found["total"]["acknowledge_seconds"] == {"mean": 17.5, "worst_day_p95": 90.0}
        assert found["total"]["resolve_seconds"] == {"mean": None, "worst_day_p95": None}
        assert [(one["framework_id"], one["alerts"]) for one in found["frameworks"]] == [(framework_id, 5), (other, 1)]
        assert found["open"] == {
            "total": 2,
            "by_status": {"firing": 1, "acknowledged": 1},
            "by_severity": {"info": 0, "warning": 1, "error": 0, "critical": 1},
        }
        assert found["computed_at"] is not None
        of_one = here.one.get(f"/analytics/summary?framework_id={framework_id}").json()
        assert (of_one["total"]["alerts"], of_one["open"]["total"]) == (5, 1)

    def test_figures_stay_until_they_are_computed_anew(self, here: Installation) -> None:
        framework_id = here.framework("market")
        today = dt.datetime.now(dt.UTC).date()
        assert here.one.get("/analytics/summary").json()["total"]["alerts"] == 0
        self._day(here, framework_id, today, alerts=3)
        assert here.one.get("/analytics/summary").json()["total"]["alerts"] == 0
        assert counted(here.one, "statistics", "hits") == 1
        with here.one.database.transaction(here.store.workspace_id) as connection:
            assert positions.raise_version(connection, here.store.workspace_id, "statistics") == 1
        here.one.gateway.cache._positions.forget(here.store.workspace_id)  # as after a second
        assert here.one.get("/analytics/summary").json()["total"]["alerts"] == 3

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("", 200),
            ("?from=2026-01-01&to=2026-12-31", 200),
            ("?to=2000-01-01", 200),
            ("?from=2025-01-01&to=2026-12-31", 422),
            ("?from=2026-01-02&to=2026-01-01", 422),
            ("?from=1999-01-01&to=1999-01-02", 422),
            ("?from=yesterday", 422),
            ("?from=0001-01-01", 422),
            ("?to=9999-12-31", 200),
            (f"?framework_id={uuid.UUID(int=1)}", 404),
            ("?framework_id=x", 422),
        ],
    )
    def test_periods(self, here: Installation, query: str, status: int) -> None:
        assert here.one.get(f"/analytics/summary{query}").status_code == status

    def _day(
        self,
        here: Installation,
        framework_id: str,
        day: dt.date,
        *,
        alerts: int,
        acknowledged: int = 0,
        acknowledge: tuple[float | None, float | None] = (None, None),
    ) -> None:
        with psycopg.connect(here.store.owner_url) as owner:
            owner.execute(
                "INSERT INTO alert_statistics (workspace_id, framework_id, day, alerts, occurrences, acknowledged, "
                "resolved, by_severity, by_type, acknowledge_seconds, resolve_seconds) "
                "VALUES (%s, %s, %s, %s, %s, %s, 0, %s, %s, %s, %s)",
                (
                    here.store.workspace_id,
                    framework_id,
                    day,
                    alerts,
                    alerts * 2,
                    acknowledged,
                    Jsonb({"warning": alerts}),
                    Jsonb({"threshold": alerts}),
                    Jsonb({"avg": acknowledge[0], "p50": acknowledge[0], "p95": acknowledge[1]}),
                    Jsonb({"avg": None, "p50": None, "p95": None}),
                ),
            )
