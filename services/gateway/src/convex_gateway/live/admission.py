"""How many sockets, and how fast: per person, workspace and address. Counts of this process."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

_REMEMBERED: Final = 10_000

K = TypeVar("K")


class Refusal(StrEnum):
    """Why a socket is not let in now; each reads as a sentence."""

    TOO_FAST = "too many connections a second from this address"
    ADDRESS_FULL = "too many connections from this address"
    USER_FULL = "too many connections of this user"
    WORKSPACE_FULL = "too many connections of this workspace"


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass
class Admission:
    """Limits of 0 mean no limit. Time is passed in, in seconds."""

    max_per_user: int = 50
    max_per_workspace: int = 0
    max_per_address: int = 0
    connect_rate: float = 0
    _users: defaultdict[UUID, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _workspaces: Counter[UUID] = field(default_factory=Counter)
    _addresses: Counter[str] = field(default_factory=Counter)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def arrive(self, address: str, now: float) -> Refusal | None:
        """A connection from an address; what is not refused must `leave` later."""
        if self.connect_rate and not self._take(address, now):
            return Refusal.TOO_FAST
        if self.max_per_address and self._addresses[address] >= self.max_per_address:
            return Refusal.ADDRESS_FULL
        self._addresses[address] += 1
        return None

    def leave(self, address: str) -> None:
        """A connection that had arrived is gone."""
        _less(self._addresses, address)

    def sign_in(self, workspace_id: UUID, user_id: str) -> Refusal | None:
        """A connection is this person's; what is not refused must `sign_out` later."""
        if self.max_per_user and self._users[workspace_id][user_id] >= self.max_per_user:
            return Refusal.USER_FULL
        if self.max_per_workspace and self._workspaces[workspace_id] >= self.max_per_workspace:
            return Refusal.WORKSPACE_FULL
        self._users[workspace_id][user_id] += 1
        self._workspaces[workspace_id] += 1
        return None

    def sign_out(self, workspace_id: UUID, user_id: str) -> None:
        """The person's connection is gone."""
        _less(self._users[workspace_id], user_id)
        _less(self._workspaces, workspace_id)
        if not self._users[workspace_id]:
            del self._users[workspace_id]

    def _take(self, address: str, now: float) -> bool:
        """A token of the address's bucket, which holds a second's worth."""
        most = max(1.0, self.connect_rate)
        if len(self._buckets) >= _REMEMBERED:
            self._buckets = {
                a: b for a, b in self._buckets.items() if b.tokens + (now - b.at) * self.connect_rate < most
            }
        bucket = self._buckets.setdefault(address, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * self.connect_rate)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
