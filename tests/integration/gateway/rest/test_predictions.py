"""Predictions by REST: the newest ones, what became of earlier ones, and what models cost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from convex_common.ids import Ids
from tests.support.rest import Api

pytestmark = pytest.mark.timeout(120)
IDS = Ids()
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)


def insert(api: Api, table: str, **row: Any) -> None:
    row = {"workspace_id": api.store.workspace_id, **row}
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            list(row.values()),
        )


def foretold(api: Api, framework: str, made: dt.datetime, *probabilities: float, kind: str = "escalation") -> None:
    """A report with predictions for an hour and a day."""
    insert(
        api, "prediction_reports", framework_id=framework, made_at=made, evidence=Jsonb({"alerts": 7}),
        reasoning=Jsonb(["Seven alerts."]), actions=Jsonb([{"action": "Mend it.", "because": "It is broken."}]),
    )  # fmt: skip
    for seconds, probability in zip((3600, 86400), probabilities, strict=True):
        insert(
            api, "predictions", framework_id=framework, made_at=made, kind=kind, horizon_seconds=seconds,
            due_at=made + dt.timedelta(seconds=seconds), probability=probability, risk="low", reason="So it was.",
            expected_at=made + DAY,
        )  # fmt: skip


def test_before_anything_is_foretold(api: Api) -> None:
    assert api.get("/analytics/predictions").json() == {
        "made_at": None,
        "frameworks": [],
        "calibration": {
            "scored": 0, "accurate": 0, "brier": None, "base_rate_brier": None, "kinds": [], "bins": [],
        },
        "outcomes": [],
        "model": {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0},
    }  # fmt: skip


def test_the_newest_the_worst_first_and_how_good_earlier_ones_were(api: Api) -> None:
    calm, wild = api.framework("calm"), api.framework("wild")
    for made, of_calm, of_wild in ((NOW - 3 * DAY, (0.1, 0.3), (0.2, 0.8)), (NOW, (0.1, 0.2), (0.5, 0.9))):
        foretold(api, calm, made, *of_calm)
        foretold(api, wild, made, *of_wild)
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            "UPDATE predictions SET happened_at = made_at + interval '2 hours' WHERE framework_id = %s "
            "AND horizon_seconds = 86400", (wild,),
        )  # fmt: skip
        owner.execute(
            "UPDATE predictions SET scored_at = now(), brier = (probability - (happened_at IS NOT NULL)::int) ^ 2, "
            "was_accurate = (probability >= 0.5) = (happened_at IS NOT NULL) WHERE made_at < %s", (NOW,),
        )  # fmt: skip
    found = api.get("/analytics/predictions", role="viewer").json()
    assert dt.datetime.fromisoformat(found["made_at"]) == NOW
    assert [one["framework_name"] for one in found["frameworks"]] == ["wild", "calm"]
    worst = found["frameworks"][0]
    assert [one["probability"] for one in worst["predictions"]] == [0.5, 0.9]
    assert (worst["written_by"], worst["reasoning"]) == ("statistics", ["Seven alerts."])
    scores = found["calibration"]
    assert (scores["scored"], scores["accurate"]) == (4, 4)
    assert scores["brier"] == pytest.approx((0.1**2 + 0.3**2 + 0.2**2 + 0.2**2) / 4)
    assert scores["base_rate_brier"] == pytest.approx(0.25 * 0.75)
    assert [one["kind"] for one in scores["kinds"]] == ["escalation"]
    assert [(one["foretold"], one["came"], one["scored"]) for one in scores["bins"]] == [
        (pytest.approx(0.1), 0, 1), (pytest.approx(0.2), 0, 1), (pytest.approx(0.3), 0, 1), (pytest.approx(0.8), 1, 1),
    ]  # fmt: skip
    assert len(found["outcomes"]) == 4
    assert found["outcomes"][0]["framework_id"] in {calm, wild}

    of_calm = api.get(f"/analytics/predictions?framework_id={calm}&days=2").json()
    assert [one["framework_name"] for one in of_calm["frameworks"]] == ["calm"]
    assert (of_calm["calibration"]["scored"], of_calm["outcomes"]) == (0, []), "those are older"
    assert api.delete(f"/frameworks/{wild}").status_code == 204
    assert [one["framework_name"] for one in api.get("/analytics/predictions").json()["frameworks"]] == ["calm"]


def test_what_models_cost_this_month(api: Api) -> None:
    for at, cost in ((NOW, 1500), (NOW, 250), (NOW - 40 * DAY, 9_000_000)):
        insert(
            api, "model_calls", id=IDS.new(), at=at, purpose="predictions", model="m", outcome="answered",
            input_tokens=10, output_tokens=5, cost_micros=cost,
        )  # fmt: skip
    assert api.get("/analytics/predictions").json()["model"] == {
        "calls": 2, "input_tokens": 20, "output_tokens": 10, "cost_usd": 0.00175,
    }  # fmt: skip


def test_a_framework_that_is_not_there(api: Api) -> None:
    assert api.get(f"/analytics/predictions?framework_id={IDS.new()}").status_code == 404
    assert api.get("/analytics/predictions?days=0").status_code == 422
