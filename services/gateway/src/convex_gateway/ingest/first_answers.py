"""Posts with an Idempotency-Key: their answer is stored by the statement that writes their events."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from convex_common.errors import ConvexError, InFlight
from convex_common.postgres import idempotency
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.secretbox import SecretBox
from convex_gateway.idempotency import Once, may_be_kept, replayed, sealed
from convex_gateway.ingest.connection import AnsweredBefore
from convex_gateway.problems import answer_to

Answer = Callable[[Sequence[uuid.UUID]], Response]


class FirstAnswer:
    """What a request with a key is answered, as the writer stores it."""

    def __init__(self, once: Once, box: SecretBox) -> None:
        self.scope = once.scope
        self.request = once.request
        self.stored = False
        self._box = box
        self._answer: Answer | None = None

    def is_made_by(self, answer: Answer) -> FirstAnswer:
        """Told by who knows what the ids are to be answered with."""
        self._answer = answer
        return self

    def sealed(self, ids: Sequence[uuid.UUID]) -> bytes:
        assert self._answer is not None
        return sealed(self._answer(ids), self._box)


class FirstAnswers:
    """Tries the work first and looks for an earlier answer only if that fails, so that a new request asks nothing more.

    Of two gateways with the same key at the same time one writes, and both give its answer.
    """

    def __init__(self, database: AsyncDatabase, box: SecretBox) -> None:
        self._database = database
        self._box = box
        self._under_way: set[bytes] = set()

    async def answer(
        self, request: Request, once: Once, work: Callable[[FirstAnswer], Awaitable[Response]]
    ) -> Response:
        """The first answer to this request: this one's, or an earlier one's. InFlight, and what the work raises."""
        if once.scope in self._under_way:
            raise InFlight
        self._under_way.add(once.scope)
        try:
            first = FirstAnswer(once, self._box)
            try:
                answer = await work(first)
            except AnsweredBefore:
                return await self._earlier(once)
            except (ConvexError, HTTPException) as error:
                answer = await answer_to(request, error)
            if first.stored or not may_be_kept(answer):
                return answer
            return await self._kept(once, answer)
        finally:
            self._under_way.discard(once.scope)

    async def _kept(self, once: Once, answer: Response) -> Response:
        """An answer that came without events to write, such as a refusal: stored by itself."""
        async with self._database.transaction(once.workspace_id) as connection:
            stored = await idempotency.keep(
                connection, once.workspace_id, once.scope, once.request, sealed(answer, self._box)
            )
        return answer if stored else await self._earlier(once)

    async def _earlier(self, once: Once) -> Response:
        async with self._database.transaction(once.workspace_id) as connection:
            found = await idempotency.find(connection, once.workspace_id, once.scope)
        if found is None:  # it was a day old, and is gone in this very moment
            raise InFlight
        return replayed(once, found, self._box)
