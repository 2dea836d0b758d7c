"""The queues: `make_broker` and `Worker` for consumers, `Sender` and `AsyncSender` for everybody."""

from convex_common.redis.async_sender import AsyncSender
from convex_common.redis.middleware import standard as standard_middleware
from convex_common.redis.sender import Sender
from convex_common.redis.wake import WakeBroker, make_broker
from convex_common.redis.worker import Worker

__all__ = ["AsyncSender", "Sender", "WakeBroker", "Worker", "make_broker", "standard_middleware"]
