"""Small JSON documents of other services: issuers' keys, identity providers' descriptions."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Final

import httpx

LARGEST: Final = 256 * 1024
TIMEOUT: Final = 5.0

FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError, RecursionError)
"""What `get`, and reading the JSON that it got, may raise: the service is away, or answers something else."""


class Documents:
    """Gets them in time or not at all, sent on nowhere, and with no more bytes than such a document has."""

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """Made when it is first needed, which takes some milliseconds."""
        return httpx.AsyncClient(timeout=httpx.Timeout(TIMEOUT, connect=3.0), follow_redirects=False)

    async def get(self, url: str, token: str | None = None) -> bytes:
        """The document. One of FAILURES where there is none."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with asyncio.timeout(TIMEOUT), self.client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"the answer was {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("the answer is compressed, which was not asked for")
            document = b""
            async for piece in answer.aiter_raw():
                document += piece
                if len(document) > LARGEST:
                    raise ValueError(f"the answer has more than {LARGEST} bytes")
        return document

    async def aclose(self) -> None:
        """Hang up."""
        if "client" in self.__dict__:
            await self.client.aclose()
