"""Whether a store or a service answers, asked by its URL."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

TIMEOUT = 2.0


async def healthy(url: str) -> bool:
    """Ask an `http://…/readyz`, a `redis://…` or a `postgresql://…`; anything but a good answer within 2 s is no."""
    try:
        async with asyncio.timeout(TIMEOUT):
            if url.startswith("http://"):
                return await _http(url)
            if url.startswith("redis://"):
                return await _redis(url)
            if url.startswith(("rediss://", "unix://")):
                return await _redis_client(url)
            return await _postgres(url)
    except Exception:  # refused, reset, malformed, too late: each means that it does not answer
        return False


async def _http(url: str) -> bool:
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    answer = await _ask(parts.hostname or "", parts.port or 80, request.encode(), lines=1)
    return answer[0].split(b" ")[1:2] == [b"200"]


async def _redis(url: str) -> bool:
    parts = urlsplit(url)
    words = [b"PING"]
    request = _command(*words)
    if parts.password:
        user = [unquote(parts.username).encode()] if parts.username else []
        request = _command(b"AUTH", *user, unquote(parts.password).encode()) + request
    answer = await _ask(parts.hostname or "", parts.port or 6379, request, lines=2 if parts.password else 1)
    return answer[-1].startswith(b"+PONG")


async def _redis_client(url: str) -> bool:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        return bool(await client.ping())


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


async def _ask(host: str, port: int, request: bytes, lines: int) -> list[bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return [await reader.readline() for _ in range(lines)]
    finally:
        writer.close()


async def _postgres(url: str) -> bool:
    import psycopg

    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=2)
    async with connection:
        await connection.execute("SELECT 1")
    return True
