"""Cursors go round, and only ours are taken."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.errors import Invalid
from convex_gateway.pagination import Asked, cursor_of, cut, moment_cursor_of


@given(st.uuids())
def test_an_id_goes_round(row_id: uuid.UUID) -> None:
    assert Asked(1, cursor_of(row_id)).after == row_id


@given(st.datetimes(timezones=st.just(dt.UTC)), st.uuids())
def test_a_moment_goes_round(at: dt.datetime, row_id: uuid.UUID) -> None:
    assert Asked(1, moment_cursor_of((at, row_id))).after_moment == (at, row_id)


def test_the_first_page_starts_nowhere() -> None:
    assert (Asked(1, None).after, Asked(1, None).after_moment) == (None, None)
    assert (cursor_of(None), moment_cursor_of(None)) == (None, None)


@given(st.text(max_size=64))
def test_other_words_are_refused_or_ours(word: str) -> None:
    for read in ("after", "after_moment"):
        with suppress(Invalid):
            assert getattr(Asked(1, word), read) is not None


def test_a_cursor_of_another_list_is_refused() -> None:
    at = (dt.datetime.now(dt.UTC), uuid.uuid4())
    with pytest.raises(Invalid):
        _ = Asked(1, moment_cursor_of(at)).after
    with pytest.raises(Invalid):
        _ = Asked(1, cursor_of(uuid.uuid4())).after_moment
    beyond = base64.urlsafe_b64encode((2**62).to_bytes(8) + bytes(16)).decode()
    with pytest.raises(Invalid):
        _ = Asked(1, beyond).after_moment


def test_a_page_is_cut_where_more_follow() -> None:
    assert cut([1, 2, 3], 2) == ([1, 2], 2)
    assert cut([1, 2], 2) == ([1, 2], None)
    assert cut([], 2) == ([], None)
