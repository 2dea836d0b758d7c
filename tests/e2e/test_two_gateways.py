"""Two gateway processes on the same stores are one: what happens at one is seen at the other."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from statistics import median
from typing import Any

import httpx
import pytest

from convex_dev.stack import Stack
from tests.support.gateways import GatewayProcess, gateway_beside, live_url
from tests.support.installation import Workspace
from tests.support.live import Watcher, watcher

AT_ONCE = 0.25
"""Seconds, at the median: milliseconds on an idle machine, and far less than any poll."""


@pytest.fixture
def second(stack: Stack) -> Iterator[GatewayProcess]:
    with gateway_beside(stack) as gateway:
        yield gateway


def test_what_people_do_at_one_is_seen_at_the_other(workspace: Workspace, second: GatewayProcess) -> None:
    framework_id = workspace.framework()
    rule_id = workspace.rule(framework_id)
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "inbox", "config": {}}, 201)

    async def scenario() -> None:
        async with (
            watcher(live_url(workspace.stack.url), workspace.token) as here,
            watcher(second.live_url, workspace.token) as there,
        ):
            await here.subscribe()
            await there.subscribe(uuid.UUID(framework_id))
            waits: list[float] = []
            for number in range(5):
                trigger = {"alert_rule_id": rule_id, "current_value": 200, "labels": {"n": str(number)}}
                await _post(second.url, workspace, "/triggers", trigger)
                for client in (here, there):
                    await client.until(partial(_has, "created", number + 1))
                alert_id = here.of("alert")[-1]["data"]["id"]
                for action, by, seen_by, event in (
                    ("acknowledge", second.url, here, "acknowledged"),
                    ("resolve", workspace.stack.url, there, "resolved"),
                ):
                    began = time.monotonic()
                    answer = await _post(
                        by, workspace, f"/alerts/{alert_id}/{action}", {} if action == "resolve" else None
                    )
                    frames = await seen_by.until(partial(_has, event, number + 1))
                    waits.append(time.monotonic() - began)
                    assert frames[-1]["data"] == answer
            assert median(waits) < AT_ONCE, waits
            for client in (here, there):
                fired = await client.until(lambda w: [f for f in w.of("notification") if f["data"]["cause"] == "fired"])
                assert fired[0]["data"]["title"]

    asyncio.run(scenario())


def test_a_message_reaches_its_audience_at_both(workspace: Workspace, second: GatewayProcess) -> None:
    shop, bank = workspace.framework("shop"), workspace.framework("bank")

    async def scenario() -> None:
        async with (
            watcher(live_url(workspace.stack.url), workspace.token) as here,
            watcher(second.live_url, workspace.token) as there,
        ):
            await here.subscribe(uuid.UUID(shop))
            await there.subscribe(uuid.UUID(bank))
            client_id = (await there.first("auth_success"))["client_id"]
            for body in (
                {"framework_id": shop, "message": "the shop"},
                {"framework_id": bank, "message": "the bank"},
                {"client_id": client_id, "message": {"to": "one"}},
                {"message": ["everybody"]},
            ):
                await _post(workspace.stack.url, workspace, "/broadcast", body)
            for client, messages in (
                (here, ["the shop", ["everybody"]]),
                (there, ["the bank", {"to": "one"}, ["everybody"]]),
            ):
                await client.until(lambda w: w.of("message") and w.of("message")[-1]["data"] == ["everybody"])
                assert [frame["data"] for frame in client.of("message")] == messages

    asyncio.run(scenario())


def test_who_leaves_a_stopping_gateway_resumes_at_the_other(workspace: Workspace, second: GatewayProcess) -> None:
    rule_id = workspace.rule(workspace.framework())

    async def scenario() -> None:
        async with AsyncExitStack() as clients:
            leaving = [await clients.enter_async_context(watcher(second.live_url, workspace.token)) for _ in range(10)]
            for client in leaving:
                await client.subscribe()
            await _post(second.url, workspace, "/triggers", {"alert_rule_id": rule_id, "current_value": 200})
            for client in leaving:
                await client.has([1])
            stopping = asyncio.create_task(asyncio.to_thread(second.terminate))
            assert {await client.closed() for client in leaving} == {1012}
            assert await stopping == 0, second.log
            epoch = leaving[0].of("subscribed")[0]["epoch"]
            await _post(workspace.stack.url, workspace, "/triggers", {"alert_rule_id": rule_id, "current_value": 300})
            async with watcher(live_url(workspace.stack.url), workspace.token) as back:
                await back.subscribe(since=(epoch, 1))
                await back.has([2])

    asyncio.run(scenario())


async def _post(url: str, workspace: Workspace, path: str, body: Any) -> Any:
    headers = {"Authorization": f"Bearer {workspace.token}"}
    answer = await asyncio.to_thread(httpx.post, f"{url}/api/v1{path}", json=body, headers=headers, timeout=10.0)
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json()


def _has(event: str, count: int, client: Watcher) -> list[dict[str, Any]]:
    frames = [frame for frame in client.of("alert") if frame["event"] == event]
    return frames if len(frames) >= count else []
