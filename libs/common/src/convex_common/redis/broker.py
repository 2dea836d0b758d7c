"""The queues: `make_broker` and `Worker` for consumers, `Sender` for everybody (the event loop's is `async_sender`)."""

from convex_common.redis.middleware import standard as standard_middleware
from convex_common.redis.sender import Sender
from convex_common.redis.wake import WakeBroker, make_broker
from convex_common.redis.worker import Worker

__all__ = ["Sender", "WakeBroker", "Worker", "make_broker", "standard_middleware"]
