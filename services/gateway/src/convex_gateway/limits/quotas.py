"""How many of a thing a workspace may have."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.errors import QuotaReached

if TYPE_CHECKING:
    from convex_gateway.settings import GatewaySettings


class Quota(StrEnum):
    """What is counted; the value is the table, and `QUOTA_…` with it the setting."""

    FRAMEWORKS = "frameworks"
    RULES = "rules"
    CHANNELS = "channels"
    MEMBERS = "members"
    API_KEYS = "api_keys"

    @property
    def words(self) -> str:
        """As a sentence calls them."""
        return "API keys" if self is Quota.API_KEYS else self.value


_COUNTS: Final = {
    quota: text(f"SELECT count(*) FROM {quota} WHERE workspace_id = :workspace{which}")  # noqa: S608 - our own words
    for quota, which in {
        Quota.FRAMEWORKS: " AND deleted_at IS NULL AND source IS NULL",  # other tools' are made by themselves
        Quota.RULES: " AND deleted_at IS NULL",
        Quota.CHANNELS: " AND deleted_at IS NULL",
        Quota.MEMBERS: "",
        Quota.API_KEYS: " AND revoked_at IS NULL",
    }.items()
}
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:key)")


@dataclass(frozen=True)
class Quotas:
    """The most of each; none where it is not listed."""

    most: Mapping[Quota, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: GatewaySettings) -> Quotas:
        """As the settings have them; quotas of 0 are left out."""
        return cls({quota: most for quota in Quota if (most := getattr(settings, f"quota_{quota}"))})

    async def check(self, connection: AsyncConnection, workspace_id: uuid.UUID, quota: Quota) -> None:
        """QuotaReached where the workspace has all that it may have. Whoever makes one more waits for this transaction.

        Call it right before the row is made, in the same transaction.
        """
        most = self.most.get(quota)
        if most is None:
            return
        await connection.execute(_LOCK, {"key": _lock_key(workspace_id, quota)})
        counted = await connection.execute(_COUNTS[quota], {"workspace": workspace_id})
        if counted.scalar_one() >= most:
            raise QuotaReached(
                f"this workspace has {most} {quota.words} and may have no more",
                cure=f"delete some, or have QUOTA_{quota.upper()} raised",
            )


def _lock_key(workspace_id: uuid.UUID, quota: Quota) -> int:
    digest = hashlib.sha256(workspace_id.bytes + quota.encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
