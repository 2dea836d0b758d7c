"""What nobody foresaw is answered 500 with an id to find it by; of what was sent nothing is told, nor logged."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from convex_common.logging import JsonFormatter
from convex_gateway.shield import Shield

KEY = "cvx_canary01_canaryOfAnApiKey0123456789"
JWT = "eyJjYW5hcnkiOiJqd3QifQ.eyJzdWIiOiJjYW5hcnkifQ.canaryOfASignature0123456789"
OPAQUE = "canaryOfAnOpaqueToken0123456789"
PASSWORD = "canaryOfAPassword0123456789"
CANARIES = (KEY, KEY.rpartition("_")[2], JWT, JWT.rpartition(".")[2], OPAQUE, PASSWORD)

REQUESTS = {
    "an API key": {"headers": {"Authorization": f"Bearer {KEY}"}},
    "a JWT": {"headers": {"Authorization": f"Bearer {JWT}"}},
    "an opaque token": {"headers": {"Authorization": f"Bearer {OPAQUE}"}},
    "in lower case": {"headers": {"Authorization": f"bearer {OPAQUE}"}},
    "a password": {"headers": {"Authorization": f"Basic {OPAQUE}"}},
    "a cookie": {"headers": {"Cookie": f"convex_session={OPAQUE}; other={OPAQUE}"}},
    "another's header": {"headers": {"X-Api-Key": OPAQUE, "X-CSRF-Token": OPAQUE}},
    "the query": {"params": {"token": OPAQUE, "access_token": JWT, "q": KEY, "code": OPAQUE}},
    "the body": {"content": json.dumps({"password": PASSWORD, "secret": OPAQUE, "token": JWT})},
    "a subprotocol": {"headers": {"Sec-WebSocket-Protocol": f"convex.v1, bearer.{JWT}"}},
}

TOLD = {
    "nothing": lambda request, body: RuntimeError("broken"),
    "the headers": lambda request, body: RuntimeError(f"cannot take {dict(request.headers)}"),
    "the raw headers": lambda request, body: RuntimeError(f"cannot take {request.headers.raw}"),
    "the address": lambda request, body: RuntimeError(f"cannot take {request.url}"),
    "the body": lambda request, body: RuntimeError(f"cannot take {body.decode()}"),
    "the parsed body": lambda request, body: RuntimeError(f"cannot take {json.loads(body or b'null')}"),
    "a store's address": lambda request, body: RuntimeError(f"no postgresql://convex:{PASSWORD}@db:5432/convex"),
}
"""What the exception has in it: as libraries' do, whose authors did not think of secrets."""


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a gateway's log would have of it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("gateway"))
    ours = logging.getLogger("convex_gateway")  # and not the test's own client
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    yield stream
    ours.removeHandler(handler)
    ours.setLevel(level)


def failing(told: str) -> ASGIApp:
    async def fail(request: Request) -> Response:
        error: Exception = TOLD[told](request, await request.body())
        raise error

    return Starlette(routes=[Route("/api/v1/rules", fail, methods=["POST"])], middleware=[Middleware(Shield)])


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("sent", REQUESTS)
def test_a_failure_tells_no_credential(told: str, sent: str, written: io.StringIO) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(failing(told), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post("/api/v1/rules", **REQUESTS[sent])  # type: ignore[arg-type]

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    problem = answer.json()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (line,) = [line for line in lines if line["msg"] == "request failed"]
    assert line["trace_id"] in problem["instance"], "what is told leads to the log"
    assert "RuntimeError" in line["exception"], "where the cause is"
    assert "RuntimeError" not in answer.text
    for canary in CANARIES:
        assert canary not in answer.text + str(answer.headers)
        assert canary not in written.getvalue()
