"""The gateway as a process: it starts without stores, says so, refuses politely, and ends cleanly."""

from __future__ import annotations

import json
import re
import socket
import uuid
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from convex_common.postgres.bootstrap import ensure_member
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, alone, gateway_process, started
from tests.support.postgres import Store
from tests.support.rest import token_of

pytestmark = pytest.mark.timeout(120)

NOWHERE = "postgresql://convex@127.0.0.1:1/none"


@pytest.fixture
def lonely() -> Iterator[GatewayProcess]:
    """Without any store."""
    with started(alone(NOWHERE)) as process:
        yield process


def test_without_stores_it_is_ready_and_answers_503(lonely: GatewayProcess) -> None:
    eventually(lonely.ready, within=30)
    answer = lonely.get("/api/v1/frameworks", token_of(uuid.uuid4(), "owner", "owner"))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert lonely.get("/api/v1/frameworks").status_code == 401
    assert lonely.get("/metrics", port=lonely.metrics_port).status_code == 200
    assert lonely.get("/readyz", port=lonely.metrics_port).status_code == 200
    assert lonely.get("/metrics").status_code == 404, "figures are not for whoever reaches the API"
    assert lonely.terminate() == 0, lonely.log
    lines = [json.loads(line) for line in lonely.log.splitlines()]
    assert all(line["service"] == "gateway" for line in lines)
    assert not any("exception" in line for line in lines), lonely.log


def test_an_idle_gateway_tells_which_stores_it_lacks(lonely: GatewayProcess) -> None:
    eventually(lonely.ready, within=30)

    def missing() -> bool:
        lines = lonely.get("/metrics", port=lonely.metrics_port).text.splitlines()
        return all(f'store_up{{store="{store}"}} 0.0' in lines for store in ("postgres", "redis", "cache"))

    eventually(missing, within=30, what="every store told as away, though nobody called")
    assert (
        'http_request_seconds_count{route="api",status="5xx"} 0.0'
        in lonely.get("/metrics", port=lonely.metrics_port).text.splitlines()
    )
    lonely.get("/api/v1/frameworks", token_of(uuid.uuid4(), "owner", "owner"))
    assert (
        'http_request_seconds_count{route="api",status="5xx"} 1.0'
        in lonely.get("/metrics", port=lonely.metrics_port).text.splitlines()
    )


def test_a_body_beyond_the_limit_is_refused_while_it_arrives(lonely: GatewayProcess) -> None:
    eventually(lonely.ready, within=30)
    for content in (b"x" * (3 << 20), iter([b"x" * (1 << 20)] * 3)):
        headers = {"Authorization": f"Bearer {token_of(uuid.uuid4(), 'owner', 'owner')}"}
        answer = httpx.post(f"{lonely.url}/api/v1/frameworks", content=content, headers=headers, timeout=20)
        expected = 413 if isinstance(content, bytes) else 503
        assert answer.status_code == expected, "a length tells at once; pieces are counted once somebody is let in"


def test_it_serves_and_ends_cleanly(store: Store) -> None:
    ensure_member(store.owner_url, store.workspace_id, "ada", "editor")
    with gateway_process(store.url) as process:
        me = process.get("/api/v1/me", token_of(store.workspace_id, "ada", "editor"))
        assert (me.status_code, me.json()["user_id"]) == (200, "ada")
        document = process.get("/openapi.json").json()
        assert {"/api/v1/rules", "/api/v1/triggers", "/healthz"} <= document["paths"].keys()
        names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
        assert len(names) == len(set(names))
        references = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(document)))
        assert all(name in document["components"][kind] for kind, name in references)
        assert process.terminate() == 0, process.log


def test_its_log_has_no_queries_of_sockets(lonely: GatewayProcess) -> None:
    eventually(lonely.ready, within=30)
    with connect(f"{lonely.live_url}?token=hunter2", open_timeout=20) as socket_:
        with pytest.raises(ConnectionClosed) as closed:
            list(socket_)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    lonely.terminate()
    assert "serving" in lonely.log
    assert "hunter2" not in lonely.log


def test_a_port_that_is_taken_is_told(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(alone(store.url, GATEWAY_PORT=port)) as process:
            assert process.ended() > 0
            assert "address already in use" in process.log


@pytest.mark.parametrize(("name", "value"), [("JWT_SECRET", "short"), ("ENCRYPTION_KEYS", "x"), ("GATEWAY_PORT", "x")])
def test_a_wrong_setting_ends_it_with_one_line(name: str, value: str) -> None:
    with started(alone(NOWHERE, **{name: value})) as process:
        assert process.ended() == 2
        (line,) = process.log.splitlines()
        assert line.startswith(f"{name}: ")
