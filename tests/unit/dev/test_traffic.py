"""The demo's sender against a gateway in memory."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from convex_alerts.client import Client
from convex_dev.demo import scenario
from convex_dev.demo.traffic import Traffic


class Gateway:
    """Lists by collection; answers with `status` instead while that is set."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {"frameworks": [], "rules": [], "channels": []}
        self.observations: list[dict[str, Any]] = []
        self.status: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status:
            return httpx.Response(self.status, headers={"Retry-After": "0"})
        collection = request.url.path.rsplit("/", 1)[1]
        if request.method == "GET":
            wanted = request.url.params.get("framework_id")
            items = [item for item in self.lists[collection] if wanted in (None, item.get("framework_id"))]
            return httpx.Response(200, json={"items": items, "next_cursor": None})
        body = json.loads(request.content)
        if collection == "observations":
            known = {framework["id"] for framework in self.lists["frameworks"]}
            if any(observation["framework_id"] not in known for observation in body):
                return httpx.Response(422, json={"title": "Invalid"})
            self.observations += body
            return httpx.Response(202, json={"accepted": len(body)})
        made = {**body, "id": f"{collection}-{len(self.lists[collection])}"}
        self.lists[collection].append(made)
        return httpx.Response(201, json=made)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def traffic(gateway: Gateway, now: list[float] | None = None) -> Traffic:
    client = Client("http://convex", "t", tries=2, transport=httpx.MockTransport(gateway), sleep=lambda _: None)
    times = now if now is not None else [0.0]
    return Traffic(client, clock=lambda: times[0])


def test_the_scene_is_set_once_however_often_the_demo_starts(gateway: Gateway) -> None:
    for _ in range(2):
        demo = traffic(gateway)
        assert demo.tick()
        assert demo.tick()
    assert [framework["name"] for framework in gateway.lists["frameworks"]] == [
        body["name"] for body in scenario.FRAMEWORKS
    ]
    assert len(gateway.lists["rules"]) == len(scenario.RULES)
    assert len(gateway.lists["channels"]) == 1
    assert len(gateway.observations) == 4 * len(scenario.SERIES)


def test_each_second_has_its_own_values(gateway: Gateway) -> None:
    now = [100.0]
    demo = traffic(gateway, now)
    demo.tick()
    now[0] = 101.0
    demo.tick()
    first, second = gateway.observations[: len(scenario.SERIES)], gateway.observations[len(scenario.SERIES) :]
    assert [o["metric"] for o in first] == [o["metric"] for o in second]
    assert [o["value"] for o in first] != [o["value"] for o in second]


@pytest.mark.parametrize("status", [503, 429, 500, 401])
def test_what_fails_heals(gateway: Gateway, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    demo = traffic(gateway)
    gateway.status = status
    assert not demo.tick()
    gateway.status = None
    assert demo.tick()
    gateway.status = status
    assert not demo.tick()
    gateway.status = None
    assert demo.tick()
    assert f"({status})" in capsys.readouterr().err


def test_a_deleted_framework_is_made_again(gateway: Gateway) -> None:
    demo = traffic(gateway)
    assert demo.tick()
    gateway.lists["frameworks"].clear()
    gateway.lists["frameworks"].append({"name": "another", "id": "x"})
    assert not demo.tick()
    assert demo.tick()
    assert len(gateway.lists["frameworks"]) == 1 + len(scenario.FRAMEWORKS)
