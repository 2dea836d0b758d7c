"""What the gateway's parts share; made by `main.py`, or by a test with fakes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from convex_gateway.auth import Authenticator
from convex_gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from convex_common.ids import Ids
    from convex_common.measures import Measures
    from convex_common.metrics import Metrics
    from convex_common.ports import FeedPublisher
    from convex_common.postgres.alert_actions import AlertActions
    from convex_common.postgres.async_database import AsyncDatabase
    from convex_common.redis.async_sender import AsyncSender
    from convex_common.redis.cache.cache import Cache
    from convex_common.redis.measures import MeasureStore
    from convex_common.secretbox import SecretBox
    from convex_gateway.documents import Documents
    from convex_gateway.ingest.writer import InboxWriter
    from convex_gateway.jwks import KeySet
    from convex_gateway.limits.limiter import RateLimits
    from convex_gateway.limits.quotas import Quotas
    from convex_gateway.live.hub import Hub
    from convex_gateway.signin.provider import Provider
    from convex_gateway.signin.sessions import Sessions


@dataclass
class Gateway:
    """`serving` is what /readyz tells: true from the end of start-up until shutdown begins, whatever the stores do."""

    settings: GatewaySettings
    database: AsyncDatabase
    authenticator: Authenticator
    actions: AlertActions
    metrics: Metrics
    measures: Measures
    measure_store: MeasureStore
    cache: Cache
    ids: Ids
    sender: AsyncSender
    writer: InboxWriter
    hub: Hub
    publisher: FeedPublisher
    secrets: SecretBox
    sessions: Sessions
    limits: RateLimits
    quotas: Quotas
    documents: Documents
    keys: KeySet | None = None
    provider: Provider | None = None
    trials: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held by whoever tries a rule on the past: one at a time."""
    serving: bool = field(default=False)
