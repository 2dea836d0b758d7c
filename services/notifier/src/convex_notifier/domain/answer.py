"""How a channel answered an attempt."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; who asks for more is asked again after an hour."""

LONGEST_ERROR = 500
LONGEST_EXCERPT = 4096

TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""The client errors that pass by themselves."""


class Verdict(StrEnum):
    """What an answer means for the delivery.

    Both DEFERRED and UNAVAILABLE are tried again, but only the latter says that the target itself is in trouble.
    """

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    UNAVAILABLE = "unavailable"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict with its evidence; `retry_after` is in seconds, `excerpt` the start of what the other side said."""

    verdict: Verdict
    error: str | None = None
    status_code: int | None = None
    excerpt: str | None = None
    retry_after: float | None = None


def accepted(status_code: int | None = None, excerpt: str | None = None) -> Answer:
    """It was taken."""
    return Answer(Verdict.ACCEPTED, None, status_code, excerpt)


def deferred(error: str) -> Answer:
    """It was not taken this time, by a target that takes others."""
    return Answer(Verdict.DEFERRED, printable(error, LONGEST_ERROR))


def unavailable(error: str) -> Answer:
    """It was not taken this time, nor would another have been."""
    return Answer(Verdict.UNAVAILABLE, printable(error, LONGEST_ERROR))


def rejected(error: str) -> Answer:
    """It will never be taken as it is."""
    return Answer(Verdict.REJECTED, printable(error, LONGEST_ERROR))


def of_status(status_code: int, retry_after: str | None, body: bytes, now: dt.datetime) -> Answer:
    """An HTTP answer's meaning: 2xx is delivered; 408, 425, 429 and 5xx are tried again; all else is final.

    Redirects are not followed, since a webhook's body and signature are for the address that a person configured.
    """
    excerpt = printable(body.decode("utf-8", "replace"), LONGEST_EXCERPT) or None
    if 200 <= status_code < 300:
        return accepted(status_code, excerpt)
    told = _told(status_code)
    if status_code in TEMPORARY or status_code >= 500:
        return Answer(Verdict.UNAVAILABLE, told, status_code, excerpt, wait_asked_for(retry_after, now))
    if 300 <= status_code < 400:
        told = f"{told}: redirects are not followed; give the channel the final address"
    return Answer(Verdict.REJECTED, told, status_code, excerpt)


def wait_asked_for(retry_after: str | None, now: dt.datetime) -> float | None:
    """The seconds of a Retry-After header, which has seconds or a date; an hour at most, None where it has neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(min(int(text[:9]), int(LONGEST_RETRY_AFTER)))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def printable(text: str, longest: int) -> str:
    """The start of a text as PostgreSQL and people can take it: without NUL and other control characters."""
    shown = (
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text[:longest]
    )
    return "".join(shown)


def _told(status_code: int) -> str:
    try:
        return f"answered {status_code} {HTTPStatus(status_code).phrase}"
    except ValueError:
        return f"answered {status_code}"
