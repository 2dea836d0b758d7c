"""A target that keeps failing is left alone."""

from __future__ import annotations

from convex_notifier.breakers import MOST, Breakers
from convex_notifier.domain.answer import Verdict
from convex_notifier.domain.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy(failures=5, within=60, pause=10, longest=30, probe=30)


def opened(at: float = 100.0) -> Breaker:
    breaker = Breaker(POLICY)
    assert [breaker.failed(at) for _ in range(5)] == [False, False, False, False, True]
    return breaker


def test_it_is_closed_until_the_fifth_failure() -> None:
    breaker = Breaker(POLICY)
    for _ in range(4):
        assert not breaker.failed(1.0)
        assert breaker.wait(1.0) == 0
    assert breaker.failed(1.0)
    assert breaker.wait(1.0) == 10


def test_failures_over_more_than_a_minute_do_not_open_it() -> None:
    breaker = Breaker(POLICY)
    assert not any(breaker.failed(at) for at in (0, 20, 40, 60, 80, 100))
    assert [breaker.failed(at) for at in (140.5, 140.6, 140.7, 140.8)] == [False, False, False, True]


def test_after_the_pause_one_attempt_probes_and_the_others_wait() -> None:
    breaker = opened()
    assert breaker.wait(105.0) == 5
    assert breaker.wait(110.0) == 0
    assert breaker.wait(110.0) == 1
    assert breaker.wait(111.0) == 1


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_longest() -> None:
    breaker, now, pauses = opened(), 110.0, []
    for _ in range(3):
        assert breaker.wait(now) == 0
        assert breaker.failed(now)
        pauses.append(breaker.wait(now))
        now += pauses[-1]
    assert pauses == [20, 30, 30]


def test_a_lost_probe_is_replaced_after_its_time() -> None:
    breaker = opened()
    assert breaker.wait(110.0) == 0
    assert breaker.wait(139.0) == 1
    assert breaker.wait(140.0) == 0


def test_stragglers_from_before_do_not_lengthen_the_pause() -> None:
    breaker = opened()
    assert not breaker.failed(104.0)
    assert breaker.wait(104.0) == 6


class TestBreakers:
    def test_each_target_has_its_own_and_success_forgets_it(self) -> None:
        clock = [0.0]
        breakers = Breakers(POLICY, lambda: clock[0])
        for _ in range(5):
            breakers.tell("a", Verdict.UNAVAILABLE)
        assert breakers.wait("a") == 10
        assert breakers.wait("b") == 0
        clock[0] = 10.0
        assert breakers.wait("a") == 0
        breakers.tell("a", Verdict.ACCEPTED)
        assert breakers.wait("a") == 0
        assert breakers.wait("a") == 0

    def test_a_rejection_proves_that_the_target_is_there(self) -> None:
        breakers = Breakers(POLICY, lambda: 0.0)
        for _ in range(4):
            breakers.tell("a", Verdict.UNAVAILABLE)
        breakers.tell("a", Verdict.REJECTED)
        breakers.tell("a", Verdict.UNAVAILABLE)
        assert breakers.wait("a") == 0

    def test_what_is_remembered_is_bounded_and_open_ones_stay(self) -> None:
        breakers = Breakers(POLICY, lambda: 0.0)
        for _ in range(5):
            breakers.tell("bad", Verdict.UNAVAILABLE)
        for number in range(3 * MOST):
            breakers.tell(f"host-{number}", Verdict.UNAVAILABLE)
        assert len(breakers._breakers) <= MOST
        assert breakers.wait("bad") == 10
