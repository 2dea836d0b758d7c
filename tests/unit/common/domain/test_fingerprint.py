"""Fingerprints: the same for the same labels in any order, different for anything else."""

from __future__ import annotations

import hashlib
import uuid

from hypothesis import assume, given
from hypothesis import strategies as st

from convex_common.domain.fingerprint import SHARDS, fingerprint, observations_key, series_key, shard_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
labels = st.dictionaries(texts, texts, max_size=5)
ids = st.uuids()


@given(ids, ids, st.none() | ids, labels, st.randoms(use_true_random=False))
def test_the_order_of_labels_is_irrelevant(
    workspace: uuid.UUID, framework: uuid.UUID, rule: uuid.UUID | None, given_: dict[str, str], chance: object
) -> None:
    items = list(given_.items())
    chance.shuffle(items)  # type: ignore[attr-defined]  # Hypothesis' Random
    shuffled = dict(items)
    assert fingerprint(workspace, framework, rule, shuffled) == fingerprint(workspace, framework, rule, given_)
    assert series_key(workspace, framework, "m", shuffled) == series_key(workspace, framework, "m", given_)


@given(labels, labels)
def test_other_labels_another_fingerprint(one: dict[str, str], other: dict[str, str]) -> None:
    assume(one != other)
    key = uuid.UUID(int=1)
    assert fingerprint(key, key, key, one) != fingerprint(key, key, key, other)
    assert series_key(key, key, "m", one) != series_key(key, key, "m", other)


@given(st.lists(st.tuples(ids, ids, st.none() | ids), min_size=2, max_size=6, unique=True), labels)
def test_workspace_framework_and_rule_all_count(
    owners: list[tuple[uuid.UUID, uuid.UUID, uuid.UUID | None]], given_: dict[str, str]
) -> None:
    assume(all(rule is None or rule.int for _, _, rule in owners))
    assert len({fingerprint(*owner, given_) for owner in owners}) == len(owners)


@given(ids, texts, texts, labels)
def test_metric_and_labels_are_kept_apart(key: uuid.UUID, one: str, other: str, given_: dict[str, str]) -> None:
    assert (series_key(key, key, one, given_) == series_key(key, key, other, given_)) is (one == other)


@given(labels)
def test_a_series_is_no_alert(given_: dict[str, str]) -> None:
    key = uuid.UUID(int=1)
    assert series_key(key, key, "", given_) != fingerprint(key, key, None, given_)


@given(st.binary(min_size=1, max_size=32))
def test_every_key_has_a_shard(key: bytes) -> None:
    assert 0 <= shard_of(key) < SHARDS


def test_keys_spread_over_the_shards() -> None:
    counts = [0] * SHARDS
    for n in range(6400):
        counts[shard_of(fingerprint(uuid.UUID(int=1), uuid.UUID(int=2), None, {"n": str(n)}))] += 1
    assert min(counts) > 50
    assert max(counts) < 160


def test_observations_of_a_shard_share_a_key_within_their_workspace() -> None:
    one, other = uuid.UUID(int=1), uuid.UUID(int=2)
    keys = {observations_key(workspace, shard) for workspace in (one, other) for shard in range(SHARDS)}
    assert len(keys) == 2 * SHARDS


def test_the_fingerprint_is_stable() -> None:
    """Stored alerts are found by it: it must not change between versions."""
    plain = b"a" + uuid.UUID(int=1).bytes + uuid.UUID(int=2).bytes + uuid.UUID(int=3).bytes + b'{"a":"1","b":"2"}'
    found = fingerprint(uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3), {"b": "2", "a": "1"})
    assert found == hashlib.sha256(plain).digest()
