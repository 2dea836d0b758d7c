"""Channels as rows, for those who configure them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convex_common.postgres import tables
from convex_common.postgres.configured import Configured


@dataclass(frozen=True, slots=True)
class Channel:
    """A destination as stored; `secrets` is sealed."""

    id: uuid.UUID
    kind: str
    name: str
    config: Mapping[str, Any]
    secrets: bytes | None
    min_severity: str
    matchers: Sequence[Mapping[str, str]]
    enabled: bool
    created_at: dt.datetime
    updated_at: dt.datetime


channels = Configured(tables.channels, Channel)
