"""The service as the Python SDK's clients meet it, without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import httpx

from convex_alerts.async_client import AsyncClient
from convex_alerts.client import Client

URL: Final = "http://convex/"


class Service:
    """Answers in turn, the last answer for ever, to both clients, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, token: str | Callable[[], str] = "t", **more: Any) -> Client:
        return Client(URL, token, transport=httpx.MockTransport(self), sleep=self.pauses.append, **more)

    def async_client(self, token: Any = "t", **more: Any) -> AsyncClient:
        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        return AsyncClient(URL, token, transport=httpx.MockTransport(self), sleep=sleep, **more)
