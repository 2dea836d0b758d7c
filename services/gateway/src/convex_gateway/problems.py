"""Problem details (RFC 9457) for everything that goes wrong, also below the routes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from convex_common.errors import (
    Conflict,
    ConvexError,
    Forbidden,
    InFlight,
    Invalid,
    NotFound,
    PreconditionFailed,
    RateLimited,
    StoreUnavailable,
    Unauthorized,
)

MEDIA_TYPE = "application/problem+json"
NO_NUL = r"^[^\x00]*$"
"""The pattern of text that PostgreSQL keeps."""

_TYPES = "urn:convex-alerts:problem:"
_encode = msgspec.json.Encoder().encode


class FieldError(TypedDict):
    """What is wrong with one field, named by its path: `labels.team`, `matchers[2].value`, `[3].value` in a list."""

    field: str
    message: str


class Malformed(HTTPException):
    """The body is no JSON, and where it stops being so."""

    def __init__(self, message: str) -> None:
        super().__init__(400, f"The body is no valid JSON: {message}.")


class NotFinite(HTTPException):
    """A value of the body is NaN, infinite or beyond a float; FastAPI passes nothing else on from reading a body."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(422, message)
        self.field = field


class BodyTooLarge(HTTPException):
    """The body is beyond its limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body may have {limit} bytes at most.")


class UnsupportedMediaType(HTTPException):
    """The body is of a type that this operation does not read."""

    def __init__(self) -> None:
        super().__init__(415, "The body must be JSON: send it with Content-Type: application/json.")


class Problems(ConvexError):  # noqa: N818 - as the others of the tree
    """Several fields are wrong; nothing was changed."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(_summary(errors))
        self.errors = list(errors)


def problem(
    status: int,
    type: str,  # noqa: A002 - the member's name
    title: str,
    detail: str,
    field: str | None = None,
    errors: Sequence[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
) -> Response:
    """An answer of `application/problem+json`. `type` is a short word, made a URN; `field` is one error's short form.

    `instance` names this very occurrence, by which its log lines are found.
    """
    listed = list(errors or ())
    if field is not None:
        listed.append(FieldError(field=field, message=detail))
    members = {"type": _TYPES + type, "title": title, "status": status, "detail": detail, "errors": listed}
    content = _encode(members if instance is None else {**members, "instance": instance})
    return Response(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def of_error(error: ConvexError) -> Response:
    """One of our own errors as an answer."""
    match error:
        case Problems():
            return problem(422, "invalid", "A field is wrong", error.message, errors=error.errors)
        case Invalid():
            message = str(error).removeprefix(f"{error.field}: ")
            errors = [FieldError(field=error.field, message=message)]
            return problem(422, "invalid", "A field is wrong", _summary(errors), errors=errors)
        case NotFound():
            return problem(404, "not-found", "Not found", _sentence(error))
        case Unauthorized():
            challenge = {"WWW-Authenticate": 'Bearer realm="convex-alerts", error="invalid_token"'}
            return problem(401, "unauthorized", "Not signed in", _sentence(error), headers=challenge)
        case Forbidden():
            return problem(403, "forbidden", "Not allowed", _sentence(error))
        case InFlight():
            retry = _retry_after(error.retry_after)
            return problem(409, "in-flight", "It is being answered already", _sentence(error), headers=retry)
        case RateLimited():
            headers = {**error.headers, **_retry_after(error.retry_after)}
            return problem(429, "rate-limited", "Too many requests", _sentence(error), headers=headers)
        case Conflict():
            return problem(409, "conflict", "Its state does not allow it", _sentence(error))
        case PreconditionFailed():
            return problem(412, "precondition-failed", "It has changed meanwhile", _sentence(error))
        case StoreUnavailable():
            return problem(
                503,
                "unavailable",
                "Unavailable for the moment",
                "A store that this needs cannot be reached; nothing was changed. Try the same again later.",
                headers=_retry_after(error.retry_after),
            )
    return internal(None)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


async def answer_to(request: Request, error: Exception) -> Response:
    """What the handlers below make of an error; one that none of them takes, or that is the server's, is raised."""
    match error:
        case ConvexError():
            answer = await on_convex_error(request, error)
        case RequestValidationError():
            answer = await on_invalid_request(request, error)
        case HTTPException():
            answer = await on_http_error(request, error)
        case _:
            raise error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    return answer


def internal(trace_id: str | None) -> Response:
    """Something is broken here; the log knows what, under the trace's id."""
    detail = "Something went wrong inside. Tell the trace id to whoever runs this installation."
    instance = None if trace_id is None else f"urn:convex-alerts:trace:{trace_id}"
    return problem(500, "internal", "Internal error", detail, instance=instance)


async def on_convex_error(_: Request | None, error: Exception) -> Response:
    """Handler of ConvexError; one that no caller can do anything about is left to be logged and answered 500."""
    assert isinstance(error, ConvexError)
    answer = of_error(error)
    if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    return answer


async def on_http_error(_: Request | None, error: Exception) -> Response:
    """Handler of what the framework refuses: 404, 405, 413, 415, malformed JSON."""
    assert isinstance(error, HTTPException)
    if isinstance(error, NotFinite):
        return of_error(Invalid(error.field, error.detail))
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail and error.detail != phrase else _DETAILS.get(error.status_code, phrase)
    return problem(error.status_code, phrase.lower().replace(" ", "-"), phrase, detail, headers=error.headers)


async def on_invalid_request(_: Request, error: Exception) -> Response:
    """Handler of what does not fit the request's model; an id in a path that is none is simply not there."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(item["loc"] and item["loc"][0] == "path" for item in found):
        return of_error(NotFound("there is no such thing in this workspace"))
    errors = [field_error(item) for item in found]
    return problem(422, "invalid", "A field is wrong", _summary(errors), errors=errors)


def field_error(item: Mapping[str, Any]) -> FieldError:
    """One of pydantic's errors with the field's path, from the body's root or the query's name."""
    location = [part for part in item["loc"] if part not in ("body", "query", "header")]
    context = item.get("ctx") or {}
    kind: str = item["type"]
    if kind == "extra_forbidden":
        message = "is unknown here"
    elif kind == "missing":
        message = "is missing"
    elif kind.startswith("union_tag") and "discriminator" in context:
        location.append(str(context["discriminator"]).strip("'"))
        message = f"must be one of {context.get('expected_tags', 'the known kinds')}"
    elif kind == "value_error":
        message = str(context.get("error", item["msg"]))
    elif kind in _WORDS:
        message = _WORDS[kind]
    elif context.get("pattern") == NO_NUL:
        message = "must not contain the character NUL"
    else:
        message = item["msg"].removeprefix("Input should").removeprefix("String should").removeprefix("List should")
        message = message.strip() if message == item["msg"] else f"should{message}"
    return FieldError(field=path_of(location), message=message)


def path_of(location: Sequence[str | int]) -> str:
    """`labels.team`, `matchers[2].value`, `[3]`; empty for the body as a whole."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _summary(errors: Sequence[FieldError]) -> str:
    told = [f"{error['field'] or 'the body'}: {error['message']}" for error in errors[:5]]
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    return "; ".join(told) + more


def _sentence(error: ConvexError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


_WORDS = {
    "uuid_parsing": "is no UUID",
    "uuid_type": "is no UUID",
    "model_type": "should be a JSON object",
    "model_attributes_type": "should be a JSON object",
    "dict_type": "should be a JSON object",
    "finite_number": "should be a finite number",
}
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method; the Allow header lists those that it does.",
}
