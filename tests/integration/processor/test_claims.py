"""The claim protocol on a real database: leases, their loss, suspects, urgency, held keys."""

from __future__ import annotations

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain.fingerprint import shard_of
from convex_common.errors import LeaseLost
from convex_common.events import CRITICAL_LANE
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Connection, connect
from convex_common.redis.cache.counts import CacheCounts
from convex_processor import claims
from convex_processor.batches import BatchProcessor
from convex_processor.claims import Claim
from convex_processor.configurations import Configurations
from convex_processor.handler import EventHandler
from tests.support.postgres import Store
from tests.support.processing import IDS, Bench

FINISH = "DELETE FROM inbox WHERE id = ANY(%s)"


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


@pytest.fixture
def worker(bench: Bench) -> Iterator[Connection]:
    with connect(bench.store.url, "test-worker") as connection:
        yield connection


@dataclass
class Inbox:
    """Seen by the owner, who can let time pass."""

    owner: psycopg.Connection[tuple[object, ...]]

    def expire(self) -> None:
        """Every running lease runs out."""
        self.owner.execute(
            "UPDATE inbox_shards SET lease_until = clock_timestamp() - interval '1 ms' WHERE lease_token <> 0"
        )

    def one(self, query: str, *values: object) -> tuple[object, ...]:
        row = self.owner.execute(query, values).fetchone()
        assert row is not None
        return row

    def rows(self) -> int:
        return int(str(self.one("SELECT count(*) FROM inbox")[0]))

    def leased(self) -> set[int]:
        return {int(str(r[0])) for r in self.owner.execute("SELECT shard FROM inbox_shards WHERE lease_token <> 0")}


@pytest.fixture
def inbox(bench: Bench) -> Iterator[Inbox]:
    with psycopg.connect(bench.store.owner_url, autocommit=True) as owner:
        yield Inbox(owner)


def batches(bench: Bench, connection: Connection) -> BatchProcessor:
    metrics = Metrics(CollectorRegistry())
    handler = EventHandler(connection, Configurations(CacheCounts("rules", metrics)), IDS)
    return BatchProcessor(connection, handler, bench.outbox, bench.outbox, metrics, Measures())


def claimed(connection: Connection, shards: int = 64, rows: int = 500, lease: float = 15.0) -> Claim:
    claim = claims.claim(connection, shards, rows, lease)
    assert claim is not None
    return claim


@contextmanager
def lost_lease() -> Iterator[None]:
    with pytest.raises(LeaseLost):
        yield


def labels_of_shard(bench: Bench, rule_id: uuid.UUID, shard: int, count: int) -> list[str]:
    """Label values whose triggers fall into one shard."""
    fitting = (str(n) for n in itertools.count() if shard_of(bench.a_trigger(rule_id, n=str(n))[1]) == shard)
    return list(itertools.islice(fitting, count))


def test_a_claim_returns_rows_in_the_order_of_their_acceptance(bench: Bench, worker: Connection) -> None:
    rule_id = bench.rule()
    ids = bench.accept_many([bench.a_trigger(rule_id, n=str(n)) for n in range(300)])
    claim = claimed(worker, rows=100_000)
    assert [event.id for event in claim.events] == ids
    assert claims.claim(worker, 64, 500, 15.0) is None, "everything is leased"


def test_no_shard_is_ever_held_twice(bench: Bench) -> None:
    rule_id = bench.rule()
    bench.accept_many([bench.a_trigger(rule_id, n=str(n)) for n in range(1500)])
    held: dict[int, int] = {}
    mutex = threading.Lock()
    wrong: list[str] = []
    finished = Counter[uuid.UUID]()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with connect(bench.store.url, "test-worker") as connection:
            connection.execute("SELECT set_config('app.workspace_id', %s, false)", (str(bench.store.workspace_id),))
            while claim := claims.claim(connection, chance.randint(1, 16), chance.randint(8, 60), 30.0):
                with mutex:
                    wrong.extend(f"shard {shard} is held twice" for shard in claim.shards if shard in held)
                    held.update(dict.fromkeys(claim.shards, claim.token))
                time.sleep(chance.random() * 0.004)
                with mutex:
                    finished.update(event.id for event in claim.events)
                    for shard in claim.shards:
                        del held[shard]
                with connection.transaction():
                    connection.execute(FINISH, ([event.id for event in claim.events],))
                    claims.release(connection, claim.token, claim.shards)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a worker hangs"
    assert wrong == []
    bench.drain()  # what a worker found leased by others when it ended
    assert set(finished.values()) == {1}


def test_a_lease_that_ran_out_is_taken_over_and_the_late_worker_changes_nothing(
    bench: Bench, worker: Connection, inbox: Inbox
) -> None:
    rule_id = bench.rule()
    bench.accept_many([bench.a_trigger(rule_id) for _ in range(5)])
    late = claimed(worker)
    inbox.expire()
    with connect(bench.store.url, "test-other") as other:
        taken = claimed(other)
        assert taken.shards == late.shards
        assert taken.token != late.token
        with lost_lease():
            batches(bench, worker).run(late)
        assert inbox.rows() == 5
        assert bench.rows("SELECT * FROM alerts") == []
        batches(bench, other).run(taken)
    assert bench.alert()["occurrences"] == 5
    assert inbox.leased() == set()


def test_a_worker_that_comes_after_the_work_was_done_changes_nothing(
    bench: Bench, worker: Connection, inbox: Inbox
) -> None:
    rule_id = bench.rule()
    bench.accept_many([bench.a_trigger(rule_id) for _ in range(5)])
    late = claimed(worker)
    inbox.expire()
    bench.drain()
    with lost_lease():
        batches(bench, worker).run(late)
    assert bench.alert()["occurrences"] == 5
    assert sum(row["count"] for row in bench.rows("SELECT count FROM alert_log")) == 5
    assert len(bench.rows("SELECT * FROM notifications")) == 1


def test_a_lease_that_ran_out_is_lost_also_where_nobody_took_it(bench: Bench, worker: Connection, inbox: Inbox) -> None:
    bench.accept_many([bench.a_trigger(bench.rule())])
    late = claimed(worker)
    inbox.expire()
    with lost_lease():
        batches(bench, worker).run(late)
    assert inbox.rows() == 1
    bench.drain()
    assert bench.alert()["occurrences"] == 1


def test_each_slice_of_a_late_workers_claim_is_counted_once(bench: Bench, worker: Connection, inbox: Inbox) -> None:
    """Two workspaces: the first slice commits without the release; only the rows themselves stand against a repeat."""
    other_workspace = ensure_workspace(bench.store.owner_url, slug="other", name="Other", owner_user="owner")
    benches = [bench, Bench.of(Store(bench.store.url, bench.store.owner_url, other_workspace))]
    for one in benches:
        rule_id = one.rule()
        one.accept_many([one.a_trigger(rule_id, n=str(n)) for n in range(40)])
    late = claimed(worker)
    assert len(late.by_workspace()) == 2
    inbox.expire()
    bench.drain()
    with lost_lease():
        batches(bench, worker).run(late)
    assert bench.rows("SELECT sum(occurrences)::int AS n FROM alerts") == [{"n": 80}]


def test_two_workers_at_one_claim_count_everything_once(bench: Bench, inbox: Inbox) -> None:
    """The late worker and the one that took over work at the same time, again and again."""
    rule_id = bench.rule()
    for _ in range(5):
        bench.accept_many([bench.a_trigger(rule_id, n=str(n % 20)) for n in range(100)])
        with connect(bench.store.url, "late") as one, connect(bench.store.url, "next") as other:
            late = claimed(one)
            inbox.expire()
            taken = claimed(other)

            def run(connection: Connection, claim: Claim) -> None:
                try:
                    batches(bench, connection).run(claim)
                except LeaseLost:
                    claims.give_back(connection, claim.token, claim.shards)

            threads = [threading.Thread(target=run, args=pair) for pair in ((one, late), (other, taken))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        bench.drain()
    assert bench.rows("SELECT sum(occurrences)::int AS n, count(*) AS alerts FROM alerts") == [{"n": 500, "alerts": 20}]
    logged = bench.rows("SELECT sum(count)::int AS n, sum(cardinality(event_ids))::int AS ids FROM alert_log")
    assert logged == [{"n": 500, "ids": 500}]


def test_a_shard_whose_worker_vanished_heals(bench: Bench, worker: Connection, inbox: Inbox) -> None:
    bench.accept_many([bench.a_trigger(bench.rule())])
    claimed(worker, lease=0.2)
    assert claims.claim(worker, 64, 500, 15.0) is None
    time.sleep(0.25)
    claim = claimed(worker)
    assert inbox.one("SELECT max(expiries) FROM inbox_shards") == (1,)
    claims.give_back(worker, claim.token, claim.shards)
    assert inbox.one("SELECT max(expiries) FROM inbox_shards") == (0,), "a release in time forgives"


def test_an_emptied_shard_is_given_back_and_claimed_anew_at_once(
    bench: Bench, worker: Connection, inbox: Inbox
) -> None:
    rule_id = bench.rule()
    bench.accept_many([bench.a_trigger(rule_id)])
    claim = claimed(worker)
    batches(bench, worker).run(claim)
    assert claims.claim(worker, 64, 500, 15.0) is None
    assert inbox.leased() == set(), "nothing is leased where there is nothing"
    bench.accept_many([bench.a_trigger(rule_id)])
    assert claimed(worker).shards == claim.shards


def test_from_the_third_expiry_on_a_row_is_claimed_alone(bench: Bench, worker: Connection, inbox: Inbox) -> None:
    rule_id = bench.rule()
    ids = bench.accept_many([bench.a_trigger(rule_id, n=str(n)) for n in range(200)])
    for _ in range(3):
        assert len(claimed(worker).events) > 100
        inbox.expire()
    first = claimed(worker)
    assert len(first.events) == 1
    with connect(bench.store.url, "test-other") as other:
        second = claimed(other)
        assert len(second.events) == 1
        assert set(first.shards).isdisjoint(second.shards)
    assert bench.rows("SELECT max(attempts) AS n FROM inbox") == [{"n": 0}], "together is not alone"
    assert {event.id for claim in (first, second) for event in claim.events} <= set(ids)


def crash_until_finished(bench: Bench, inbox: Inbox, poison: set[uuid.UUID]) -> int:
    """Workers that die of certain events, one after the other; how many died."""
    deaths = 0
    while inbox.rows():
        with connect(bench.store.url, "test-worker") as connection:
            claim = claims.claim(connection, 64, 500, 15.0)
            while claim is not None:
                if any(event.id in poison for event in claim.events):
                    deaths += 1
                    inbox.expire()
                    break
                batches(bench, connection).run(claim)
                claim = claims.claim(connection, 64, 500, 15.0)
        assert deaths < 100
    return deaths


@pytest.mark.parametrize("lane", [0, 1], ids=["critical", "normal"])
def test_what_kills_workers_is_put_aside_and_nothing_else_is(bench: Bench, inbox: Inbox, lane: int) -> None:
    rule_id = bench.rule()
    rows = [bench.a_trigger(rule_id, n=str(n)) for n in range(80)]
    rows[60] = bench.a_trigger(rule_id, lane, n="poison")
    poison = bench.accept_many(rows)[60]
    deaths = crash_until_finished(bench, inbox, {poison})
    assert [row["id"] for row in bench.rows("SELECT id FROM quarantine")] == [poison]
    assert bench.rows("SELECT count(*) AS n, sum(occurrences)::int AS s FROM alerts") == [{"n": 79, "s": 79}]
    assert deaths <= 6, "three together, three alone"


def test_two_killers_in_one_shard(bench: Bench, inbox: Inbox) -> None:
    rule_id = bench.rule()
    names = labels_of_shard(bench, rule_id, 5, 12)
    ids = bench.accept_many([bench.a_trigger(rule_id, n=name) for name in names])
    deaths = crash_until_finished(bench, inbox, {ids[3], ids[9]})
    assert {row["id"] for row in bench.rows("SELECT id FROM quarantine")} == {ids[3], ids[9]}
    assert len(bench.rows("SELECT * FROM alerts")) == 10
    assert deaths <= 9


def test_after_the_suspects_claims_are_wide_again(bench: Bench, worker: Connection, inbox: Inbox) -> None:
    rule_id = bench.rule()
    bench.accept_many([bench.a_trigger(rule_id, n=str(n)) for n in range(30)])
    for _ in range(3):
        claimed(worker, rows=64)
        inbox.expire()
    bench.accept_many([bench.a_trigger(rule_id, n=str(n)) for n in range(30, 330)])
    sizes = []
    while claim := claims.claim(worker, 64, 500, 15.0):
        sizes.append(len(claim.events))
        batches(bench, worker).run(claim)
    assert sum(sizes) == 330
    assert 30 <= sizes.count(1) <= 64, "as many as the claim was for, not as many as there are"
    assert inbox.one("SELECT max(expiries), count(alone_until) FROM inbox_shards WHERE lease_token <> 0") == (None, 0)


def test_critical_keys_come_first_with_what_came_before_them(bench: Bench, worker: Connection) -> None:
    rule_id = bench.rule()
    names = labels_of_shard(bench, rule_id, 7, 3)
    urgent, plain, other = names
    rows = [bench.a_trigger(rule_id, n=plain if n % 2 else other) for n in range(400)]
    rows[100] = bench.a_trigger(rule_id, n=urgent)
    rows[300] = bench.a_trigger(rule_id, n=urgent)
    rows.append(bench.a_trigger(rule_id, CRITICAL_LANE, n=urgent))
    rows.append(bench.a_trigger(rule_id, n=urgent))
    ids = bench.accept_many(rows)
    claim = claimed(worker, rows=40)
    taken = [event.id for event in claim.events]
    assert [one for one in taken if one in {ids[100], ids[300], ids[400], ids[401]}] == [ids[100], ids[300], ids[400]]
    assert [one for one in taken if one not in {ids[100], ids[300], ids[400]}] == ids[:10], "a quarter is for others"


@pytest.mark.parametrize("shards", [2, 8])
def test_a_normal_shard_is_served_however_many_critical_ones_wait(
    bench: Bench, worker: Connection, shards: int
) -> None:
    rule_id = bench.rule()
    normal = labels_of_shard(bench, rule_id, 60, 1)[0]
    critical = [bench.a_trigger(rule_id, CRITICAL_LANE, n=str(n)) for n in range(400)]
    critical = [row for row in critical if shard_of(row[1]) != 60]
    bench.accept_many([*critical, bench.a_trigger(rule_id, n=normal)])
    for place in range(80):
        claim = claimed(worker, shards=shards)
        claims.give_back(worker, claim.token, claim.shards)  # as if new critical ones came all the time
        if 60 in claim.shards:
            return
        assert place < 79, "a normal event starves"


def test_most_claims_prefer_critical_shards(bench: Bench, worker: Connection) -> None:
    rule_id = bench.rule()
    rows = [bench.a_trigger(rule_id, n=str(n)) for n in range(300)]
    (urgent,) = labels_of_shard(bench, rule_id, 33, 1)
    bench.accept_many([*rows, bench.a_trigger(rule_id, CRITICAL_LANE, n=urgent)])
    served = 0
    for _ in range(40):
        claim = claimed(worker, shards=2)
        served += 33 in claim.shards
        claims.give_back(worker, claim.token, claim.shards)
    assert served >= 20


def test_a_key_with_a_failed_event_is_held_whole_and_keeps_its_order(
    bench: Bench, worker: Connection, inbox: Inbox
) -> None:
    rule_id = bench.rule()
    held, free = labels_of_shard(bench, rule_id, 3, 2)
    ids = bench.accept_many([bench.a_trigger(rule_id, n=name) for name in (held, free, held, free, held)])
    postpone = "UPDATE inbox SET attempts = 1, due_at = clock_timestamp() + interval '1 hour' WHERE id = %s"
    inbox.owner.execute(postpone, (ids[2],))
    claim = claimed(worker)
    assert [event.id for event in claim.events] == [ids[1], ids[3]]
    batches(bench, worker).run(claim)
    assert claims.claim(worker, 64, 500, 15.0) is None
    assert inbox.leased() == set()
    inbox.owner.execute("UPDATE inbox SET due_at = clock_timestamp() WHERE id = %s", (ids[2],))
    assert [event.id for event in claimed(worker).events] == [ids[0], ids[2], ids[4]]


def test_a_claim_takes_no_more_than_it_is_told(bench: Bench, worker: Connection) -> None:
    rule_id = bench.rule()
    bench.accept_many([bench.a_trigger(rule_id, n=str(n)) for n in range(2000)])
    for shards, rows in ((1, 10), (4, 100), (64, 500)):
        claim = claimed(worker, shards=shards, rows=rows)
        assert len(claim.shards) <= shards
        assert len(claim.events) <= rows
        claims.give_back(worker, claim.token, claim.shards)


def test_a_release_of_somebody_elses_lease_is_refused(bench: Bench, worker: Connection, inbox: Inbox) -> None:
    bench.accept_many([bench.a_trigger(bench.rule())])
    claim = claimed(worker)
    refused: list[Callable[[], None]] = [
        lambda: claims.release(worker, claim.token + 1, claim.shards),
        lambda: claims.release(worker, claim.token, [*claim.shards, (claim.shards[0] + 1) % 64]),
    ]
    for release in refused:
        with pytest.raises(psycopg.Error) as error, worker.transaction():
            release()
        assert error.value.sqlstate == "CX001"
    assert inbox.leased() == set(claim.shards)
