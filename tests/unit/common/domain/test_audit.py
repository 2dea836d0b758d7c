"""The chain's verifier, without a database: every tampering is found where it was done."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.audit import (
    Broken,
    Fault,
    Head,
    Record,
    differences,
    hash_of,
    verify,
)

WORKSPACE = uuid.UUID("01890000-0000-7000-8000-000000000001")
OTHER = uuid.UUID("01890000-0000-7000-8000-000000000002")
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)


def chain_of(length: int, workspace_id: uuid.UUID = WORKSPACE) -> list[Record]:
    """Records as the database makes them."""
    made: list[Record] = []
    previous = b""
    for sequence in range(1, length + 1):
        at = NOW + dt.timedelta(seconds=sequence)
        record = Record(workspace_id, sequence, at, "ada", "rule.changed", f"rule:{sequence}", '{"to": 1}', None,
                        previous, b"")  # fmt: skip
        made.append(replace(record, hash=hash_of(record)))
        previous = made[-1].hash
    return made


def rehashed(record: Record) -> Record:
    """What somebody writes who knows how hashes are made."""
    return replace(record, hash=hash_of(record))


def test_a_sound_chain_is_sound() -> None:
    for length in (0, 1, 2, 50):
        records = chain_of(length)
        head = records[-1].head if records else None
        verdict = verify(WORKSPACE, records, head, [record.head for record in records])
        assert (verdict.records, verdict.broken) == (length, None)


Tamper = Callable[[list[Record]], list[Record]]
FIELDS: dict[str, dict[str, object]] = {
    "time": {"at": NOW},
    "actor": {"actor": "eve"},
    "action": {"action": "rule.created"},
    "subject": {"subject": "rule:0"},
    "detail": {"detail": '{"to": 2}'},
    "trace": {"trace_id": "0af7651916cd43dd8448eb211c80319c"},
    "hash": {"hash": b"\0" * 32},
}
TAMPERED: dict[str, tuple[Tamper, Broken]] = {
    "one deleted": (lambda r: r[:3] + r[4:], Broken(4, Fault.MISSING)),
    "the first deleted": (lambda r: r[1:], Broken(1, Fault.MISSING)),
    "the last deleted": (lambda r: r[:-1], Broken(9, Fault.CUT_OFF)),
    "all deleted": (lambda _: [], Broken(1, Fault.CUT_OFF)),
    "two swapped": (lambda r: [*r[:3], r[4], r[3], *r[5:]], Broken(4, Fault.MISSING)),
    "one twice": (lambda r: [*r[:4], r[3], *r[4:]], Broken(4, Fault.MISPLACED)),
    "renumbered over a gap": (
        lambda r: r[:3] + [replace(x, sequence=x.sequence - 1) for x in r[4:]],
        Broken(4, Fault.ALTERED),
    ),
    "another workspace's": (lambda r: [*r[:3], *chain_of(9, OTHER)[3:4], *r[4:]], Broken(4, Fault.MISPLACED)),
    "edited, with its hash": (
        lambda r: [*r[:3], rehashed(replace(r[3], actor="eve")), *r[4:]],
        Broken(5, Fault.UNLINKED),
    ),
    "the last edited, with its hash": (
        lambda r: [*r[:-1], rehashed(replace(r[-1], actor="eve"))],
        Broken(9, Fault.HEAD_DIFFERS),
    ),
    "one more at the end": (
        lambda r: [*r, rehashed(replace(r[-1], sequence=10, previous_hash=r[-1].hash))],
        Broken(10, Fault.HEAD_DIFFERS),
    ),
    **{
        f"{name} edited": (
            lambda r, changed=changed: [*r[:3], replace(r[3], **changed), *r[4:]],  # type: ignore[misc]
            Broken(4, Fault.ALTERED),
        )
        for name, changed in FIELDS.items()
    },
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found_where_it_was_done(name: str) -> None:
    tamper, broken = TAMPERED[name]
    records = chain_of(9)
    verdict = verify(WORKSPACE, tamper(records), records[-1].head)
    assert verdict.broken == broken


def test_a_chain_without_its_head_is_broken() -> None:
    assert verify(WORKSPACE, chain_of(3), None).broken == Broken(3, Fault.HEAD_DIFFERS)


def test_a_chain_written_anew_passes_without_an_anchor_and_not_with_one() -> None:
    records = chain_of(9)
    anchors = [records[5].head]
    forged: list[Record] = []
    for record in records:
        edited = replace(record, actor="eve", previous_hash=forged[-1].hash if forged else b"")
        forged.append(rehashed(edited))
    assert verify(WORKSPACE, forged, forged[-1].head).broken is None
    assert verify(WORKSPACE, forged, forged[-1].head, anchors).broken == Broken(6, Fault.ANCHOR_DIFFERS)
    assert verify(WORKSPACE, forged[:3], forged[2].head, anchors).broken == Broken(4, Fault.CUT_OFF)
    assert verify(WORKSPACE, [], Head(0, b""), anchors).broken == Broken(1, Fault.CUT_OFF)


TEXT = st.text(max_size=8)


@given(st.lists(TEXT, min_size=4, max_size=4), st.lists(TEXT, min_size=4, max_size=4))
def test_no_two_different_records_have_one_hash(one: list[str], other: list[str]) -> None:
    def record(fields: list[str]) -> Record:
        return Record(WORKSPACE, 1, NOW, fields[0], fields[1], fields[2], fields[3], None, b"", b"")

    assert (hash_of(record(one)) == hash_of(record(other))) is (one == other)


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_no_reordering_or_deletion_passes(seed: int, length: int) -> None:
    records = chain_of(length)
    chosen = random.Random(seed)
    others = chosen.sample(records, chosen.randint(0, length))
    if others != records:
        assert verify(WORKSPACE, others, records[-1].head).broken is not None


def test_differences_tell_what_changed_and_no_secret() -> None:
    before = {"name": "a", "url": "x", "secret": "old", "same": 1}
    after = {"name": "b", "secret": "new", "same": 1, "added": True}
    assert differences(before, after, secret={"secret"}) == {
        "name": {"from": "a", "to": "b"},
        "secret": {"changed": True},
        "added": {"from": None, "to": True},
    }
