"""The names of the cache's keys: prefix, workspace, epoch of its data, class, format, and what was asked for."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from uuid import UUID

from convex_common.redis.cache.classes import CacheClass

KIND: Final = "cache"


def marks_key(prefix: str, workspace_id: UUID, epoch: UUID) -> str:
    """Where a workspace's marks are. The braces keep all of its keys on one node of a cluster."""
    return f"{prefix}:{KIND}:{{{workspace_id}}}:{epoch}:marks"


def entry_key(prefix: str, workspace_id: UUID, epoch: UUID, kind: CacheClass, asked: str) -> str:
    """Where one answer is. `asked` says everything that it depends on beside its workspace."""
    digest = blake2b(asked.encode(), digest_size=16).hexdigest()
    return f"{prefix}:{KIND}:{{{workspace_id}}}:{epoch}:{kind.name}:{kind.format}:{digest}"


def entries_pattern(prefix: str, workspace_id: UUID, kind: CacheClass) -> str:
    """Matches the answers of a class in a workspace."""
    return f"{prefix}:{KIND}:{{{workspace_id}}}:*:{kind.name}:*"


def namespace_pattern(prefix: str) -> str:
    """Matches every key of a prefix's cache."""
    return f"{prefix}:{KIND}:*"


def class_of(prefix: str, key: str) -> str | None:
    """The class of an answer's key; None for another key."""
    _, _, rest = key.removeprefix(f"{prefix}:{KIND}:").partition(":")
    parts = rest.split(":")
    return parts[1] if len(parts) == 4 else None
