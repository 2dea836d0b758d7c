"""What can go wrong between a client and Convex Alerts."""

# ruff: noqa: N818 - they read as states where they are caught: `except NotFound`

from __future__ import annotations


class ConvexAlertsError(Exception):
    """Anything that the client raises."""


class Unreachable(ConvexAlertsError):
    """No answer came, from the first try to the last."""


class ApiError(ConvexAlertsError):
    """The service answered with a problem: `field` names what is wrong in the request, `cure` says what to do."""

    def __init__(self, status: int, title: str, *, detail: str = "", field: str | None = None, cure: str | None = None):
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field
        self.cure = cure
        said = detail or title
        where = f"{field}: " if field and not said.startswith(field) else ""
        super().__init__(f"{where}{said} ({status})" + (f"; {cure}" if cure else ""))


class Unauthorized(ApiError):
    """401 or 403: the token is missing, expired, or its role does not allow this."""


class NotFound(ApiError):
    """404: there is no such thing in this workspace."""


class Invalid(ApiError):
    """Another 4xx: the same request will never succeed."""


class Unavailable(ApiError):
    """429 or 5xx, still so after the last try: the same request may succeed later."""


def from_status(status: int) -> type[ApiError]:
    """The error that an HTTP status stands for."""
    if status in (401, 403):
        return Unauthorized
    if status == 404:
        return NotFound
    return Unavailable if status == 429 or status >= 500 else Invalid
