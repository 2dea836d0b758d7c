"""What marks say about a question."""

from __future__ import annotations

import pytest

from convex_common.redis.cache.classes import ALERTS, RULES
from convex_common.redis.cache.standing import Malformed, Standing, fields, standing
from convex_common.redis.resp import Reply, ReplyError

VERSIONS = {"rules": 7}


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        pytest.param([None, None, None, None, None], Standing(False, -1, 0, 0), id="there are none"),
        pytest.param([None, b"9", b"4", None, None], Standing(True, 9, 4, 0), id="no facet was touched: the floor"),
        pytest.param([None, b"9", b"4", b"6", b"8"], Standing(True, 9, 8, 0), id="the latest facet counts"),
        pytest.param([None, b"9", b"9", b"6", b"8"], Standing(True, 9, 9, 0), id="the floor is above all"),
        pytest.param([b"3", b"9", b"4", None, None], Standing(True, 9, 4, 3), id="swept"),
        pytest.param([None, None, b"4", None, None], Standing(False, -1, 4, 0), id="half of them is none"),
    ],
)
def test_by_facets(marks: Reply, expected: Standing) -> None:
    assert len(fields(ALERTS, ("a", "b"))) == 5
    assert standing(ALERTS, VERSIONS, marks) == expected


@pytest.mark.parametrize(
    ("marks", "opened", "required"),
    [
        pytest.param([None, b"9", None], False, 7, id="not of this class yet"),
        pytest.param([None, b"9", b"6"], True, 7, id="PostgreSQL knows better"),
        pytest.param([None, None, b"8"], True, 8, id="a gateway has just changed it"),
    ],
)
def test_by_version(marks: Reply, opened: bool, required: int) -> None:
    found = standing(RULES, VERSIONS, marks)
    assert (found.opened, found.required) == (opened, required)


@pytest.mark.parametrize("marks", [b"x", 3, [b"1", b"2", b"-3"], [b"", None, None], [b"1.5", None, None],
                                   ["x", None, None], ReplyError("WRONGTYPE")])  # fmt: skip
def test_nonsense_is_named(marks: Reply) -> None:
    with pytest.raises(Malformed):
        standing(RULES, VERSIONS, marks)


@pytest.mark.parametrize(("through", "offset", "complete"), [(5, 5, True), (6, 5, True), (4, 5, False), (-1, 0, False)])
def test_complete(through: int, offset: int, complete: bool) -> None:
    assert Standing(True, through, 0, 0).complete(offset) is complete
