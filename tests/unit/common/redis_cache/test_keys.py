"""Keys: everything that tells two answers apart is in them."""

from __future__ import annotations

import uuid
from fnmatch import fnmatchcase
from itertools import combinations, product

from convex_common.redis.cache import keys
from convex_common.redis.cache.classes import ALERTS, CLASSES, RULES

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def test_no_two_questions_share_a_key() -> None:
    asked = list(product(("p", "q"), (ONE, TWO), (ONE, TWO), CLASSES, ("", "a", "b")))
    made = [keys.entry_key(*one) for one in asked]
    assert all(one != other for one, other in combinations(made, 2))


def test_a_sweep_matches_its_workspace_and_class_alone() -> None:
    pattern = keys.entries_pattern("p", ONE, ALERTS)
    assert fnmatchcase(keys.entry_key("p", ONE, TWO, ALERTS, "a"), pattern)
    for other in (
        keys.entry_key("p", TWO, TWO, ALERTS, "a"),
        keys.entry_key("p", ONE, TWO, RULES, "a"),
        keys.entry_key("q", ONE, TWO, ALERTS, "a"),
        keys.marks_key("p", ONE, TWO),
    ):
        assert not fnmatchcase(other, pattern)


def test_the_class_is_read_back() -> None:
    assert keys.class_of("p", keys.entry_key("p", ONE, TWO, RULES, "a")) == "rules"
    assert keys.class_of("a:b", keys.entry_key("a:b", ONE, TWO, ALERTS, "a")) == "alerts"
    assert keys.class_of("p", keys.marks_key("p", ONE, TWO)) is None
