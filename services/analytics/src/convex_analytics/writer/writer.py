"""Has a model write the words of the reports of a run, within its budget; those of the statistics stay otherwise."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from psycopg.types.json import Jsonb

from convex_analytics.writer import ledger
from convex_analytics.writer.answer import Unusable, Words, check
from convex_analytics.writer.api import Anthropic, NotAnswered, Price, Said
from convex_analytics.writer.question import SYSTEM, bounded, name, question
from convex_common.ids import Ids
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Lease

log = logging.getLogger(__name__)

OF_ONE_CALL: Final = 10
MOST_CALLS: Final = 3
"""Of a workspace and run: the thirty frameworks that should worry most."""

STALE: Final = dt.timedelta(hours=24)
"""Of what is so old nobody reads the reasons: a run that was made up for costs nothing."""

TRIES: Final = 3
FAILURES: Final = 3
PAUSE: Final = 600.0
_LOOK_EVERY: Final = 2.0
OVER_CAP: Final = "monthly cap"

UNWRITTEN: Final = """SELECT r.framework_id, f.name, r.evidence, r.reasoning, r.actions,
    (SELECT json_agg(json_build_object('kind', p.kind, 'within_hours', p.horizon_seconds / 3600,
        'probability', p.probability, 'risk', p.risk, 'threshold', p.threshold, 'reason', p.reason)
        ORDER BY p.kind, p.horizon_seconds)
     FROM predictions p WHERE p.workspace_id = r.workspace_id AND p.made_at = r.made_at
        AND p.framework_id = r.framework_id)
FROM prediction_reports r JOIN frameworks f ON f.workspace_id = r.workspace_id AND f.id = r.framework_id
WHERE r.workspace_id = %(workspace)s AND r.made_at = %(made_at)s AND r.written_by = 'statistics'
ORDER BY (SELECT max(p.probability) FROM predictions p WHERE p.workspace_id = r.workspace_id AND p.made_at = r.made_at
    AND p.framework_id = r.framework_id AND p.kind <> 'next_alert' AND p.horizon_seconds = 86400) DESC, r.framework_id
LIMIT %(most)s"""

WRITE: Final = """UPDATE prediction_reports SET reasoning = %(reasoning)s, actions = %(actions)s, written_by = %(model)s
WHERE workspace_id = %(workspace)s AND made_at = %(made_at)s AND framework_id = %(framework)s"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What it may take: prices, and the most that a workspace may spend in a UTC month, in millionths of dollars."""

    price: Price
    monthly_micros: int


class ModelWriter:
    """A writer of predictions. Whatever the model or its API does, the run goes on without it."""

    def __init__(
        self,
        database: Database,
        model: Callable[[], Anthropic],
        budget: Budget,
        ids: Ids,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._make = model
        self._model: Anthropic | None = None
        self._budget = budget
        self._ids = ids
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0

    def write(self, workspace_id: uuid.UUID, made_at: dt.datetime, lease: Lease) -> Mapping[str, int]:
        """How many reports are a model's now, and of the others, why not."""
        if dt.datetime.now(dt.UTC) - made_at > STALE:
            return {"stale": 1}
        outcomes: Counter[str] = Counter()
        for chunk in self._chunks(workspace_id, made_at):
            if self._clock() < self._closed_until:
                outcomes["breaker open"] += len(chunk)
                continue
            outcome, kept = self._ask(workspace_id, chunk, lease)
            if outcome is not None:
                outcomes[outcome] += len(chunk)
                continue
            self._save(workspace_id, made_at, kept, lease)
            outcomes["written"] += len(kept)
            if len(kept) < len(chunk):
                outcomes["refused"] += len(chunk) - len(kept)
        return dict(outcomes)

    def _chunks(self, workspace_id: uuid.UUID, made_at: dt.datetime) -> list[dict[uuid.UUID, dict[str, Any]]]:
        which = {"workspace": workspace_id, "made_at": made_at, "most": OF_ONE_CALL * MOST_CALLS}
        with self._database.transaction(workspace_id) as connection:
            rows = connection.execute(UNWRITTEN, which).fetchall()
        told = {
            framework: {
                "name": name(called),
                "evidence": bounded(evidence),
                "predictions": bounded(predictions),
                "statistics_say": {"reasoning": bounded(reasoning), "actions": bounded(actions)},
            }
            for framework, called, evidence, reasoning, actions, predictions in rows
        }
        ids = list(told)
        return [{one: told[one] for one in ids[at : at + OF_ONE_CALL]} for at in range(0, len(ids), OF_ONE_CALL)]

    def _ask(
        self, workspace_id: uuid.UUID, chunk: Mapping[uuid.UUID, dict[str, Any]], lease: Lease
    ) -> tuple[str | None, dict[uuid.UUID, Words]]:
        """Why there is nothing, or the words."""
        numbered = {f"F{place}": framework for place, framework in enumerate(chunk, start=1)}
        given = {number: chunk[framework] for number, framework in numbered.items()}
        asked = question(given)
        for left in range(TRIES - 1, -1, -1):
            said = self._once(workspace_id, asked, lease)
            if isinstance(said, NotAnswered):
                if said.outcome == OVER_CAP:  # nobody's failure
                    return said.outcome, {}
                self._failed(final=said.final)
                if said.again is None or not left or self._clock() < self._closed_until:
                    return said.outcome, {}
                self._rest(said.again, workspace_id, lease)
                continue
            try:
                checked = check(said.text, given)
            except Unusable as error:
                log.warning("a model's answer is not used: %s", error)
                self._failed(final=False)
                return "malformed", {}
            self._failures = 0
            return None, {numbered[number]: words for number, words in checked.words.items()}
        return "unreachable", {}

    def _once(self, workspace_id: uuid.UUID, asked: str, lease: Lease) -> Said | NotAnswered:
        model = self._ready()
        call, price = self._ids.new(), self._budget.price
        # A token is rarely less than two bytes; a schema and its explanation are sent along.
        most = price.micros(len((SYSTEM + asked).encode()) // 2 + 2000, model.most_tokens)
        with self._database.transaction(workspace_id) as connection:
            if not ledger.reserve(connection, workspace_id, call, model.model, most, self._budget.monthly_micros):
                return NotAnswered(OVER_CAP)
        try:
            said = self._meanwhile(lambda: model.ask(SYSTEM, asked), workspace_id, lease)
        except NotAnswered as refusal:
            log.warning("a model did not answer: %s", refusal.outcome)
            with self._database.transaction(workspace_id) as connection:
                ledger.failed(connection, workspace_id, call, refusal.outcome, billed=refusal.billed)
            return refusal
        cost = price.micros(said.input_tokens, said.output_tokens)
        outcome = "answered" if said.stopped == "end_turn" else said.stopped
        with self._database.transaction(workspace_id) as connection:
            ledger.answered(connection, workspace_id, call, outcome, said.input_tokens, said.output_tokens, cost)
        return said if outcome == "answered" else NotAnswered(outcome)

    def _ready(self) -> Anthropic:
        if self._model is None:
            self._model = self._make()
        return self._model

    def _meanwhile(self, ask: Callable[[], Said], workspace_id: uuid.UUID, lease: Lease) -> Said:
        """The answer, while the lease is held; a run that is taken away or stopped does not wait for it."""
        answer: Future[Said] = Future()

        def run() -> None:
            try:
                answer.set_result(ask())
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=run, name="model", daemon=True).start()
        while True:
            try:
                return answer.result(timeout=_LOOK_EVERY)
            except TimeoutError:
                if answer.done():
                    raise
                try:
                    self._hold(workspace_id, lease)
                except BaseException:
                    self._forget()
                    raise

    def _rest(self, seconds: float, workspace_id: uuid.UUID, lease: Lease) -> None:
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            self._hold(workspace_id, lease)
            time.sleep(min(left, _LOOK_EVERY))

    def _hold(self, workspace_id: uuid.UUID, lease: Lease) -> None:
        with self._database.transaction(workspace_id) as connection:
            lease.hold(connection)

    def _forget(self) -> None:
        """End the call that is under way; the next one has a client of its own."""
        if self._model is not None:
            self._model.close()
            self._model = None

    def _failed(self, *, final: bool) -> None:
        self._failures += 1
        if final or self._failures >= FAILURES:
            self._closed_until = self._clock() + PAUSE
            self._failures = 0

    def _save(
        self, workspace_id: uuid.UUID, made_at: dt.datetime, kept: Mapping[uuid.UUID, Words], lease: Lease
    ) -> None:
        model = self._ready().model
        with self._database.transaction(workspace_id) as connection:
            for framework, words in kept.items():
                connection.execute(
                    WRITE,
                    {
                        "workspace": workspace_id,
                        "made_at": made_at,
                        "framework": framework,
                        "model": model,
                        "reasoning": Jsonb(words.reasoning),
                        "actions": Jsonb([{"action": one.action, "because": one.because} for one in words.actions]),
                    },
                )
            lease.hold(connection)
