"""The rules and frameworks that events name, and the frameworks that other tools' alerts belong to."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.severity import Severity
from convex_common.ids import Ids
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.tables import frameworks, rules
from convex_common.postgres.workspaces import raise_version
from convex_common.redis.cache.counts import CacheCounts
from convex_gateway.ingest.directory import Directory

_NAMES: Final = 100


@dataclass(frozen=True, slots=True)
class KnownRule:
    """What accepting a trigger needs of its rule."""

    framework_id: uuid.UUID
    severity: Severity
    enabled: bool


class RuleDirectory:
    """The rules of a workspace, by id."""

    def __init__(self, database: AsyncDatabase, counts: CacheCounts) -> None:
        self._database = database
        self._rules: Directory[uuid.UUID, KnownRule] = Directory(
            self._load,
            counts=counts,
            lasting=lambda rule: rule.enabled,  # whoever enables a rule may use it at once
        )

    async def find(self, workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, KnownRule]:
        """Those of the rules that there are and that were not deleted, up to 5 s old. StoreUnavailable."""
        return await self._rules.find(workspace_id, ids)

    async def _load(self, workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, KnownRule]:
        query = (
            select(rules.c.id, rules.c.framework_id, rules.c.severity, rules.c.enabled)
            .join(
                frameworks,
                (frameworks.c.workspace_id == rules.c.workspace_id) & (frameworks.c.id == rules.c.framework_id),
            )
            .where(
                rules.c.workspace_id == workspace_id,
                rules.c.id.in_(ids),
                rules.c.deleted_at.is_(None),
                frameworks.c.deleted_at.is_(None),
            )
        )
        async with self._database.transaction(workspace_id) as connection:
            found = (await connection.execute(query)).all()
        return {row.id: KnownRule(row.framework_id, Severity(row.severity), row.enabled) for row in found}


class FrameworkDirectory:
    """The frameworks of a workspace, by id and by the tool that they belong to."""

    def __init__(self, database: AsyncDatabase, ids: Ids, counts: CacheCounts) -> None:
        self._database = database
        self._ids = ids
        self._frameworks: Directory[uuid.UUID, bool] = Directory(self._load, counts=counts)
        self._sources: Directory[str, uuid.UUID] = Directory(self._ensure, counts=counts)

    async def existing(self, workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> Collection[uuid.UUID]:
        """Those of the ids that are frameworks, up to 5 s old. StoreUnavailable."""
        return (await self._frameworks.find(workspace_id, ids)).keys()

    async def ensure_source_framework(self, workspace_id: uuid.UUID, source: str) -> uuid.UUID:
        """The framework of a tool's alerts, such as `alertmanager`, made if there is none. StoreUnavailable."""
        return (await self._sources.find(workspace_id, (source,)))[source]

    async def _load(self, workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, bool]:
        query = select(frameworks.c.id).where(
            frameworks.c.workspace_id == workspace_id, frameworks.c.id.in_(ids), frameworks.c.deleted_at.is_(None)
        )
        async with self._database.transaction(workspace_id) as connection:
            return dict.fromkeys((await connection.execute(query)).scalars(), True)

    async def _ensure(self, workspace_id: uuid.UUID, sources: Collection[str]) -> Mapping[str, uuid.UUID]:
        async with self._database.transaction(workspace_id) as connection:
            return {
                source: await _find(connection, workspace_id, source)
                or await self._make(connection, workspace_id, source)
                for source in sources
            }

    async def _make(self, connection: AsyncConnection, workspace_id: uuid.UUID, source: str) -> uuid.UUID:
        """Whoever is quicker makes it; where a person has taken the name, it gets a number."""
        await raise_version(connection, workspace_id)  # first: it also lets one gateway at a time do this
        for number in range(1, _NAMES):
            made = (
                insert(frameworks)
                .values(
                    workspace_id=workspace_id,
                    id=self._ids.new(),
                    name=source.capitalize() + (f" {number}" if number > 1 else ""),
                    description=f"Alerts that {source.capitalize()} clients send here",
                    source=source,
                )
                .on_conflict_do_nothing()
            )
            await connection.execute(made)
            if found := await _find(connection, workspace_id, source):
                return found
        raise RuntimeError(f"the names of {_NAMES} frameworks begin with {source}")


async def _find(connection: AsyncConnection, workspace_id: uuid.UUID, source: str) -> uuid.UUID | None:
    query = select(frameworks.c.id).where(
        frameworks.c.workspace_id == workspace_id, frameworks.c.source == source, frameworks.c.deleted_at.is_(None)
    )
    found: uuid.UUID | None = (await connection.execute(query)).scalar_one_or_none()
    return found
