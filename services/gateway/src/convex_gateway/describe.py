"""`python -m convex_gateway.describe` prints the OpenAPI document, without any store. SDKs are generated from it."""

from __future__ import annotations

import json
import sys

from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from convex_common.metrics import Metrics
from convex_common.postgres.database import Database
from convex_common.redis.live import LivePublisher
from convex_common.redis.sender import Sender
from convex_gateway.app import create_app
from convex_gateway.main import APPLICATION, wired
from convex_gateway.settings import GatewaySettings

_POSTGRES = "postgresql://nobody@127.0.0.1:1/none"
_REDIS = "redis://127.0.0.1:1/0"


def document() -> str:
    """As `/openapi.json` gives it, with sorted keys, so that a diff shows what has changed."""
    settings = GatewaySettings.model_validate(
        {
            "database_url": _POSTGRES,
            "redis_url": _REDIS,
            "jwt_secret": "it signs nothing, and has 32 bytes and more",
            "encryption_keys": Fernet.generate_key().decode(),
        }
    )
    gateway = wired(
        settings,
        Metrics(CollectorRegistry()),
        Database(_POSTGRES, APPLICATION),
        LivePublisher(_REDIS, settings.queue_prefix),
        Sender(_REDIS, settings.queue_prefix),
    )
    return json.dumps(create_app(gateway).openapi(), indent=1, sort_keys=True, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(document() + "\n")
