"""What the live bench makes of arrivals, and how it judges rounds."""

from __future__ import annotations

import pytest

from tests.bench.live.figures import Arrivals, Connects, Rounds

MS = 1_000_000


def test_the_last_socket_counts_and_each_of_them() -> None:
    arrivals = Arrivals([0, 10 * MS], [[1 * MS, 4 * MS, 2 * MS], [12 * MS, 11 * MS, 13 * MS]])

    assert arrivals.last_ms() == [4, 3]
    assert arrivals.single_ms() == [1, 4, 2, 2, 1, 3]
    assert (arrivals.messages, arrivals.missing) == (6, 0)


def test_what_never_came_is_missing_and_no_latency() -> None:
    arrivals = Arrivals([0, 10 * MS], [[1 * MS, 0, 2 * MS], [12 * MS, 11 * MS, 13 * MS]])

    assert arrivals.last_ms() == [3], "a message that one socket lacks has no last arrival"
    assert arrivals.single_ms() == [1, 2, 2, 1, 3]
    assert (arrivals.messages, arrivals.missing) == (5, 1)


def test_messages_a_second_are_from_the_first_sent_to_the_last_seen() -> None:
    assert Arrivals([0, 100 * MS], [[200 * MS, 300 * MS], [400 * MS, 500 * MS]]).rate() == 8


def test_nothing_came() -> None:
    arrivals = Arrivals([5, 6], [[0, 0], [0, 0]])

    assert arrivals.rate() == 0
    assert (arrivals.last_ms(), arrivals.single_ms(), arrivals.missing) == ([], [], 4)


def test_connecting_lasts_until_it_is_subscribed() -> None:
    connects = Connects([(0, 1 * MS, 5 * MS), (100 * MS, 101 * MS, 500 * MS)])

    assert connects.ms() == [5, 400]
    assert connects.rate == 4


def test_sides_take_turns_at_being_first() -> None:
    rounds = Rounds[float](("a", "b", "c"))

    assert [rounds.order(number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def _rounds(*of: tuple[float, float, float]) -> Rounds[float]:
    rounds = Rounds[float](("ours", "theirs"))
    for ours, theirs, others in of:
        rounds.add({"ours": ours, "theirs": theirs}, {"ours": others, "theirs": 0})
    return rounds


def test_ratios_pair_what_had_the_same_neighbours() -> None:
    rounds = _rounds((10, 40, 0), (100, 300, 90), (20, 100, 0))

    assert rounds.ratios("theirs", "ours", float) == [4, 3, 5]


@pytest.mark.parametrize(
    ("rounds", "met", "name"),
    [
        pytest.param(_rounds((10, 0, 0), (90, 0, 50), (12, 0, 9)), True, "latency", id="loaded rounds do not count"),
        pytest.param(_rounds((30, 0, 0), (10, 0, 50), (10, 0, 50)), False, "latency", id="nor in its favour"),
        pytest.param(_rounds((90, 0, 50), (95, 0, 50)), False, "latency (no round was quiet)", id="all are loaded"),
    ],
)
def test_quiet_rounds_judge(rounds: Rounds[float], met: bool, name: str) -> None:
    gate = rounds.judged("latency", "ours", float, 20)

    assert (gate.met, gate.name) == (met, name)


def test_a_round_is_loaded_when_others_were_busy_beside_any_side() -> None:
    rounds = _rounds((1, 1, 0), (1, 1, 11))

    assert rounds.quiet == [0]
    assert rounds.how_quiet().startswith("1 of 2 rounds quiet")
