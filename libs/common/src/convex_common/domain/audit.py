"""The audit log: what people and programs did, one chain per workspace, which tells where it was tampered with."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

VERSION: Final = "convex-audit-1"
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did. `action` is `noun.verb_past`, `subject` `noun:id`; `detail` is told as JSON, never a secret.

    Without a `trace_id` it is the one of the current span, where there is any.
    """

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: its last record's sequence and hash; before the first, 0 and nothing."""

    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """An act as it was recorded. `detail` is PostgreSQL's own text of the JSON, which is what was hashed."""

    workspace_id: uuid.UUID
    sequence: int
    at: dt.datetime
    actor: str
    action: str
    subject: str
    detail: str
    trace_id: str | None
    previous_hash: bytes
    hash: bytes

    @property
    def head(self) -> Head:
        """The chain's head while this was its last record."""
        return Head(self.sequence, self.hash)


class Fault(StrEnum):
    """How a chain is broken."""

    MISSING = "missing"
    MISPLACED = "misplaced"
    ALTERED = "altered"
    UNLINKED = "unlinked"
    CUT_OFF = "cut_off"
    HEAD_DIFFERS = "head_differs"
    ANCHOR_DIFFERS = "anchor_differs"


MEANINGS: Final = {
    Fault.MISSING: "the record with this number is missing",
    Fault.MISPLACED: "this record is not where its number says, or belongs to another workspace",
    Fault.ALTERED: "a field of this record was changed after it was written",
    Fault.UNLINKED: "this record does not follow the one before it: one of the two was replaced",
    Fault.CUT_OFF: "the records from here on to the head are missing",
    Fault.HEAD_DIFFERS: "the head is not that of the last record",
    Fault.ANCHOR_DIFFERS: "the record is not the one that the anchor was taken of",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where a chain is broken."""

    sequence: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many records were in order, and the first place where they were not."""

    records: int
    broken: Broken | None


def hash_of(record: Record) -> bytes:
    """What the record's hash has to be: `audit_hash` of the schema in Python."""
    fields = (
        VERSION,
        str(record.workspace_id),
        str(record.sequence),
        str((record.at - EPOCH) // dt.timedelta(microseconds=1)),
        record.actor,
        record.action,
        record.subject,
        record.detail,
        record.trace_id or "",
        record.previous_hash.hex(),
    )
    return hashlib.sha256(b"".join(map(_netstring, fields))).digest()


def verify(
    workspace_id: uuid.UUID, records: Iterable[Record], head: Head | None, anchors: Collection[Head] = ()
) -> Verdict:
    """Holds a workspace's records, in the order of their sequence, against one another and against the head.

    `anchors` are heads that were noted earlier, outside the database: a chain that was rewritten as a whole, head and
    all, passes without one and not with one.
    """
    expected = {anchor.sequence: anchor.hash for anchor in anchors if anchor.sequence}
    last = Head(0, b"")
    for record in records:
        fault = _fault(workspace_id, record, last, expected)
        if fault is not None:
            place = last.sequence + 1 if fault is Fault.MISSING else record.sequence
            return Verdict(last.sequence, Broken(place, fault))
        last = record.head
    return Verdict(last.sequence, _broken_end(last, head or Head(0, b""), max(expected, default=0)))


def _fault(workspace_id: uuid.UUID, record: Record, last: Head, expected: Mapping[int, bytes]) -> Fault | None:
    if record.workspace_id != workspace_id or record.sequence <= last.sequence:
        return Fault.MISPLACED
    if record.sequence > last.sequence + 1:
        return Fault.MISSING
    if record.hash != hash_of(record):
        return Fault.ALTERED
    if record.previous_hash != last.hash:
        return Fault.UNLINKED
    if expected.get(record.sequence, record.hash) != record.hash:
        return Fault.ANCHOR_DIFFERS
    return None


def _broken_end(last: Head, head: Head, anchored: int) -> Broken | None:
    if max(head.sequence, anchored) > last.sequence:
        return Broken(last.sequence + 1, Fault.CUT_OFF)
    if head != last:
        return Broken(last.sequence, Fault.HEAD_DIFFERS)
    return None


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], *, secret: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """The fields that `after` changes: `{"from": …, "to": …}`, and of a secret one only that it changed."""
    return {
        name: {"changed": True} if name in secret else {"from": before.get(name), "to": value}
        for name, value in after.items()
        if value != before.get(name)
    }


def _netstring(field: str) -> bytes:
    """`LENGTH:BYTES,`: no two lists of fields have the same bytes."""
    encoded = field.encode()
    return b"%d:%b," % (len(encoded), encoded)
