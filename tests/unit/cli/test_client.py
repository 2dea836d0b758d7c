from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from convex_alerts.client import LONGEST_WAIT, Observation
from convex_alerts.errors import ApiError, ConvexAlertsError, Invalid, NotFound, Unauthorized, Unavailable, Unreachable
from tests.support.service import Service


def test_lists_are_read_page_by_page() -> None:
    service = Service(
        httpx.Response(200, json={"items": [{"name": "a"}], "next_cursor": "c"}),
        httpx.Response(200, json={"items": [{"name": "b"}], "next_cursor": None}),
    )
    assert list(service.client().items("rules", framework_id="f")) == [{"name": "a"}, {"name": "b"}]
    assert [dict(request.url.params) for request in service.requests] == [
        {"limit": "200", "framework_id": "f"},
        {"limit": "200", "framework_id": "f", "cursor": "c"},
    ]
    assert service.requests[0].headers["Authorization"] == "Bearer t"


def test_ensure_makes_only_what_is_missing() -> None:
    listed = httpx.Response(200, json={"items": [{"name": "here", "id": "1"}], "next_cursor": None})
    assert Service(listed).client().ensure("frameworks", {"name": "here"})["id"] == "1"
    service = Service(listed, httpx.Response(201, json={"name": "new", "id": "2"}))
    assert service.client().ensure("frameworks", {"name": "new"})["id"] == "2"
    assert json.loads(service.requests[-1].content) == {"name": "new"}


def test_observations_are_split_by_what_a_request_may_hold() -> None:
    service = Service(httpx.Response(202, json={"accepted": 5000}), httpx.Response(202, json={"accepted": 1}))
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    observations = [Observation("f", "m", 1.5, {"a": "b"}, at)] * 5000 + [Observation("f", "m", 2)]
    assert service.client().observe(observations) == 5001
    first, second = (json.loads(request.content) for request in service.requests)
    assert len(first) == 5000
    assert first[0] == {
        "framework_id": "f",
        "metric": "m",
        "value": 1.5,
        "labels": {"a": "b"},
        "at": "2026-01-02T03:04:05.678Z",
    }
    assert second == [{"framework_id": "f", "metric": "m", "value": 2}]


@pytest.mark.parametrize(
    ("header", "pause"),
    [("3", 3.0), ("0", 0.0), ("-5", 0.0), ("9999", LONGEST_WAIT), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
def test_retry_after_is_honoured_within_bounds(header: str, pause: float) -> None:
    busy = httpx.Response(503, headers={"Retry-After": header})
    service = Service(busy, httpx.Response(202, json={"accepted": 1}))
    assert service.client().observe([Observation("f", "m", 1)]) == 1
    assert service.pauses == [pause]


def test_a_write_keeps_its_key_over_all_tries_and_another_write_has_another() -> None:
    service = Service(
        httpx.ReadTimeout("late"),
        httpx.Response(429),
        httpx.Response(201, json={}),
        httpx.Response(201, json={}),
    )
    client = service.client()
    client.create("rules", {})
    client.create("rules", {})
    keys = [request.headers["Idempotency-Key"] for request in service.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert len(service.pauses) == 2


def test_tries_are_bounded() -> None:
    service = Service(httpx.Response(503, json={"title": "Store unavailable"}))
    with pytest.raises(Unavailable, match="Store unavailable"):
        service.client(tries=3).create("rules", {})
    assert len(service.requests) == 3
    assert len(service.pauses) == 2
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(Unreachable, match="no answer after 3 tries"):
        service.client(tries=3).create("rules", {})
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (403, Unauthorized), (404, NotFound), (409, Invalid), (422, Invalid)]
)
def test_a_problem_becomes_an_error_with_field_and_cure_and_is_not_retried(status: int, kind: type[ApiError]) -> None:
    errors = [{"field": "[0].value", "message": "should be a number"}, {"field": "[1].metric", "message": "is missing"}]
    problem = {"title": "A field is wrong", "detail": "[0].value: should be a number", "errors": errors}
    service = Service(httpx.Response(status, json=problem))
    with pytest.raises(kind) as caught:
        service.client().observe([Observation("f", "m", 1)])
    assert (caught.value.field, caught.value.status, caught.value.title) == ("[0].value", status, "A field is wrong")
    assert str(caught.value).startswith(f"[0].value: should be a number ({status})")
    assert caught.value.cure is None or str(caught.value).endswith(caught.value.cure)
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(502, text="<html>"), httpx.Response(200, text="<html>"), httpx.Response(200, json=[1])],
    ids=["a proxy's error", "a page", "a list"],
)
def test_an_answer_of_something_else_is_an_error_too(answer: httpx.Response) -> None:
    with pytest.raises(ConvexAlertsError):
        Service(answer).client(tries=1).create("rules", {})


def test_the_token_may_be_renewed_between_requests() -> None:
    tokens = iter(["one", "two"])
    service = Service(httpx.Response(200, json={}))
    client = service.client(lambda: next(tokens))
    client.create("rules", {})
    client.create("rules", {})
    assert [request.headers["Authorization"] for request in service.requests] == ["Bearer one", "Bearer two"]


def test_times_are_sent_in_utc() -> None:
    from datetime import timezone

    at = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert Observation("f", "m", 1, at=at).body()["at"] == "2026-01-01T00:00:00.000Z"
