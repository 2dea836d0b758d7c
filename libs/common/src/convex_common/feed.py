"""Messages of the live feed: how they travel through Redis, and the frames that sockets get.

On the channel of a workspace, a header line and then the frame, which a gateway writes to its sockets as it is:

    e<offset> <framework id> <epoch>                        a change of an alert, for its framework and the workspace
    e<offset> <framework id> <epoch> <traceparent> <ms>     the same where its trace is kept; accepted at this Unix time
    n<JSON list of user ids, or null for every member>      an in-app notification
    m{"framework_id": …, "client_id": …}                    a broadcast; both null for the whole workspace
    r<JSON user id>                                         what this member or key may has changed; no frame
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from convex_common.domain.alert import Event
from convex_common.errors import Invalid

EVENTS: Final = frozenset(event.value for event in Event)
"""What can happen to an alert, as the `event` of its frames."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """A change of an alert, at its workspace's offset within an epoch.

    `facets` are for the cache beside the feed and do not travel; none of them means that anything may have changed.
    `traceparent` is what led to the change, and `accepted_ms` when it came in, in milliseconds since the epoch; they
    travel where the trace is kept.
    """

    workspace_id: UUID
    offset: int
    framework_id: UUID
    epoch: UUID
    frame: bytes
    facets: tuple[str, ...] = ()
    traceparent: str | None = None
    accepted_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LiveNotification:
    """An in-app notification for some members, or for all of them (None)."""

    workspace_id: UUID
    user_ids: tuple[str, ...] | None
    frame: bytes


@dataclass(frozen=True, slots=True)
class LiveBroadcast:
    """A person's message to one client, to a framework's subscribers, or (both None) to the workspace."""

    workspace_id: UUID
    framework_id: UUID | None
    client_id: str | None
    frame: bytes


@dataclass(frozen=True, slots=True)
class LiveRevocation:
    """What a member or a key may has changed: whoever remembers it looks again. For gateways; no socket gets it."""

    workspace_id: UUID
    user_id: str


LiveMessage: TypeAlias = LiveEvent | LiveNotification | LiveBroadcast | LiveRevocation


class _Audience(msgspec.Struct, forbid_unknown_fields=True):
    framework_id: UUID | None
    client_id: str | None


_users = msgspec.json.Decoder(tuple[str, ...] | None)
_audience = msgspec.json.Decoder(_Audience)
_user = msgspec.json.Decoder(str)


def channel(queue_prefix: str, workspace_id: UUID) -> str:
    """The Redis channel of a workspace."""
    return f"{queue_prefix}:live:{workspace_id}"


def encode(message: LiveMessage, span: str | None = None) -> bytes:
    """A message as it travels on its workspace's channel; `span` is the traceparent of its publishing."""
    match message:
        case LiveEvent():
            head = b"e%d %b %b" % (message.offset, str(message.framework_id).encode(), str(message.epoch).encode())
            if span is not None:
                head += b" %b %d" % (span.encode(), message.accepted_ms or 0)
        case LiveNotification():
            head = b"n" + msgspec.json.encode(message.user_ids)
        case LiveBroadcast():
            head = b"m" + msgspec.json.encode(_Audience(message.framework_id, message.client_id))
        case LiveRevocation():
            return b"r%b\n" % msgspec.json.encode(message.user_id)
    return head + b"\n" + message.frame


def decode(workspace_id: UUID, payload: bytes) -> LiveMessage:
    """The message back; Invalid if it is none of ours."""
    head, newline, frame = payload.partition(b"\n")
    if not newline:
        raise Invalid("payload", "a live message has a header line and a frame")
    kind, rest = head[:1], head[1:]
    try:
        if kind == b"e":
            offset, framework_id, epoch, *trace = rest.decode("ascii").split(" ")
            if not offset.isdecimal():
                raise ValueError(f"offset {offset!r} is no number")
            event = LiveEvent(workspace_id, int(offset), UUID(framework_id), UUID(epoch), frame)
            if not trace:
                return event
            traceparent, accepted = trace
            return replace(event, traceparent=traceparent, accepted_ms=int(accepted) or None)
        if kind == b"n":
            return LiveNotification(workspace_id, _users.decode(rest), frame)
        if kind == b"m":
            audience = _audience.decode(rest)
            return LiveBroadcast(workspace_id, audience.framework_id, audience.client_id, frame)
        if kind == b"r":
            return LiveRevocation(workspace_id, _user.decode(rest))
    except ValueError as error:
        raise Invalid("payload", f"malformed live message: {error}") from None
    raise Invalid("payload", f"unknown kind of live message {kind!r}")


def event_frame(event: str, offset: int, data: bytes) -> bytes:
    """The `alert` frame around an alert that is JSON already: joined, not encoded again."""
    if event not in EVENTS:
        raise Invalid("event", f"{event!r} is no event of the feed")
    return b'{"type":"alert","event":"%b","offset":%d,"data":%b}' % (event.encode(), offset, data)


def position_frame(offset: int) -> bytes:
    """The `position` frame: where the workspace's feed stands."""
    return b'{"type":"position","offset":%d}' % offset


def message_frame(data: bytes) -> bytes:
    """The `message` frame around a broadcast's JSON."""
    return b'{"type":"message","data":%b}' % data


def notification_frame(data: bytes) -> bytes:
    """The `notification` frame around a notification's JSON."""
    return b'{"type":"notification","data":%b}' % data
