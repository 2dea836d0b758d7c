"""The synchronous client of the REST API, and the live feed that goes with it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import httpx

from convex_alerts import calls, models
from convex_alerts.answers import LONGEST_WAIT, may_pass, pause_after, problem_of, value_of
from convex_alerts.calls import Call, Listing
from convex_alerts.drafts import Observation, Trigger
from convex_alerts.errors import Unreachable
from convex_alerts.live.feed import Feed
from convex_alerts.live.items import Position, State
from convex_alerts.live.machine import Machine, Terms
from convex_alerts.resources import Resources

__all__ = ["LONGEST_WAIT", "MOST_PER_REQUEST", "Client", "Observation", "Trigger"]

MOST_PER_REQUEST = 5000
TRIES = 5
Json: TypeAlias = dict[str, Any]
T = TypeVar("T")


class Client(Resources["Client"]):
    """Speaks to one installation as one principal.

    What is refused for now (429, 5xx, no connection) is tried again up to `tries` times, at the time that `Retry-After`
    names or with growing pauses; each write carries one Idempotency-Key over all its tries, so that it takes effect
    once. `token` may be a function, asked before every request. A client may be shared between threads.
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
        super().__init__(self)
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
        """Close its connections."""
        self._http.close()

    def me(self) -> models.Me:
        """Who the token is."""
        return self.send(calls.get(models.Me, "me"))

    def observe(self, observations: Sequence[Observation]) -> int:
        """Send observations, in as many requests as their number needs; how many were accepted."""
        accepted = 0
        for start in range(0, len(observations), MOST_PER_REQUEST):
            part = [observation.body() for observation in observations[start : start + MOST_PER_REQUEST]]
            accepted += self.send(calls.write(models.Accepted, "POST", "observations", body=part)).accepted
        return accepted

    def items(self, collection: str, **filters: calls.Filter) -> Iterator[Json]:
        """Every item of a list such as `frameworks`, as plain JSON."""
        return self.each(calls.listing(dict[str, Any], *collection.split("/"), query=calls.asked(**filters)))

    def get(self, path: str, **query: calls.Filter) -> Json:
        """One thing, such as `me` or `alerts/{id}`, as plain JSON."""
        return self.send(calls.get(dict[str, Any], *path.split("/"), query=calls.asked(**query)))

    def create(self, collection: str, body: object) -> Json:
        """Make one thing, or do `alerts/{id}/acknowledge`, with plain JSON; what the service made of it."""
        return self.send(calls.write(dict[str, Any], "POST", *collection.split("/"), body=body))

    def change(self, path: str, body: object) -> Json:
        """Change one thing; what it is then."""
        return self.send(calls.write(dict[str, Any], "PATCH", *path.split("/"), body=body))

    def delete(self, path: str) -> None:
        """Delete one thing."""
        self.send(calls.remove(*path.split("/")))

    def ensure(self, collection: str, body: Mapping[str, Any], **filters: calls.Filter) -> Json:
        """The thing of this `name` in the list, made from `body` when there is none."""
        for item in self.items(collection, **filters):
            if item["name"] == body["name"]:
                return item
        return self.create(collection, body)

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Every item of a list, page by page."""
        cursor = None
        while True:
            page = self.send(listing.page(cursor))
            yield from page.items
            if not page.next_cursor:
                return
            cursor = page.next_cursor

    def send(self, call: Call[T], *, tries: int | None = None) -> T:
        """Send a request, as often as it takes within bounds; what the answer says."""
        tries = tries or self._tries
        headers = headers_of(call)
        failure: httpx.TransportError | None = None
        for attempt in range(1, tries + 1):
            answer = None
            try:
                answer = self._http.request(
                    call.method,
                    call.path,
                    params=call.query or None,
                    content=call.body,
                    headers={**headers, "Authorization": f"Bearer {self.token()}"},
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
                self._sleep(pause_after(answer, attempt))
        raise unreachable(self.url, tries, failure) from failure

    def watch(
        self,
        framework_id: str | None = None,
        *,
        since: Position | None = None,
        terms: Terms | None = None,
        on_state: Callable[[State, str], None] | None = None,
    ) -> Feed:
        """Follow the workspace's alerts, or one framework's: each change once, in order, from `since` or from now on.

        It resumes by itself over cuts and restarts; `on_state` is told how the connection is, and why it was lost.
        """
        machine = Machine(framework_id, since, terms or Terms(), can_renew=not isinstance(self._token, str))
        return Feed(self, machine, on_state)

    @property
    def url(self) -> str:
        """Where the installation is."""
        return str(self._http.base_url).rstrip("/")

    def token(self) -> str:
        """The token to use now."""
        return self._token if isinstance(self._token, str) else self._token()


def headers_of(call: Call[Any]) -> dict[str, str]:
    """The headers that stay the same over all its tries."""
    headers: dict[str, str] = {}
    if call.writes:
        headers["Idempotency-Key"] = call.idempotency_key or str(uuid.uuid4())
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if call.if_match is not None:
        headers["If-Match"] = f'"{call.if_match}"'
    return headers


def unreachable(url: str, tries: int, failure: Exception | None) -> Unreachable:
    """No answer at all."""
    return Unreachable(f"{url}: no answer after {tries} tries ({failure}); is it running there?")
