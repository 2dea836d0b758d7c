"""A small synchronous client of the REST API."""

from __future__ import annotations

import email.utils
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

from convex_alerts.errors import Invalid, Unreachable, from_status

MOST_PER_REQUEST = 5000
TRIES = 5
LONGEST_WAIT = 30.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Observation:
    """One value of one metric of a framework; `at` is the service's time of receipt when it is left out."""

    framework_id: str
    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None

    def body(self) -> Json:
        body: Json = {"framework_id": self.framework_id, "metric": self.metric, "value": self.value}
        if self.labels:
            body["labels"] = dict(self.labels)
        if self.at:
            body["at"] = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return body


class Client:
    """Speaks to one installation as one principal.

    What is refused for now (429, 5xx, no connection) is tried again up to `tries` times, at the time that `Retry-After`
    names or with growing pauses; each write carries one Idempotency-Key over all its tries, so that it takes effect
    once. `token` may be a function, asked before every request.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        *,
        tries: int = TRIES,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._token = token
        self._tries = tries
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=url.rstrip("/"), timeout=timeout, transport=transport, headers={"Accept": "application/json"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def items(self, collection: str, **filters: str) -> Iterator[Json]:
        """Every item of a list such as `frameworks`, page by page."""
        query = {"limit": "200", **filters}
        while True:
            page = self._request("GET", f"/api/v1/{collection}", params=query)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def get(self, path: str) -> Json:
        """One thing, such as `me` or `alerts/{id}`."""
        return self._request("GET", f"/api/v1/{path}")

    def create(self, collection: str, body: Json) -> Json:
        """Make one thing; what the service made of it."""
        return self._request("POST", f"/api/v1/{collection}", json=body)

    def ensure(self, collection: str, body: Json, **filters: str) -> Json:
        """The thing of this `name` in the list, made from `body` when there is none."""
        for item in self.items(collection, **filters):
            if item["name"] == body["name"]:
                return item
        return self.create(collection, body)

    def observe(self, observations: Sequence[Observation]) -> int:
        """Send observations, in as many requests as their number needs; how many were accepted."""
        accepted = 0
        for start in range(0, len(observations), MOST_PER_REQUEST):
            part = [observation.body() for observation in observations[start : start + MOST_PER_REQUEST]]
            accepted += int(self._request("POST", "/api/v1/observations", json=part)["accepted"])
        return accepted

    def _request(self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Json:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method != "GET" else {}
        failure: httpx.TransportError | None = None
        for attempt in range(1, self._tries + 1):
            token = self._token if isinstance(self._token, str) else self._token()
            try:
                answer = self._http.request(
                    method, path, params=params, json=json, headers={**headers, "Authorization": f"Bearer {token}"}
                )
            except httpx.TransportError as error:
                failure = error
                wait = _pause(attempt)
            else:
                if answer.is_success:
                    return _object(answer)
                wait = _retry_after(answer, attempt)
                if attempt == self._tries or not (answer.status_code == 429 or answer.status_code >= 500):
                    raise _problem(answer)
            if attempt < self._tries:
                self._sleep(wait)
        raise Unreachable(
            f"{self._http.base_url}: no answer after {self._tries} tries ({failure}); is it running there?"
        ) from failure


def _object(answer: httpx.Response) -> Json:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Invalid(answer.status_code, f"{answer.url}: the answer is not what Convex Alerts sends")
    return body


def _problem(answer: httpx.Response) -> Exception:
    """The error in a problem document, or in whatever a proxy answered instead."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    fields = [error["field"] for error in body.get("errors") or () if error.get("field")]
    return from_status(answer.status_code)(
        answer.status_code,
        str(body.get("title") or answer.reason_phrase),
        detail=str(body.get("detail") or ""),
        field=fields[0] if fields else None,
    )


def _retry_after(answer: httpx.Response, attempt: int) -> float:
    """Seconds to wait: what the service asks for, in seconds or as a date, at most half a minute."""
    said = answer.headers.get("Retry-After", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return _pause(attempt)
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _pause(attempt: int) -> float:
    return min(LONGEST_WAIT, 0.2 * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, no secret
