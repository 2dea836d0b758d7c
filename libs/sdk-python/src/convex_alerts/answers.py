"""What an answer means: a value, a problem, or a pause before the next try."""

from __future__ import annotations

import email.utils
import random
import time
from typing import Any

import httpx
import msgspec

from convex_alerts.errors import ApiError, FieldProblem, Invalid, from_status

LONGEST_WAIT = 30.0
_PROBLEM = "urn:convex-alerts:problem:"


def value_of(answer: httpx.Response, read: Any) -> Any:
    """The value in a good answer; Invalid where it is something else's."""
    try:
        return read(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(
            answer.status_code, f"{answer.url}: the answer is not what Convex Alerts sends ({error})"
        ) from None


def may_pass(answer: httpx.Response) -> bool:
    """Whether the same request may do later: 429, 5xx, or one that is being answered already."""
    return answer.status_code == 429 or answer.status_code >= 500 or _is_in_flight(answer)


def problem_of(answer: httpx.Response) -> ApiError:
    """The error in a problem document, or in whatever a proxy answered instead."""
    body = _json(answer)
    errors = [
        FieldProblem(str(error["field"]), str(error.get("message", "")))
        for error in body.get("errors") or ()
        if isinstance(error, dict) and error.get("field")
    ]
    return from_status(answer.status_code)(
        answer.status_code,
        str(body.get("title") or answer.reason_phrase),
        detail=str(body.get("detail") or ""),
        field=errors[0].field if errors else None,
        errors=errors,
        kind=str(body.get("type") or "").removeprefix(_PROBLEM),
        instance=body.get("instance"),
        retry_after=asked_for(answer),
    )


def pause_after(answer: httpx.Response | None, attempt: int) -> float:
    """Seconds before the next try: what the service asks for, else growing; at most half a minute."""
    said = None if answer is None else asked_for(answer)
    if said is not None:
        return min(said, LONGEST_WAIT)
    return min(LONGEST_WAIT, 0.2 * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, no secret


def asked_for(answer: httpx.Response) -> float | None:
    """`Retry-After` in seconds, which may be a number or a date; None where it says nothing."""
    return seconds_of(answer.headers.get("Retry-After", ""))


def seconds_of(said: str) -> float | None:
    """What a `Retry-After` comes to; None where it says nothing."""
    try:
        return max(float(said), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _is_in_flight(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and _json(answer).get("type") == _PROBLEM + "in-flight"


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
