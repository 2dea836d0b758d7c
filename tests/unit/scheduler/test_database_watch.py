"""A snapshot is held for as long as the oldest transaction that somebody needs stays the same."""

from __future__ import annotations

from convex_scheduler.database_watch import OLD, Horizon, SnapshotWatch


def test_seconds_count_from_when_it_was_first_seen() -> None:
    watch = SnapshotWatch()
    assert watch.seconds(Horizon("7", OLD), 100) == 0
    assert watch.seconds(Horizon("7", OLD + 50), 160) == 60
    assert watch.seconds(Horizon("9", OLD), 165) == 0, "another one by now"
    assert watch.seconds(Horizon("9", OLD), 175) == 10


def test_an_idle_system_holds_nothing() -> None:
    watch = SnapshotWatch()
    assert watch.seconds(Horizon("7", OLD - 1), 100) == 0
    assert watch.seconds(Horizon("7", OLD - 1), 500) == 0
    assert watch.seconds(Horizon("7", OLD), 600) == 0, "only now is it old"
    assert watch.seconds(None, 700) == 0
    assert watch.seconds(Horizon("7", OLD), 800) == 0
