"""What an attempt's answer makes of its delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from convex_notifier.domain.answer import Answer, Verdict
from convex_notifier.domain.backoff import ATTEMPTS, Backoff


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has it."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    """It is due again in `seconds`, for `reason`."""

    seconds: float
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It will never be taken."""

    error: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """It failed too often; kept for a person to replay."""

    error: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """It was not tried and is due again in `seconds`, for `reason`."""

    seconds: float
    reason: str


Outcome: TypeAlias = Delivered | RetryIn | Failed | Quarantined


def of_answer(answer: Answer, failures: int, backoff: Backoff, chance: float) -> Outcome:
    """What becomes of a delivery that had failed `failures` times before this answer."""
    if answer.verdict is Verdict.ACCEPTED:
        return Delivered()
    error = answer.error or "it failed without a word"
    if answer.verdict is Verdict.REJECTED:
        return Failed(error)
    if failures + 1 >= ATTEMPTS:
        return Quarantined(error)
    wait = backoff.wait(failures + 1, chance, answer.retry_after)
    if answer.retry_after is not None and wait == answer.retry_after:
        return RetryIn(wait, f"the other side asked to wait {wait:.0f} s", error)
    return RetryIn(wait, f"waits for attempt {failures + 2} of {ATTEMPTS}", error)


def refusal(kind: str, cause: str, *, enabled: bool, deleted: bool, known: bool) -> str | None:
    """Why a delivery is not even tried; None where it is. A test may be sent while its channel is disabled."""
    if deleted:
        return "the channel was deleted"
    if not enabled and cause != "test":
        return "the channel is disabled"
    if not known:
        return f"channels of kind {kind} cannot be sent to by this version"
    return None
