"""Live messages survive Redis byte by byte, and frames are the JSON that clients are promised."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common import feed
from convex_common.errors import Invalid
from convex_common.feed import EVENTS, LiveBroadcast, LiveEvent, LiveMessage, LiveNotification, LiveRevocation

HERE = UUID("0197a000-0000-7000-8000-000000000001")
offsets = st.integers(0, 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)
messages: st.SearchStrategy[LiveMessage] = st.one_of(
    st.builds(LiveEvent, st.just(HERE), offsets, st.uuids(), st.uuids(), st.binary()),
    st.builds(LiveNotification, st.just(HERE), st.none() | st.lists(st.text()).map(tuple), st.binary()),
    st.builds(LiveBroadcast, st.just(HERE), st.none() | st.uuids(), st.none() | st.text(), st.binary()),
    st.builds(LiveRevocation, st.just(HERE), st.text()),
)


@given(messages)
def test_a_message_survives_redis(message: LiveMessage) -> None:
    assert feed.decode(HERE, feed.encode(message)) == message


def test_a_kept_trace_travels_with_its_event_and_no_other_does() -> None:
    event = LiveEvent(HERE, 7, UUID(int=1), UUID(int=2), b"{}", (), "00-decided", 1_700_000_000_000)
    plain = f"e7 {UUID(int=1)} {UUID(int=2)}"
    assert feed.encode(event) == f"{plain}\n{{}}".encode()
    assert feed.encode(event, "00-published") == f"{plain} 00-published 1700000000000\n{{}}".encode()
    assert feed.decode(HERE, feed.encode(event, "00-published")) == replace(event, traceparent="00-published")


def test_an_event_travels_as_documented() -> None:
    event = LiveEvent(HERE, 7, UUID(int=1), UUID(int=2), b"{}")
    assert feed.encode(event) == f"e7 {UUID(int=1)} {UUID(int=2)}\n{{}}".encode()
    assert feed.encode(LiveNotification(HERE, ("ann",), b"{}")) == b'n["ann"]\n{}'
    assert feed.encode(LiveNotification(HERE, None, b"{}")) == b"nnull\n{}"
    assert feed.encode(LiveBroadcast(HERE, None, "c", b"{}")) == b'm{"framework_id":null,"client_id":"c"}\n{}'
    assert feed.encode(LiveRevocation(HERE, "ann")) == b'r"ann"\n'
    assert feed.channel("alert", HERE) == f"alert:live:{HERE}"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"e1 x y", id="no frame"),
        pytest.param(b"z\n{}", id="unknown kind"),
        pytest.param(b"\n{}", id="no kind"),
        pytest.param(b"e1\n{}", id="too few parts"),
        pytest.param(f"e1 {HERE} {HERE} 00-a\n{{}}".encode(), id="a trace without its time"),
        pytest.param(f"e1 {HERE} {HERE} 00-a x\n{{}}".encode(), id="a trace's time no number"),
        pytest.param(f"e-1 {HERE} {HERE}\n{{}}".encode(), id="negative offset"),
        pytest.param(f"ex {HERE} {HERE}\n{{}}".encode(), id="offset no number"),
        pytest.param(b"e1 x y\n{}", id="no ids"),
        pytest.param(b"e\xff 1 2\n{}", id="no ascii"),
        pytest.param(b'n"ann"\n{}', id="users no list"),
        pytest.param(b"n[1]\n{}", id="users no names"),
        pytest.param(b"m{}\n{}", id="audience missing"),
        pytest.param(b'm{"framework_id":"x","client_id":null}\n{}', id="framework no id"),
    ],
)
def test_garbage_is_refused(payload: bytes) -> None:
    with pytest.raises(Invalid):
        feed.decode(HERE, payload)


@given(st.binary())
def test_decoding_refuses_or_understands(payload: bytes) -> None:
    with suppress(Invalid):
        assert feed.decode(HERE, payload).workspace_id == HERE


@given(st.sampled_from(sorted(EVENTS)), offsets, json_values)
def test_frames_are_the_json_of_their_data(event: str, offset: int, data: object) -> None:
    encoded = json.dumps(data).encode()
    assert json.loads(feed.event_frame(event, offset, encoded)) == {
        "type": "alert",
        "event": event,
        "offset": offset,
        "data": data,
    }
    assert json.loads(feed.message_frame(encoded)) == {"type": "message", "data": data}
    assert json.loads(feed.notification_frame(encoded)) == {"type": "notification", "data": data}
    assert json.loads(feed.position_frame(offset)) == {"type": "position", "offset": offset}


def test_an_event_that_is_none_gets_no_frame() -> None:
    with pytest.raises(Invalid, match="no event"):
        feed.event_frame('created","x":"', 1, b"{}")
