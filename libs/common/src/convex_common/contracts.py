"""Every queue message, in flow order. A message is a hint that says what is due, never the only copy of anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Protocol, Self, TypeVar

import msgspec
from msgspec import Meta

from convex_common.domain.fingerprint import SHARDS
from convex_common.errors import Invalid

MAX_DELIVERIES: Final = 100
"""Ids in one hint at most; what does not fit goes into a next one."""

Shard = Annotated[int, Meta(ge=0, lt=SHARDS)]
Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
JobName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Slot = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$")]


@dataclass(frozen=True, slots=True)
class EventsAccepted:
    """These shards have new rows in the inbox."""

    shards: Annotated[tuple[Shard, ...], Meta(min_length=1, max_length=SHARDS)]

    def merged(self, other: Self) -> Self:
        """One hint instead of two."""
        return type(self)(shards=tuple(sorted({*self.shards, *other.shards})))


@dataclass(frozen=True, slots=True)
class DeliveryIds:
    """These deliveries are due; at most 100 ids."""

    ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_DELIVERIES)]


@dataclass(frozen=True, slots=True)
class JobDue:
    """A scheduled job is due for a slot, given as an RFC 3339 time; job and slot together are its key."""

    job: JobName
    slot: Slot


class Mergeable(Protocol):
    """A payload of which two make one, so that hints gather while an earlier one is under way."""

    def merged(self, other: Self) -> Self: ...


P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Contract(Generic[P]):
    """A message's name, queue and payload; it is sent by name, so that senders import no consumer."""

    name: str
    queue: str
    payload: type[P]

    def encode(self, payload: P) -> dict[str, Any]:
        """The payload as plain JSON values; Invalid where it breaks its own bounds."""
        data: dict[str, Any] = msgspec.to_builtins(payload)
        self.decode(data)
        return data

    def decode(self, data: Mapping[str, Any]) -> P:
        """The payload back, or Invalid naming what is unknown, missing or malformed."""
        if unknown := sorted(set(data) - self.payload.__annotations__.keys()):
            raise Invalid(self.name, f"unknown field {unknown[0]!r}", cure="sender and consumer differ in version")
        try:
            return msgspec.convert(data, self.payload)
        except msgspec.ValidationError as error:
            raise Invalid(self.name, str(error)) from None


EVENTS_ACCEPTED: Final = Contract("events_accepted", "alert", EventsAccepted)
DELIVERIES_DUE: Final = Contract("deliveries_due", "notification", DeliveryIds)
JOB_DUE: Final = Contract("job_due", "analytics", JobDue)
PREDICTION_DUE: Final = Contract("prediction_due", "prediction", JobDue)

CONTRACTS: Final[tuple[Contract[Any], ...]] = (EVENTS_ACCEPTED, DELIVERIES_DUE, JOB_DUE, PREDICTION_DUE)
QUEUES: Final = tuple(contract.queue for contract in CONTRACTS)
