"""The tree of errors. Each says in one sentence what is wrong, and where it helps, the cure and when to come back."""

# ruff: noqa: N818 - they read as states where they are raised: `raise NotFound(…)`

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class ConvexError(Exception):
    """Anything that we raise on purpose; `retry` says whether the same call may succeed later."""

    retry: ClassVar[bool] = False

    def __init__(self, message: str, *, cure: str | None = None) -> None:
        super().__init__(message if cure is None else f"{message}; {cure}")
        self.message = message
        self.cure = cure


class SettingsError(ConvexError):
    """A setting is missing or malformed; the message names it."""


class NotFound(ConvexError):
    """There is no such thing in this workspace."""


class Forbidden(ConvexError):
    """The role does not allow it."""


class Unauthorized(ConvexError):
    """There are no valid credentials."""


class Conflict(ConvexError):
    """The thing's state does not allow it."""


class InFlight(Conflict):
    """The same request, by its Idempotency-Key, is being answered; the same call gets that answer in a moment."""

    retry = True
    retry_after: ClassVar[float] = 1.0

    def __init__(self) -> None:
        super().__init__(
            "a request with this Idempotency-Key is under way", cure="send it again in a second to get its answer"
        )


class QuotaReached(Conflict):
    """The workspace has as many of these as it may have."""


class RateLimited(ConvexError):
    """Too much in too short a time; the same call may succeed in `retry_after` seconds.

    `headers` tell the limit that was reached.
    """

    retry = True

    def __init__(self, message: str, retry_after: float, headers: Mapping[str, str]) -> None:
        super().__init__(message, cure="send less, or spread it over more time")
        self.retry_after = retry_after
        self.headers = headers


class Invalid(ConvexError):
    """A field is wrong; nothing was changed."""

    def __init__(self, field: str, message: str, *, cure: str | None = None) -> None:
        super().__init__(f"{field}: {message}", cure=cure)
        self.field = field


class StoreUnavailable(ConvexError):
    """PostgreSQL or Redis cannot be reached; the same call may succeed in `retry_after` seconds."""

    retry = True

    def __init__(self, message: str = "A store is unavailable", retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LeaseLost(ConvexError):
    """Another worker holds the rows by now; roll back and leave them to it."""


class ChannelError(ConvexError):
    """A channel did not take a delivery."""


class ChannelUnavailable(ChannelError):
    """It may take it later, in `retry_after` seconds where it said so."""

    retry = True

    def __init__(self, message: str = "The channel is unavailable", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChannelRejected(ChannelError):
    """It will never take it: not retried."""


class PreconditionFailed(ConvexError):
    """It has changed since the version that the caller saw."""
