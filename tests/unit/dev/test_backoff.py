import pytest

from convex_dev.backoff import Backoff


def test_doubles_up_to_the_limit() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(8)] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_begins_anew_after_a_stable_life() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(1)
    assert backoff.after(30) == 0.2
    assert backoff.after(29.9) == 0.4
