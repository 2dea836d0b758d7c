"""The asynchronous client of the REST API, and the live feed that goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from convex_alerts import calls, models
from convex_alerts.answers import may_pass, pause_after, problem_of, value_of
from convex_alerts.calls import Call, Listing
from convex_alerts.client import MOST_PER_REQUEST, TRIES, headers_of, unreachable
from convex_alerts.drafts import Observation
from convex_alerts.live.async_feed import AsyncFeed
from convex_alerts.live.items import Position, State
from convex_alerts.live.machine import Machine, Terms
from convex_alerts.resources import Resources

T = TypeVar("T")


class AsyncClient(Resources["AsyncClient"]):
    """As `Client`, for asyncio: the same methods, awaited. `token` may be a function, also an asynchronous one."""

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str] | Callable[[], Awaitable[str]],
        *,
        tries: int = TRIES,
        timeout: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(self)
        self._token = token
        self._tries = tries
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"), timeout=timeout, transport=transport, headers={"Accept": "application/json"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def me(self) -> models.Me:
        """Who the token is."""
        return await self.send(calls.get(models.Me, "me"))

    async def observe(self, observations: Sequence[Observation]) -> int:
        """Send observations, in as many requests as their number needs; how many were accepted."""
        accepted = 0
        for start in range(0, len(observations), MOST_PER_REQUEST):
            part = [observation.body() for observation in observations[start : start + MOST_PER_REQUEST]]
            accepted += (await self.send(calls.write(models.Accepted, "POST", "observations", body=part))).accepted
        return accepted

    async def each(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Every item of a list, page by page."""
        cursor = None
        while True:
            page = await self.send(listing.page(cursor))
            for item in page.items:
                yield item
            if not page.next_cursor:
                return
            cursor = page.next_cursor

    async def send(self, call: Call[T], *, tries: int | None = None) -> T:
        """Send a request, as often as it takes within bounds; what the answer says."""
        tries = tries or self._tries
        headers = headers_of(call)
        failure: httpx.TransportError | None = None
        for attempt in range(1, tries + 1):
            answer = None
            try:
                answer = await self._http.request(
                    call.method,
                    call.path,
                    params=call.query or None,
                    content=call.body,
                    headers={**headers, "Authorization": f"Bearer {await self.token()}"},
                )
            except httpx.TransportError as error:
                failure = error
            if answer is not None:
                if answer.is_success:
                    value: T = value_of(answer, call.read)
                    return value
                if attempt == tries or not may_pass(answer):
                    raise problem_of(answer)
            if attempt < tries:
                await self._sleep(pause_after(answer, attempt))
        raise unreachable(self.url, tries, failure) from failure

    def watch(
        self,
        framework_id: str | None = None,
        *,
        since: Position | None = None,
        terms: Terms | None = None,
        on_state: Callable[[State, str], None] | None = None,
    ) -> AsyncFeed:
        """Follow the workspace's alerts, or one framework's: each change once, in order, from `since` or from now on.

        It resumes by itself over cuts and restarts; `on_state` is told how the connection is, and why it was lost.
        """
        machine = Machine(framework_id, since, terms or Terms(), can_renew=not isinstance(self._token, str))
        return AsyncFeed(self, machine, on_state)

    @property
    def url(self) -> str:
        """Where the installation is."""
        return str(self._http.base_url).rstrip("/")

    async def token(self) -> str:
        """The token to use now."""
        if isinstance(self._token, str):
            return self._token
        asked = self._token()
        return asked if isinstance(asked, str) else await asked
