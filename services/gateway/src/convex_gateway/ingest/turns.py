"""Rows that wait for their commit: a queue for each workspace, from which batches take in turn."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, Protocol

from convex_common.errors import StoreUnavailable
from convex_gateway.ingest.connection import InboxRow

TURN_ROWS: Final = 500
"""Rows that a workspace may put into a batch before the next one has its turn."""


class Kept(Protocol):
    """An answer that is stored with its request's rows, once their ids are known."""

    scope: bytes
    request: bytes
    stored: bool

    def sealed(self, ids: Sequence[uuid.UUID]) -> bytes: ...


class Submission:
    """One caller's rows, the answer to keep with them, and the promise of their ids."""

    __slots__ = ("answer", "ids", "rows", "size", "workspace_id")

    def __init__(self, workspace_id: uuid.UUID, rows: Sequence[InboxRow], answer: Kept | None = None) -> None:
        self.workspace_id = workspace_id
        self.rows = rows
        self.answer = answer
        self.size = sum(len(row.payload) for row in rows)
        self.ids: asyncio.Future[list[uuid.UUID]] = asyncio.get_running_loop().create_future()

    def committed(self, ids: list[uuid.UUID]) -> None:
        if self.answer is not None:
            self.answer.stored = True
        if not self.ids.done():
            self.ids.set_result(ids)

    def failed(self, error: Exception) -> None:
        """Each waiter gets an error of its own, since a raised one carries its traceback."""
        if self.ids.done():
            return
        if isinstance(error, StoreUnavailable):
            error = StoreUnavailable(error.message, error.retry_after)
        self.ids.set_exception(error)


class Queue:
    """One workspace's submissions, in the order of their coming."""

    __slots__ = ("rows", "size", "submissions")

    def __init__(self) -> None:
        self.submissions: deque[Submission] = deque()
        self.rows = 0
        self.size = 0


class Turns:
    """Whoever sends much waits behind itself: a workspace's next rows come after everybody else's turn."""

    def __init__(self) -> None:
        self._queues: OrderedDict[uuid.UUID, Queue] = OrderedDict()
        self.rows = 0
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._queues)

    def of(self, workspace_id: uuid.UUID) -> Queue:
        """A workspace's queue; an empty one that is not kept where it has none."""
        return self._queues.get(workspace_id) or Queue()

    def add(self, submission: Submission) -> None:
        """Last in its workspace."""
        self._counted(submission).submissions.append(submission)

    def put_back(self, submissions: Sequence[Submission]) -> None:
        """First in their workspaces again, in their order."""
        for submission in reversed(submissions):
            self._counted(submission).submissions.appendleft(submission)

    def take(self, rows: int, size: int) -> list[Submission]:
        """A batch of about so many rows and bytes, in turns of 500 rows a workspace; the next one goes on there."""
        batch: list[Submission] = []
        while self._queues and rows > 0 and size > 0:
            workspace_id, queue = next(iter(self._queues.items()))
            turn = TURN_ROWS
            while queue.submissions and turn > 0 and rows > 0 and size > 0:
                submission = queue.submissions.popleft()
                batch.append(submission)
                taken = len(submission.rows)
                turn, rows, size = turn - taken, rows - taken, size - submission.size
                queue.rows -= taken
                queue.size -= submission.size
                self.rows -= taken
                self.size -= submission.size
            if queue.submissions:
                self._queues.move_to_end(workspace_id)
            else:
                del self._queues[workspace_id]
        return batch

    def drain(self) -> list[Submission]:
        """All of them, and none wait any more."""
        waiting = [submission for queue in self._queues.values() for submission in queue.submissions]
        self._queues.clear()
        self.rows = self.size = 0
        return waiting

    @property
    def is_shared(self) -> bool:
        """Whether more than one workspace waits."""
        return len(self._queues) > 1

    def _counted(self, submission: Submission) -> Queue:
        queue = self._queues.setdefault(submission.workspace_id, Queue())
        for counter in (queue, self):
            counter.rows += len(submission.rows)
            counter.size += submission.size
        return queue
