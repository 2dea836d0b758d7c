"""Problem details: paths of fields, statuses of errors, nothing of the inside."""

from __future__ import annotations

import json

import pytest

from convex_common.errors import (
    Conflict,
    ConvexError,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
    Unauthorized,
)
from convex_gateway.problems import FieldError, Problems, internal, of_error, path_of, problem


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ((), ""),
        (("name",), "name"),
        (("labels", "team"), "labels.team"),
        (("matchers", 2, "value"), "matchers[2].value"),
        ((3, "value"), "[3].value"),
        ((3,), "[3]"),
    ],
)
def test_paths_are_written_as_people_write_them(location: tuple[str | int, ...], path: str) -> None:
    assert path_of(location) == path


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("there is no such rule"), 404),
        (Unauthorized("the token has expired"), 401),
        (Forbidden("this takes more"), 403),
        (Conflict("it is resolved"), 409),
        (PreconditionFailed("it moved on"), 412),
        (Invalid("name", "is missing", cure="give one"), 422),
        (Problems([FieldError(field="a", message="is b")]), 422),
        (StoreUnavailable("PostgreSQL at 10.0.0.1 is away", 2.5), 503),
        (ConvexError("internal words"), 500),
    ],
)
def test_errors_have_their_status(error: ConvexError, status: int) -> None:
    answer = of_error(error)
    body = json.loads(bytes(answer.body))
    assert (answer.status_code, body["status"], answer.media_type) == (status, status, "application/problem+json")
    assert body["type"].startswith("urn:convex-alerts:problem:")
    assert "10.0.0.1" not in body["detail"]
    assert "internal words" not in body["detail"]


def test_a_field_is_named_with_its_cure() -> None:
    body = json.loads(bytes(of_error(Invalid("name", "is missing", cure="give one")).body))
    assert body["errors"] == [{"field": "name", "message": "is missing; give one"}]
    assert body["detail"] == "name: is missing; give one"


def test_retry_after_is_whole_seconds_and_never_none() -> None:
    assert of_error(StoreUnavailable(retry_after=2.5)).headers["retry-after"] == "3"
    assert of_error(StoreUnavailable(retry_after=0.01)).headers["retry-after"] == "1"


def test_unauthorized_challenges() -> None:
    assert of_error(Unauthorized("x")).headers["www-authenticate"].startswith("Bearer realm=")


def test_a_summary_of_many_errors_is_short() -> None:
    body = json.loads(bytes(of_error(Problems([FieldError(field=str(n), message="x") for n in range(9)])).body))
    assert (len(body["errors"]), body["detail"].endswith("; and 4 more")) == (9, True)


def test_a_failure_tells_its_trace() -> None:
    assert json.loads(bytes(internal("abc").body))["instance"] == "urn:convex-alerts:trace:abc"
    assert "instance" not in json.loads(bytes(internal(None).body))


def test_one_field_has_a_short_form() -> None:
    body = json.loads(bytes(problem(422, "invalid", "A field is wrong", "is odd", field="[3].value").body))
    assert body["errors"] == [{"field": "[3].value", "message": "is odd"}]
