"""Statistics by REST: any zone's days, series, comparison, the hours of the week, and CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from convex_common.domain.durations import bucket_of
from tests.support.rest import Api

BERLIN = "tz=Europe/Berlin"
SPRING = "from=2026-03-28&to=2026-03-30"


def quarter(api: Api, framework_id: Any, at: str, **columns: Any) -> None:
    """Keep figures of a quarter of an hour."""
    values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
    names = ", ".join(["workspace_id", "framework_id", "at", *values])
    places = ", ".join(["%s"] * (3 + len(values)))
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            f"INSERT INTO alert_quarters ({names}) VALUES ({places})",
            (api.workspace_id, framework_id, dt.datetime.fromisoformat(at), *values.values()),
        )


@pytest.fixture
def shop(api: Api) -> Any:
    """Alerts around the night in which Berlin's clocks go forward: 2026-03-29 02:00 is 03:00."""
    shop = api.framework("=shop")
    quarter(api, shop, "2026-03-27T22:45:00Z", alerts=100)  # 23:45 on the 27th
    quarter(api, shop, "2026-03-28T22:45:00Z", alerts=1, by_severity={"critical": 1})  # 23:45 on the 28th
    quarter(api, shop, "2026-03-28T23:00:00Z", alerts=2, by_severity={"info": 2})  # 00:00 on the 29th
    quarter(api, shop, "2026-03-29T01:00:00Z", alerts=4, followed=4, answered=2, ended=4)  # 03:00
    quarter(api, shop, "2026-03-29T21:45:00Z", alerts=8)  # 23:45 on the 29th
    quarter(api, shop, "2026-03-29T22:00:00Z", alerts=16)  # 00:00 on the 30th
    return shop


def test_days_are_the_zones(api: Api, shop: Any) -> None:
    answer = api.get(f"/analytics/timeseries?{SPRING}&{BERLIN}").json()
    assert answer["series"] == [{"name": "alerts", "values": [1, 14, 16]}]
    assert answer["times"] == ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]
    assert (answer["unit"], answer["timezone"], answer["from"]) == ("count", "Europe/Berlin", "2026-03-28")
    hours = api.get(f"/analytics/timeseries?from=2026-03-29&to=2026-03-29&bucket=hour&{BERLIN}").json()
    assert len(hours["times"]) == 23
    assert hours["series"][0]["values"] == [2, 0, 4, *[0] * 19, 8]
    utc = api.get(f"/analytics/timeseries?{SPRING}").json()
    assert (utc["timezone"], utc["series"][0]["values"]) == ("UTC", [3, 28, 0])


def test_a_workspaces_own_zone_goes_without_saying(api: Api, shop: Any) -> None:
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute("UPDATE workspaces SET timezone = 'Europe/Berlin' WHERE id = %s", (api.workspace_id,))
    assert api.get(f"/analytics/timeseries?{SPRING}").json()["series"][0]["values"] == [1, 14, 16]


def test_statistics_of_a_period_and_the_one_before(api: Api, shop: Any) -> None:
    answer = api.get(f"/analytics/statistics?from=2026-03-29&to=2026-03-29&{BERLIN}").json()
    assert (answer["total"]["alerts"], answer["previous"]["alerts"]) == (14, 1)
    assert answer["total"]["rates"] == {
        "acknowledged": 0.5, "resolved": 1.0, "false_positive": None, "suppression_effectiveness": None,
    }  # fmt: skip
    assert answer["total"]["health"]["score"] == pytest.approx((15.62 + 25) / 50 * 100, abs=0.1)
    assert [one["framework_id"] for one in answer["frameworks"]] == [str(shop)]
    sunday = answer["by_hour"][6]
    assert (sunday[0], sunday[3], sunday[23], sum(map(sum, answer["by_hour"]))) == (2, 4, 8, 14)


def test_series_by_name_and_in_time(api: Api) -> None:
    shop, channel = api.framework(), uuid.uuid4()
    quick, slow = bucket_of(10.0), bucket_of(100.0)
    quarter(
        api, shop, "2026-03-10T10:00:00Z", acknowledged=3, acknowledged_total=120.0,
        acknowledged_in={str(quick): 2, str(slow): 1}, withheld={"duplicate": 5}, told_again=5,
        deliveries={f"{channel}/delivered": 7},
    )  # fmt: skip
    day = "from=2026-03-10&to=2026-03-11"

    def series(metric: str) -> dict[str, list[float | None]]:
        answer = api.get(f"/analytics/timeseries?{day}&metric={metric}")
        assert answer.status_code == 200, answer.text
        return {one["name"]: one["values"] for one in answer.json()["series"]}

    times = series("time_to_acknowledge")
    assert times["avg"] == [40.0, None]
    assert times["p50"][0] == pytest.approx(10, rel=0.01)
    assert times["p95"][0] == pytest.approx(100, rel=0.01)
    assert series("withheld") == {"duplicate": [5, 0]}
    assert series("suppression_effectiveness") == {"suppression_effectiveness": [0.5, None]}
    assert series("deliveries") == {f"{channel}/delivered": [7, 0]}
    assert series("alerts_by_severity")["critical"] == [0, 0]


def test_csv_opens_in_a_spreadsheet(api: Api, shop: Any) -> None:
    answer = api.get(f"/analytics/export?{SPRING}&{BERLIN}", role="viewer")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="statistics-2026-03-28-2026-03-30-day.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["from"], line["alerts"], line["alerts_critical"]) for line in lines] == [
        ("2026-03-28T00:00:00+01:00", "1", "1"),
        ("2026-03-29T00:00:00+01:00", "14", "0"),
        ("2026-03-30T00:00:00+02:00", "16", "0"),
    ]
    assert {line["framework"] for line in lines} == {"'=shop"}, "no spreadsheet takes a name for a formula"


def test_the_noisiest_rules_by_name(api: Api) -> None:
    shop, gone = api.framework(), uuid.uuid4()
    rule = api.post("/rules", {"framework_id": str(shop), "name": "Latency", "alert_type": "threshold", "metric": "m",
                               "condition": "above", "threshold_value": 1, "severity": "warning"}).json()  # fmt: skip
    quarter(api, shop, "2026-03-10T10:00:00Z", alerts=10, by_rule={rule["id"]: 7, str(gone): 3})
    answer = api.get("/analytics/statistics?from=2026-03-10&to=2026-03-10").json()
    assert [(one["rule_id"], one["rule_name"], one["alerts"], one["share"]) for one in answer["noisiest"]] == [
        (rule["id"], "Latency", 7, 0.7),
        (str(gone), "", 3, 0.3),
    ]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("statistics", 200),
        ("statistics?to=9999-12-31", 200),
        ("statistics?tz=Mars/Olympus", 422),
        ("statistics?from=2026-01-02&to=2026-01-01", 422),
        (f"statistics?framework_id={uuid.UUID(int=1)}", 404),
        ("timeseries?metric=bad", 422),
        ("timeseries?bucket=hour&from=2026-01-01&to=2026-06-01", 422),
        ("timeseries?bucket=month&from=2026-01-01&to=2026-12-31&tz=Asia/Kathmandu", 200),
        ("export?bucket=week", 200),
        (f"export?framework_id={uuid.UUID(int=1)}", 404),
    ],
)
def test_what_may_be_asked(api: Api, query: str, status: int) -> None:
    assert api.get(f"/analytics/{query}").status_code == status
