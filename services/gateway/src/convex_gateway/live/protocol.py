"""The frames of `/ws`: what clients may send, parsed and checked, and what the server answers. No I/O."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

import msgspec

from convex_common.errors import Invalid

_Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Token = Annotated[str, msgspec.Meta(min_length=1)]


class Since(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a client stands: it has everything up to `offset` of this epoch."""

    epoch: UUID
    offset: _Offset


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="auth"):
    """Credentials, at the start or to go on after the first ones expire."""

    token: _Token


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="subscribe"):
    """Follow a framework, or the whole workspace; from `since` on, or from now."""

    framework_id: UUID | None = None
    since: Since | None = None


class Unsubscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="unsubscribe"):
    """Follow it no more."""

    framework_id: UUID | None = None


class Ping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="ping"):
    """Are you there?"""


ClientFrame: TypeAlias = Auth | Subscribe | Unsubscribe | Ping

_decode = msgspec.json.Decoder(Auth | Subscribe | Unsubscribe | Ping).decode
_encode = msgspec.json.Encoder().encode

_LAST: Final = 253_402_300_799.0
"""The last second that RFC 3339 can say."""

_AT: Final = re.compile(r"^(?P<message>.*) - at `\$\.?(?P<path>[^`]*)`$", re.DOTALL)
_NAMED: Final = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`$")


def parse(text: str) -> ClientFrame:
    """The frame; Invalid names the field that is wrong, or `frame` where it is none at all."""
    try:
        frame: ClientFrame = _decode(text)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid("frame", f"is no JSON: {error}") from None
    return frame


def _invalid(told: str) -> Invalid:
    """msgspec's sentence with the field in front of it."""
    located = _AT.match(told)
    message, path = (located["message"], located["path"]) if located else (told, "")
    if named := _NAMED.match(message):
        path = f"{path}.{named['name']}" if path else named["name"]
        message = "is missing" if "missing" in message else "is unknown here"
    elif path == "type":
        message = "is none of auth, subscribe, unsubscribe, ping"
    return Invalid(path or "frame", message[:1].lower() + message[1:])


def channel_of(workspace_id: UUID, framework_id: UUID | None) -> str:
    """The name by which the server speaks of a subscription."""
    return f"alerts:{workspace_id}" if framework_id is None else f"alerts:{workspace_id}:{framework_id}"


def auth_success(client_id: str, workspace_id: UUID, user_id: str, expires_at: float, heartbeat_interval: int) -> bytes:
    """Signed in; `expires_at` in seconds since the epoch, infinite for credentials that do not expire."""
    expires = None if math.isinf(expires_at) else dt.datetime.fromtimestamp(min(expires_at, _LAST), dt.UTC)
    return _frame(
        "auth_success",
        client_id=client_id,
        workspace_id=workspace_id,
        user_id=user_id,
        expires_at=expires,
        heartbeat_interval=heartbeat_interval,
    )


def auth_failed(message: str) -> bytes:
    """The credentials do not do, and why."""
    return _frame("auth_failed", message=message)


def subscribed(
    workspace_id: UUID, framework_id: UUID | None, *, epoch: UUID, offset: int, recovered: bool, replayed: int
) -> bytes:
    """`replayed` frames follow and lead up to `offset`; then live."""
    return _frame(
        "subscribed",
        channel=channel_of(workspace_id, framework_id),
        framework_id=framework_id,
        epoch=epoch,
        offset=offset,
        recovered=recovered,
        replayed=replayed,
    )


def unsubscribed(workspace_id: UUID, framework_id: UUID | None) -> bytes:
    """Nothing of it comes any more."""
    return _frame("unsubscribed", channel=channel_of(workspace_id, framework_id))


def error(code: str, message: str) -> bytes:
    """Something is wrong; the socket stays unless it is closed next."""
    return _frame("error", code=code, message=message)


def restart(retry_after: int) -> bytes:
    """The gateway stops: come back in so many milliseconds, which are others for each socket."""
    return _frame(
        "error", code="restart", message="the gateway restarts: come back and resume", retry_after=retry_after
    )


def pong() -> bytes:
    """The answer to a ping."""
    return _frame("pong")


def _frame(kind: str, **fields: Any) -> bytes:
    return _encode({"type": kind, **fields})
