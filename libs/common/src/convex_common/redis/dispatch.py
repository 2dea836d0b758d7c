"""Dramatiq's enqueue script, with a wake-up token; and the messages that it is given."""

from __future__ import annotations

import time
import uuid
from typing import Final

import dramatiq
from dramatiq.brokers.redis import DEFAULT_HEARTBEAT_TIMEOUT, _scripts

from convex_common.contracts import Contract, P
from convex_common.redis.resp import Part
from convex_common.redis.script import Script
from convex_common.tracing import current_traceparent

TOKENS: Final = 64
"""At most so many wake-up tokens lie beside a queue; each wakes one idle consumer; a stale one costs a fetch."""

MAX_UNPACK: Final = 1000
"""Values that the script may unpack at once: well under Lua's stack, so nobody need ask the server for its limit."""

DEAD_MESSAGE_TTL_MS: Final = 24 * 3600 * 1000
"""Dead letters are messages of contracts that a worker does not know; their rows are found without them."""

_PUSH: Final = b"""    redis.call("rpush", queue_full_name, message_id)


-- Returns up to"""

_PUSH_AND_WAKE: Final = (
    b"""    redis.call("rpush", queue_full_name, message_id)
    if redis.call("llen", queue_full_name .. ".wake") < %d then
        redis.call("rpush", queue_full_name .. ".wake", "1")
    end


-- Returns up to"""
    % TOKENS
)

_UNLESS_DEEP: Final = b"""if redis.call("llen", KEYS[1] .. ":" .. ARGV[3]) >= %d then return 0 end
"""


def namespace(queue_prefix: str) -> str:
    """What every key of the broker begins with."""
    return f"{queue_prefix}:dramatiq"


def wake_key(space: str, queue: str) -> str:
    """The list of a queue's wake-up tokens."""
    return f"{space}:{queue}.wake"


def stock_script() -> bytes:
    """The dispatch script of the dramatiq that is installed."""
    script: bytes = _scripts["dispatch"]
    return script


def with_wake_token(script: bytes) -> bytes | None:
    """The script whose enqueue leaves a token for idle consumers, or None where its text is not the known one."""
    return script.replace(_PUSH, _PUSH_AND_WAKE) if script.count(_PUSH) == 1 else None


def enqueue_script() -> Script:
    """Enqueues a message and wakes a consumer; the stock script where the token cannot be patched in."""
    return Script(with_wake_token(stock_script()) or stock_script())


def hint_script(depth: int) -> Script:
    """The same, but answers 0 and does nothing where `depth` messages wait already."""
    return Script(_UNLESS_DEEP % depth + enqueue_script().text)


def enqueue_arguments(contract: Contract[P], payload: P, traceparent: str | None) -> list[Part]:
    """The script's arguments for one message, in the current trace unless told another; Invalid for a bad payload."""
    redis_message_id = str(uuid.uuid4())
    options = {"redis_message_id": redis_message_id}
    if traceparent := traceparent or current_traceparent():
        options["traceparent"] = traceparent
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=contract.queue, actor_name=contract.name, args=(), kwargs=contract.encode(payload), options=options
    )
    return [
        "enqueue",
        int(time.time() * 1000),
        contract.queue,
        "sender",
        DEFAULT_HEARTBEAT_TIMEOUT,
        DEAD_MESSAGE_TTL_MS,
        0,
        MAX_UNPACK,
        redis_message_id,
        message.encode(),
    ]
