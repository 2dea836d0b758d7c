"""What frameworks, rules and channels have in common: rows of a workspace, listed by age, deleted softly."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Table, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")


class Configured(Generic[R]):
    """The rows of one table as records, whose fields are its columns. Deleted ones are not there."""

    def __init__(self, table: Table, record: type[R]) -> None:
        self._table = table
        self._record = record
        self._names = [field.name for field in fields(record)]
        self._columns = [table.c[name] for name in self._names]

    async def find(self, connection: AsyncConnection, workspace_id: uuid.UUID, row_id: uuid.UUID) -> R | None:
        """The record, or None."""
        found = await connection.execute(select(*self._columns).where(*self._alive(workspace_id, row_id)))
        return self._one(found.one_or_none())

    async def page(
        self,
        connection: AsyncConnection,
        workspace_id: uuid.UUID,
        *,
        after: uuid.UUID | None,
        count: int,
        where: Mapping[str, Any] | None = None,
    ) -> Sequence[R]:
        """Up to `count` records after an id, the oldest first; `where` are columns and their values."""
        query = select(*self._columns).where(*self._alive(workspace_id))
        for name, value in (where or {}).items():
            query = query.where(self._table.c[name] == value)
        if after is not None:
            query = query.where(self._table.c.id > after)
        rows = await connection.execute(query.order_by(self._table.c.id).limit(count))
        return [self._of(row) for row in rows]

    async def missing(
        self, connection: AsyncConnection, workspace_id: uuid.UUID, row_ids: Collection[uuid.UUID]
    ) -> set[uuid.UUID]:
        """Those of the ids that this workspace does not have."""
        query = select(self._table.c.id).where(*self._alive(workspace_id), self._table.c.id.in_(row_ids))
        return set(row_ids) - set((await connection.execute(query)).scalars())

    async def create(
        self, connection: AsyncConnection, workspace_id: uuid.UUID, row_id: uuid.UUID, values: Mapping[str, Any]
    ) -> R:
        """The record of a new row with these values."""
        statement = insert(self._table).values(workspace_id=workspace_id, id=row_id, **values)
        made = await connection.execute(statement.returning(*self._columns))
        return self._of(made.one())

    async def change(
        self, connection: AsyncConnection, workspace_id: uuid.UUID, row_id: uuid.UUID, values: Mapping[str, Any]
    ) -> R | None:
        """The record after the change, or None where there is none."""
        statement = update(self._table).where(*self._alive(workspace_id, row_id))
        changed = await connection.execute(statement.values(**values, updated_at=func.now()).returning(*self._columns))
        return self._one(changed.one_or_none())

    async def delete(
        self, connection: AsyncConnection, workspace_id: uuid.UUID, row_id: uuid.UUID, now: dt.datetime
    ) -> bool:
        """Whether it was there, and is no more."""
        statement = update(self._table).where(*self._alive(workspace_id, row_id)).values(deleted_at=now)
        return (await connection.execute(statement)).rowcount == 1

    def _alive(self, workspace_id: uuid.UUID, row_id: uuid.UUID | None = None) -> list[ColumnElement[bool]]:
        columns = self._table.c
        conditions = [columns.workspace_id == workspace_id, columns.deleted_at.is_(None)]
        return conditions if row_id is None else [*conditions, columns.id == row_id]

    def _one(self, row: Row[Any] | None) -> R | None:
        return None if row is None else self._of(row)

    def _of(self, row: Row[Any]) -> R:
        return self._record(**dict(zip(self._names, row, strict=True)))
