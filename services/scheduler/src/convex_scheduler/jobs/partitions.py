"""Partitions: makes the slices of the time-partitioned tables before they are needed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from convex_common.postgres.database import Limits, connect, unavailable
from convex_common.postgres.job_runner import Lease
from convex_common.postgres.partitions import LOCK, make_ahead

NAME: Final = "partitions"


class MakePartitions:
    """A job. Works as the owner of the tables; a migration under way is waited for."""

    def __init__(self, owner_url: str, limits: Limits) -> None:
        self._owner_url = owner_url
        self._limits = limits

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """The names of the partitions that were missing, as of now and not of the slot: the past needs none."""
        owner = connect(self._owner_url, "convex-scheduler", self._limits)
        try:
            owner.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            return {"made": make_ahead(owner, dt.datetime.now(dt.UTC))}
        except psycopg.OperationalError as error:
            raise unavailable(error) from error
        finally:
            owner.close()
