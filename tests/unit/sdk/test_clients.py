"""What both clients send, and what they make of answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import convex_alerts
from convex_alerts import Client, Trigger, calls
from convex_alerts.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Outdated,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from tests.support.service import Service
from tests.unit.sdk.test_machine import ALERT

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def page(*items: Any, cursor: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "next_cursor": cursor, "epoch": "e", "offset": 7})


CALLS: list[tuple[str, Callable[[Client], Any], str, str, Any]] = [
    ("a list", lambda c: list(c.alerts.list(status=["firing", "acknowledged"], since=NOW)),
     "GET", "/alerts?status=firing&status=acknowledged&since=2026-01-02T00%3A00%3A00.000Z&limit=200", None),
    ("a page", lambda c: c.alerts.page("x", limit=5, q="a b"), "GET", "/alerts?q=a+b&limit=5&cursor=x", None),
    ("a flag", lambda c: list(c.rules.list(enabled=False)), "GET", "/rules?enabled=false&limit=200", None),
    ("many at once", lambda c: c.alerts.acknowledge_all(["a"]),
     "POST", "/alerts/bulk", {"ids": ["a"], "action": "acknowledge"}),
    ("an id that is none", lambda c: c.send(calls.remove("rules", "a/../b")),
     "DELETE", "/rules/a%2F..%2Fb", None),
    ("a change", lambda c: c.send(calls.write(dict[str, Any], "PATCH", "rules", "a", body={"clear_value": None})),
     "PATCH", "/rules/a", {"clear_value": None}),
    ("a trigger", lambda c: c.triggers.send(Trigger("r", 5, occurred_at=NOW)),
     "POST", "/triggers", [{"alert_rule_id": "r", "current_value": 5, "occurred_at": "2026-01-02T00:00:00.000Z"}]),
    ("some of a quarantine", lambda c: c.queues.drop("alert", ["a"]),
     "POST", "/queues/alert/quarantine/drop", {"ids": ["a"]}),
    ("the oldest of it", lambda c: c.queues.replay("alert"), "POST", "/queues/alert/quarantine/replay", {}),
    ("a broadcast", lambda c: c.broadcasts.send([1], client_id="c"),
     "POST", "/broadcast", {"client_id": "c", "message": [1]}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "method", "address", "body"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS]
)
def test_requests(call: Callable[[Client], Any], method: str, address: str, body: Any) -> None:
    everything = {"items": [], "accepted": 1, "ids": [], "remaining": 0}
    service = Service(httpx.Response(200, json=everything))
    call(service.client())
    [request] = service.requests
    assert (request.method, str(request.url)) == (method, f"http://convex/api/v1{address}")
    assert (json.loads(request.content) if request.content else None) == body
    assert ("Idempotency-Key" in request.headers) is (method != "GET")


def test_answers_are_structs_that_tolerate_what_is_new() -> None:
    service = Service(page(ALERT, {**ALERT, "id": "b", "status": "snoozed"}, cursor="c"), page({**ALERT, "id": "c"}))
    alerts = list(service.client().alerts.list())
    assert [(alert.id, alert.status) for alert in alerts] == [("a", "firing"), ("b", "snoozed"), ("c", "firing")]
    assert alerts[0].triggered_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert "what a newer server tells" not in alerts[0].as_dict()
    with pytest.raises(AttributeError):
        alerts[0].status = "resolved"  # type: ignore[misc]  # frozen


def test_a_version_is_an_if_match() -> None:
    service = Service(httpx.Response(200, json=ALERT))
    service.client().alerts.resolve("a", "mended", version=3)
    assert service.requests[0].headers["If-Match"] == '"3"'
    assert json.loads(service.requests[0].content) == {"notes": "mended"}


ERRORS = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Outdated,
    413: TooLarge,
    422: Invalid,
    429: RateLimited,
    500: Unavailable,
    503: Unavailable,
}


@pytest.mark.parametrize("status", ERRORS)
def test_problems_are_errors(status: int) -> None:
    problem = {
        "type": "urn:convex-alerts:problem:conflict",
        "title": "No",
        "detail": "Because.",
        "errors": [{"field": "a.b", "message": "is wrong"}],
        "instance": "urn:convex-alerts:trace:1",
    }
    service = Service(httpx.Response(status, json=problem, headers={"Retry-After": "7"}))
    with pytest.raises(ERRORS[status]) as caught:
        service.client(tries=2).rules.get("r")
    error = caught.value
    assert type(error) is ERRORS[status]
    assert (error.status, error.kind, error.field, error.retry_after) == (status, "conflict", "a.b", 7)
    assert [(one.field, one.message) for one in error.errors] == [("a.b", "is wrong")]
    assert str(error).startswith(f"Because. ({status}) [urn:convex-alerts:trace:1]")
    assert service.pauses == ([7] if status in (429, 500, 503) else [])


def test_what_is_being_answered_already_is_asked_for_again() -> None:
    in_flight = httpx.Response(409, json={"type": "urn:convex-alerts:problem:in-flight"}, headers={"Retry-After": "1"})
    service = Service(in_flight, httpx.Response(200, json=ALERT))
    assert service.client().alerts.acknowledge("a").id == "a"
    assert service.pauses == [1]
    first, second = service.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_the_asynchronous_client_does_the_same() -> None:
    async def scenario() -> None:
        tokens = iter(["one", "two", "three", "four"])

        async def token() -> str:
            return next(tokens)

        service = Service(httpx.ConnectError("refused"), httpx.Response(503), page(ALERT, cursor="c"), page(ALERT))
        async with service.async_client(token) as client:
            assert [alert.id async for alert in client.alerts.list()] == ["a", "a"]
        assert len(service.pauses) == 2
        assert [request.headers["Authorization"] for request in service.requests] == [
            "Bearer one",
            "Bearer two",
            "Bearer three",
            "Bearer four",
        ]
        service = Service(httpx.Response(202, json={"accepted": 5000}), httpx.Response(202, json={"accepted": 1}))
        observation = convex_alerts.Observation("f", "m", 1)
        assert await service.async_client().observe([observation] * 5001) == 5001
        with pytest.raises(NotFound):
            await Service(httpx.Response(404)).async_client().rules.get("r")
        service = Service(httpx.ConnectError("refused"))
        with pytest.raises(Unreachable, match="after 2 tries"):
            await service.async_client(tries=2).alerts.get("a")

    asyncio.run(scenario())


def test_everything_that_is_exported_can_be_had() -> None:
    for name in convex_alerts.__all__:
        assert getattr(convex_alerts, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = convex_alerts.Nothing
