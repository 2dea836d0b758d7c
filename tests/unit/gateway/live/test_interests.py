"""Whose an entry is, by scopes and the offsets they begin at."""

from __future__ import annotations

import uuid

import pytest

from convex_gateway.live.interests import Interests, Scope

A, B = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.mark.parametrize(
    ("scopes", "framework", "offset", "wanted"),
    [
        pytest.param([], A, 1, False, id="nothing subscribed"),
        pytest.param([(None, 5)], A, 6, True, id="the workspace has all frameworks"),
        pytest.param([(None, 5)], A, 5, False, id="not what was there before"),
        pytest.param([(A, 5)], A, 6, True, id="the framework"),
        pytest.param([(A, 5)], B, 6, False, id="another framework"),
        pytest.param([(None, 9), (A, 5)], A, 7, True, id="the framework from earlier on"),
        pytest.param([(None, 9), (A, 5)], B, 7, False, id="the workspace from later on"),
        pytest.param([(A, 9), (A, 5)], A, 7, True, id="again, from earlier on"),
        pytest.param([(A, 5), (A, 9)], A, 7, True, id="again, from later on: nothing is taken away"),
    ],
)
def test_wants(scopes: list[tuple[Scope, int]], framework: uuid.UUID, offset: int, *, wanted: bool) -> None:
    interests = Interests()
    for scope, after in scopes:
        interests.add(scope, after)
    assert interests.wants(framework, offset) is wanted


def test_removed() -> None:
    interests = Interests()
    assert interests.add(A, 1)
    assert not interests.add(A, 1)
    assert interests.remove(A)
    assert not interests.remove(A)
    assert not interests
    assert not interests.wants(A, 2)
