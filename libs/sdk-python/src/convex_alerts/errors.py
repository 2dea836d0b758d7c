"""What can go wrong between a client and Convex Alerts."""

# ruff: noqa: N818 - they read as states where they are caught: `except NotFound`

from __future__ import annotations


class ConvexAlertsError(Exception):
    """Anything that the client raises."""


class Unreachable(ConvexAlertsError):
    """No answer came, from the first try to the last."""


class ApiError(ConvexAlertsError):
    """The service answered with a problem: `field` names what is wrong in the request, `cure` says what to do."""

    cure: str | None = None

    def __init__(self, status: int, title: str, *, detail: str = "", field: str | None = None) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field
        super().__init__(f"{detail or title} ({status})" + (f"; {self.cure}" if self.cure else ""))


class Unauthorized(ApiError):
    """401 or 403: the token is missing, expired, or its role does not allow this."""

    cure = "use a fresh token of a member whose role allows it"


class NotFound(ApiError):
    """404: there is no such thing in this workspace."""

    cure = "check the id and the token's workspace"


class Invalid(ApiError):
    """Another 4xx: the same request will never succeed."""


class Unavailable(ApiError):
    """429 or 5xx, still so after the last try: the same request may succeed later."""

    cure = "try again later"


def from_status(status: int) -> type[ApiError]:
    """The error that an HTTP status stands for."""
    if status in (401, 403):
        return Unauthorized
    if status == 404:
        return NotFound
    return Unavailable if status == 429 or status >= 500 else Invalid
