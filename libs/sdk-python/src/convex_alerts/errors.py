"""What can go wrong between a client and Convex Alerts."""

# ruff: noqa: N818 - they read as states where they are caught: `except NotFound`

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ConvexAlertsError(Exception):
    """Anything that the client raises."""


class Unreachable(ConvexAlertsError):
    """No answer came, from the first try to the last."""


class FeedClosed(ConvexAlertsError):
    """The live feed has ended for good, by a close code of 4400 to 4499: coming back would not help."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"the live feed is closed: {reason or 'no reason was given'} ({code})")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field; `field` is its path: `labels.team`, `[3].value`."""

    field: str
    message: str


class ApiError(ConvexAlertsError):
    """The service answered with a problem: `errors` and `field` name what is wrong in the request, `cure` what to do.

    `kind` is the problem's type without its prefix, such as `conflict`; `instance` leads to the server's log.
    """

    cure: str | None = None

    def __init__(
        self,
        status: int,
        title: str,
        *,
        detail: str = "",
        field: str | None = None,
        errors: Sequence[FieldProblem] = (),
        kind: str = "",
        instance: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field
        self.errors = tuple(errors)
        self.kind = kind
        self.instance = instance
        self.retry_after = retry_after
        told = f"{detail or title} ({status})" + (f" [{instance}]" if instance else "")
        super().__init__(told + (f"; {self.cure}" if self.cure else ""))


class Unauthorized(ApiError):
    """401 or 403: the token is missing, expired, or its role does not allow this."""

    cure = "use a fresh token of a member whose role allows it"


class Forbidden(Unauthorized):
    """403: the token is good, and its role or scopes do not allow this."""

    cure = "use the token of a member whose role allows it"


class NotFound(ApiError):
    """404: there is no such thing in this workspace."""

    cure = "check the id and the token's workspace"


class Invalid(ApiError):
    """Another 4xx: the same request will never succeed."""


class Conflict(Invalid):
    """409: the state of things does not allow it, such as resolving what is resolved."""


class Outdated(Conflict):
    """412: it has moved on from the version that was named."""

    cure = "read it again, and decide anew"


class TooLarge(Invalid):
    """413: send it in parts."""

    cure = "send it in smaller parts"


class Unavailable(ApiError):
    """429 or 5xx, still so after the last try: the same request may succeed later."""

    cure = "try again later"


class RateLimited(Unavailable):
    """429: too much at once; `retry_after` seconds are asked for."""


def from_status(status: int) -> type[ApiError]:
    """The error that an HTTP status stands for."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Unavailable if status >= 500 else Invalid


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Outdated,
    413: TooLarge,
    429: RateLimited,
}
