"""What a request to the cluster's API can come to."""

# ruff: noqa: N818 - they read as states, like those in convex_common.errors

from __future__ import annotations

from convex_common.errors import ConvexError


class ClusterError(ConvexError):
    """The cluster's API did not do as it was asked; `status` is HTTP's, 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ClusterAway(ClusterError):
    """It does not answer, or not now: the same request may succeed, after `retry_after` seconds where it said so."""

    retry = True

    def __init__(self, message: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class ClusterRefused(ClusterError):
    """It answers and refuses: a right is missing, a quota is used up, an object is not there."""


class AlreadyThere(ClusterError):
    """There is an object of this name."""
