"""What became of deliveries, saved many at once on a real database."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence

import psycopg
import pytest

from convex_common.postgres.bootstrap import ensure_workspace
from convex_notifier.deliveries import Claim, Deliveries
from convex_notifier.domain import answer
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.backoff import ATTEMPTS
from convex_notifier.domain.outcome import Delivered, Failed, Outcome, PutOff, Quarantined, RetryIn
from convex_notifier.session import Session
from convex_notifier.settlements import Attempt, Settlement, Settlements
from convex_notifier.settler import Settler
from tests.support.eventually import eventually
from tests.support.notifying import IDS, Ledger, session
from tests.support.postgres import Store


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


@pytest.fixture
def connected(store: Store) -> Iterator[Session]:
    with session(store) as kept:
        yield kept


@pytest.fixture
def deliveries(connected: Session) -> Deliveries:
    return Deliveries(connected, per_target=64, lease_seconds=30)


@pytest.fixture
def settlements(connected: Session) -> Settlements:
    return Settlements(connected)


def settled(claim: Claim, outcome: Outcome | None = None, given: Answer | None = None) -> Settlement:
    """A delivery whose attempt was answered so."""
    attempt = Attempt(IDS.new(), given or answer.accepted(200, "ok"), dt.datetime.now(dt.UTC), 0.1)
    return Settlement(claim, attempt, outcome or Delivered())


def claimed(deliveries: Deliveries, count: int) -> list[Claim]:
    return [loaded.claim for loaded in deliveries.take(count)]


def taken_by_others(ledger: Ledger, claims: Sequence[Claim]) -> None:
    ids = [claim.id for claim in claims]
    ledger.execute("UPDATE deliveries SET lease_token = lease_token + 1 WHERE id = ANY(%s)", ids)


def test_every_outcome_at_once(ledger: Ledger, deliveries: Deliveries, settlements: Settlements) -> None:
    ledger.deliver_many(ledger.webhook("http://x/"), 5, last_error="before")
    done, again, failed, stuck, waiting = claimed(deliveries, 5)
    lost = settlements.save(
        [
            settled(done),
            settled(
                again, RetryIn(30.0, "why", "busy"), answer.of_status(503, None, b"later", dt.datetime.now(dt.UTC))
            ),
            settled(failed, Failed("gone"), answer.rejected("gone")),
            settled(stuck, Quarantined("no"), answer.unavailable("no")),
            Settlement(waiting, None, PutOff(7.0, "left alone")),
        ]
    )
    assert lost == []
    rows = {row["id"]: row for row in ledger.rows("SELECT * FROM deliveries")}
    assert [
        (rows[one.id]["status"], rows[one.id]["attempts"], rows[one.id]["last_error"], rows[one.id]["delayed_reason"])
        for one in (done, again, failed, stuck, waiting)
    ] == [
        ("delivered", 0, None, None),
        ("pending", 1, "busy", "why"),
        ("failed", 1, "gone", None),
        ("quarantined", 1, "no", None),
        ("pending", 0, "before", "left alone"),
    ]
    assert {row["lease_token"] for row in rows.values()} == {row["lease_until"] for row in rows.values()} == {None}
    assert {one for one, row in rows.items() if row["finished_at"]} == {done.id, failed.id, stuck.id}
    told = [
        (a["number"], a["outcome"], a["status_code"], a["error"], a["answer"])
        for one in (done, again, failed, stuck)
        for a in ledger.attempts(one.id)
    ]
    assert told == [
        (1, "delivered", 200, None, "ok"),
        (1, "retry", 503, "busy", "later"),
        (1, "failed", None, "gone", None),
        (1, "quarantined", None, "no", None),
    ]
    assert ledger.attempts(waiting.id) == []
    counted = ledger.rows("SELECT queue, completed, failed, errors FROM queue_counters")
    assert counted == [{"queue": "notification", "completed": 1, "failed": 2, "errors": 3}]
    assert attempt_totals(ledger) == {(outcome, 1) for outcome in ("delivered", "retry", "failed", "quarantined")}


def test_totals_of_attempts_stay_when_the_attempts_go(
    ledger: Ledger, deliveries: Deliveries, settlements: Settlements
) -> None:
    ledger.deliver_many(ledger.webhook("http://x/"), 7)
    settlements.save([settled(claim) for claim in claimed(deliveries, 3)])
    settlements.save([settled(claim) for claim in claimed(deliveries, 4)])
    assert attempt_totals(ledger) == {("delivered", 7)}
    ledger.execute("DELETE FROM attempts")
    assert attempt_totals(ledger) == {("delivered", 7)}


def test_a_delivery_whose_worker_stops_again_and_again_counts_as_failed(ledger: Ledger, deliveries: Deliveries) -> None:
    ledger.deliver(ledger.webhook("http://x/"))
    for _ in range(3 + ATTEMPTS):
        assert len(claimed(deliveries, 1)) == 1 or ledger.count("quarantined") == 1
        ledger.execute("UPDATE deliveries SET lease_until = now(), due_at = now()")
    assert ledger.count("quarantined") == 1
    assert ledger.rows("SELECT completed, failed FROM queue_counters") == [{"completed": 0, "failed": 1}]
    assert attempt_totals(ledger) == set(), "nobody knows of an attempt that was made"


def attempt_totals(ledger: Ledger) -> set[tuple[str, int]]:
    rows = ledger.rows("SELECT channel, outcome, sum(attempts)::int AS n FROM attempt_totals GROUP BY 1, 2")
    assert {row["channel"] for row in rows} <= {"webhook"}
    return {(row["outcome"], row["n"]) for row in rows}


def test_the_lost_among_many_are_named_and_not_written(
    ledger: Ledger, deliveries: Deliveries, settlements: Settlements
) -> None:
    ledger.deliver_many(ledger.webhook("http://x/"), 20)
    claims = claimed(deliveries, 20)
    taken_by_others(ledger, claims[7:9])
    saved = [settled(claim) for claim in claims]
    assert settlements.save(saved) == saved[7:9]
    assert ledger.count("delivered") == 18
    assert ledger.rows("SELECT sum(completed) AS n FROM queue_counters") == [{"n": 18}]
    assert [ledger.attempts(claim.id) for claim in claims[7:9]] == [[], []]


def test_saving_twice_writes_once(ledger: Ledger, deliveries: Deliveries, settlements: Settlements) -> None:
    ledger.deliver(ledger.webhook("http://x/"))
    (claim,) = claimed(deliveries, 1)
    once = settled(claim)
    assert settlements.save([once]) == []
    assert settlements.save([once]) == [once]
    assert len(ledger.attempts(claim.id)) == 1


def test_an_expired_lease_that_nobody_took_is_still_mine(
    ledger: Ledger, deliveries: Deliveries, settlements: Settlements
) -> None:
    ledger.deliver(ledger.webhook("http://x/"))
    (mine,) = claimed(deliveries, 5)
    ledger.execute("UPDATE deliveries SET lease_until = now(), due_at = now()")
    assert settlements.save([settled(mine)]) == []
    assert ledger.count("delivered") == 1
    assert claimed(deliveries, 5) == []


def test_a_retry_is_due_by_the_database_clock(ledger: Ledger, deliveries: Deliveries, settlements: Settlements) -> None:
    ledger.deliver(ledger.webhook("http://x/"))
    (mine,) = claimed(deliveries, 1)
    (began,) = ledger.rows("SELECT clock_timestamp() AS at")
    settlements.save([settled(mine, RetryIn(30.0, "why", "busy"))])
    (ended,) = ledger.rows("SELECT clock_timestamp() AS at")
    row = ledger.delivery(mine.id)
    wait = dt.timedelta(seconds=30)
    assert began["at"] + wait <= row["due_at"] <= ended["at"] + wait
    assert row["next_attempt_at"] == row["due_at"]
    assert claimed(deliveries, 1) == []


def test_workspaces_are_kept_apart(store: Store, deliveries: Deliveries, settlements: Settlements) -> None:
    ledgers = [Ledger(store)]
    for name in ("two", "three"):
        other = ensure_workspace(store.owner_url, slug=name, name=name, owner_user="owner")
        ledgers.append(Ledger(Store(store.url, store.owner_url, other)))
    for ledger in ledgers:
        ledger.deliver_many(ledger.webhook("http://x/"), 3)
    claims = claimed(deliveries, 9)
    assert len(claims) == 9
    taken_by_others(ledgers[0], claims[:1])
    lost = settlements.save([settled(claim) for claim in claims])
    assert [one.claim for one in lost] == claims[:1]
    counted = ledgers[0].rows("SELECT workspace_id, completed FROM queue_counters")
    expected = {ledger.store.workspace_id: 3 for ledger in ledgers}
    expected[claims[0].workspace_id] -= 1
    assert {row["workspace_id"]: row["completed"] for row in counted} == expected


class TestSettler:
    @pytest.fixture
    def settler(self, settlements: Settlements) -> Iterator[Settler]:
        running = Settler(settlements.save, lambda: None)
        running.start()
        yield running
        running.stop(5.0)

    def test_one_that_cannot_be_saved_does_not_keep_the_others(
        self, ledger: Ledger, deliveries: Deliveries, settlements: Settlements
    ) -> None:
        ledger.deliver_many(ledger.webhook("http://x/"), 5)
        claims = claimed(deliveries, 5)
        bad = settled(claims[2], given=Answer(answer.Verdict.ACCEPTED, excerpt="a\x00b"))
        all_ = [bad if claim is claims[2] else settled(claim) for claim in claims]
        with pytest.raises(psycopg.DataError):
            settlements.save(all_)
        assert ledger.count("delivered") == 0
        settler = Settler(settlements.save, lambda: None)
        for one in all_:
            settler.settle(one)
        settler.start()
        assert settler.stop(5.0)
        assert ledger.count("delivered") == 4
        assert ledger.delivery(claims[2].id)["lease_token"] == claims[2].token

    def test_with_postgres_away_it_is_saved_when_it_is_back(
        self, ledger: Ledger, deliveries: Deliveries, settler: Settler
    ) -> None:
        ledger.deliver_many(ledger.webhook("http://x/"), 10)
        claims = claimed(deliveries, 10)
        ledger.store_away()
        for claim in claims:
            settler.settle(settled(claim))
        time.sleep(1.0)
        ledger.store_back()
        eventually(lambda: ledger.count("delivered") == 10, within=15)
        assert len(ledger.rows("SELECT * FROM attempts")) == 10
