"""Keys: what makes two triggers the same alert, and two observations the same series."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

import msgspec

SHARDS = 64
_ENCODER = msgspec.json.Encoder(order="sorted")


def fingerprint(
    workspace_id: uuid.UUID, framework_id: uuid.UUID, rule_id: uuid.UUID | None, labels: Mapping[str, str]
) -> bytes:
    """SHA-256 of workspace, framework, rule and sorted labels, 32 bytes.

    `labels` are the trigger's own; another tool's alert without a rule here has `rule_id` None.
    """
    rule = rule_id.bytes if rule_id else bytes(16)
    return hashlib.sha256(b"a" + workspace_id.bytes + framework_id.bytes + rule + _ENCODER.encode(labels)).digest()


def series_key(workspace_id: uuid.UUID, framework_id: uuid.UUID, metric: str, labels: Mapping[str, str]) -> bytes:
    """SHA-256 of workspace, framework, metric and sorted labels, 32 bytes."""
    return hashlib.sha256(b"s" + workspace_id.bytes + framework_id.bytes + _ENCODER.encode((metric, labels))).digest()


def shard_of(key: bytes) -> int:
    """The inbox shard of a key, 0 to 63: events of one key share a shard and so keep their order."""
    return key[0] % SHARDS


def observations_key(workspace_id: uuid.UUID, shard: int) -> bytes:
    """The key of everything that observations of a shard's series do: one order for all of a workspace's in a shard."""
    return b"o" + workspace_id.bytes + bytes((shard,))
