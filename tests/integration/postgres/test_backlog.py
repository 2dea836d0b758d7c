"""What an autoscaler asks of the database: how much is due, of all workspaces, with the services' role."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.support.postgres import Store

INBOX = (
    "INSERT INTO inbox (id, workspace_id, shard, kind, key, payload, due_at) "
    "SELECT uuid_v7(), %s, 1, 'trigger', '', '', now() + %s::interval FROM generate_series(1, %s)"
)


def due(store: Store, queue: str, *most: int) -> int:
    with psycopg.connect(store.url) as service:
        found = service.execute(f"SELECT due_rows(%s{', %s' * len(most)})", (queue, *most)).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("queue", ["alert", "notification", "analytics", "prediction", "nothing"])
def test_an_idle_installation_has_nothing_due(store: Store, queue: str) -> None:
    assert due(store, queue) == 0


def test_events_that_are_due_are_counted_up_to_a_limit(store: Store) -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(INBOX, (store.workspace_id, "-1 s", 7))
        owner.execute(INBOX, (uuid.uuid4(), "-1 s", 3))
        owner.execute(INBOX, (store.workspace_id, "1 hour", 5))
    assert due(store, "alert") == 10, "of all workspaces, but what waits for its next attempt"
    assert due(store, "alert", 4) == 4


def test_jobs_that_are_due_or_under_way_are_counted(store: Store) -> None:
    states = [("pending", "-1 s"), ("pending", "1 hour"), ("running", "-1 s"), ("completed", "-1 s")]
    with psycopg.connect(store.owner_url) as owner:
        for number, (status, later) in enumerate(states):
            owner.execute(
                "INSERT INTO job_runs (id, job, slot, queue, status, due_at) VALUES "
                "(uuid_v7(), 'predictions', now() + %s * interval '1 day', 'prediction', %s, now() + %s::interval)",
                (number, status, later),
            )
    assert due(store, "prediction") == 2
    assert due(store, "analytics") == 0


def test_nobody_else_may_ask(store: Store) -> None:
    with psycopg.connect(store.owner_url) as owner:
        granted = owner.execute("SELECT has_function_privilege('public', 'due_rows(text, integer)', 'EXECUTE')")
        assert granted.fetchone() == (False,)
