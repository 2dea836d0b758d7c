"""A browser as far as the gateway can tell: it keeps cookies, says where its page is from, and sends no token."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import httpx

Run = Callable[[Coroutine[Any, Any, httpx.Response]], httpx.Response]


class Browser:
    """One page of `origin`, which is the gateway's own unless a test says otherwise."""

    def __init__(self, run: Run, transport: httpx.AsyncBaseTransport | None, base_url: str = "http://gateway") -> None:
        self.client = httpx.AsyncClient(transport=transport, base_url=base_url, follow_redirects=False)
        self.origin: str | None = base_url
        self.csrf: str | None = None
        self._run = run

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """As `fetch` would send it; `headers` win."""
        sent = {}
        if method not in ("GET", "HEAD"):
            sent = {"Origin": self.origin, "X-CSRF-Token": self.csrf}
        given = {name: value for name, value in sent.items() if value is not None} | (headers or {})
        return self._run(self.client.request(method, path, headers=given, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.call("POST", path, json=json, **more)

    def sign_in(self, token: str) -> httpx.Response:
        """By a token, as the page does; it keeps the CSRF token that it is told."""
        answer = self.post("/auth/session", {"token": token})
        self.keep(answer)
        return answer

    def keep(self, answer: httpx.Response) -> None:
        if answer.status_code == 200 and answer.json()["session"]:
            self.csrf = answer.json()["session"]["csrf_token"]

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self.client.cookies)
