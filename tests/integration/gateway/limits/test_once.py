"""Any sequence of keyed requests with crashes between the steps: each key has its effect exactly once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convex_common.postgres import idempotency
from convex_gateway import operations
from tests.support.rest import Api

pytestmark = pytest.mark.timeout(300)

CRASHES = (None, "handler", "seal", "keep", "answer")
Step = tuple[int, str | None]
"""A key's number, and where the gateway dies while it answers."""


class Crash(BaseException):
    """The process is gone: nothing after this line runs."""


@contextlib.contextmanager
def dying(api: Api, where: str | None) -> Iterator[None]:
    def crash(*_: Any, **__: Any) -> Any:
        raise Crash

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
        if where == "handler":
            patch.setattr(operations.Call, "audit", crash)
        elif where == "seal":
            patch.setattr(operations, "sealed", crash)
        elif where == "keep":
            patch.setattr(idempotency, "keep", crash)
        elif where == "answer":
            patch.setattr(operations.Work, "committed", crash)
        yield


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(CRASHES)), max_size=12))
def test_each_key_has_its_effect_once(api: Api, steps: list[Step]) -> None:
    run = api.ids.new().hex
    answers: dict[int, bytes] = {}
    for number, crash in steps:
        with dying(api, crash):
            answer = api.post(
                "/frameworks", {"name": f"{run} {number}"}, headers={"Idempotency-Key": f"{run}-{number}"}
            )
            assert answer.status_code == 201
            assert answers.setdefault(number, answer.content) == answer.content
    for number in range(4):
        answer = api.post("/frameworks", {"name": f"{run} {number}"}, headers={"Idempotency-Key": f"{run}-{number}"})
        assert answer.status_code == 201
        assert answers.setdefault(number, answer.content) == answer.content
    made = api.rows("SELECT name FROM frameworks WHERE name LIKE %s", f"{run}%")
    assert sorted(name for (name,) in made) == [f"{run} {number}" for number in range(4)]
