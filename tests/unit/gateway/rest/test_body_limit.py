"""Bodies are measured as they arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from convex_gateway.body_limit import INGEST_LIMIT, LIMIT, BodyLimit, limit_of
from convex_gateway.problems import BodyTooLarge


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/rules", LIMIT),
        ("/api/v1/triggers", INGEST_LIMIT),
        ("/api/v1/observations", INGEST_LIMIT),
        ("/api/v1/ingest/alertmanager/api/v2/alerts", INGEST_LIMIT),
        ("/api/v1/ingester", LIMIT),
    ],
)
def test_limits_by_path(path: str, limit: int) -> None:
    assert limit_of(path) == limit


def _run(pieces: list[bytes], length: str | None = None) -> tuple[int, list[Message]]:
    """How many bytes the application read, and what was answered without it."""
    read, sent, waiting = 0, [], list(pieces)

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        nonlocal read
        while True:
            message = await receive()
            read += len(message["body"])
            if not message["more_body"]:
                return

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-length", length.encode())] if length else []
    scope: dict[str, Any] = {"type": "http", "path": "/api/v1/rules", "headers": headers, "method": "POST"}
    asyncio.run(BodyLimit(app)(scope, receive, send))
    return read, sent


def test_what_fits_passes() -> None:
    assert _run([b"x" * LIMIT]) == (LIMIT, [])
    assert _run([b"x"], "1") == (1, [])


def test_a_length_beyond_the_limit_is_refused_unread() -> None:
    read, sent = _run([b"x"], str(LIMIT + 1))
    assert (read, sent[0]["status"]) == (0, 413)


@pytest.mark.parametrize("length", [None, "10", "-1", "many"])
def test_pieces_are_counted_whatever_the_length_says(length: str | None) -> None:
    with pytest.raises(BodyTooLarge):
        _run([b"x" * (LIMIT // 2)] * 3, length)
