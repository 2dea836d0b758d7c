"""A client's bytes in whatever cuts: the messages that RFC 6455 makes of them, the code for what it does not allow."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from convex_gateway.live.frames import (
    Binary,
    Close,
    Event,
    FrameFault,
    Parser,
    Ping,
    Pong,
    Text,
    close_frame,
    ping_frame,
    pong_frame,
    text_frame,
)
from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Heard, client_frame, ours, the_librarys

LIMIT = 1_000

HEARD: dict[str, tuple[bytes, list[Event]]] = {
    "text": (client_frame(TEXT, "grüß dich".encode()), [Text("grüß dich")]),
    "empty text": (client_frame(TEXT), [Text("")]),
    "binary": (client_frame(BINARY, b"\xff\x00"), [Binary(b"\xff\x00")]),
    "two in one read": (client_frame(TEXT, b"a") + client_frame(TEXT, b"b"), [Text("a"), Text("b")]),
    "a character across fragments": (
        client_frame(TEXT, b"\xe2\x82", fin=False) + client_frame(CONTINUATION, b"\xac"),
        [Text("€")],
    ),
    "empty fragments": (
        client_frame(TEXT, fin=False) + client_frame(CONTINUATION, fin=False) + client_frame(CONTINUATION),
        [Text("")],
    ),
    "a ping between fragments": (
        client_frame(TEXT, b"a", fin=False) + client_frame(PING, b"?") + client_frame(CONTINUATION, b"b"),
        [Ping(b"?"), Text("ab")],
    ),
    "the longest ping": (client_frame(PING, b"x" * 125), [Ping(b"x" * 125)]),
    "a pong nobody asked for": (client_frame(PONG, b"x"), [Pong(b"x")]),
    "longer lengths than needed": (
        client_frame(TEXT, b"a", wide=2) + client_frame(TEXT, b"b", wide=8),
        [Text("a"), Text("b")],
    ),
    "as long as may be": (client_frame(TEXT, b"x" * LIMIT), [Text("x" * LIMIT)]),
    "close": (client_frame(CLOSE, b"\x03\xe8bye"), [Close(1000, "bye")]),
    "close without a code": (client_frame(CLOSE), [Close(1005, "")]),
    "nothing after a close": (client_frame(CLOSE, b"\x0b\xb8") + b"\xff" * 9, [Close(3000, "")]),
    "a close within text": (client_frame(TEXT, b"a", fin=False) + client_frame(CLOSE), [Close(1005, "")]),
    "a close of the greatest code": (client_frame(CLOSE, (4999).to_bytes(2, "big")), [Close(4999, "")]),
}

REFUSED: dict[str, tuple[bytes, int]] = {
    "unmasked": (client_frame(TEXT, b"a", mask=None), 1002),
    "reserved bit 1": (client_frame(TEXT, b"a", reserved=4), 1002),
    "reserved bit 3 of a ping": (client_frame(PING, reserved=1), 1002),
    "a reserved data opcode": (client_frame(0x3, b"a"), 1002),
    "a reserved control opcode": (client_frame(0xB), 1002),
    "a ping in fragments": (client_frame(PING, fin=False), 1002),
    "a ping of 126 bytes": (client_frame(PING, b"x" * 126)[:2], 1002),
    "nothing to continue": (client_frame(CONTINUATION, b"a"), 1002),
    "text within text": (client_frame(TEXT, b"a", fin=False) + client_frame(TEXT, b"b"), 1002),
    "the top bit of a length": (b"\x81\xff\x80" + b"\x00" * 7, 1002),
    "too long by the announced length": (b"\x81\xfe\x03\xe9", 1009),
    "too long by 63 bits": (b"\x82\xff\x7f" + b"\xff" * 7, 1009),
    "too long over all fragments": (
        client_frame(TEXT, b"x" * 600, fin=False) + client_frame(CONTINUATION, b"x" * 401)[:4],
        1009,
    ),
    "no UTF-8": (client_frame(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"), 1007),
    "half a character": (client_frame(TEXT, b"\xe2\x82"), 1007),
    "half a character at the end of fragments": (
        client_frame(TEXT, b"\xe2", fin=False) + client_frame(CONTINUATION, b"\x82"),
        1007,
    ),
    "no UTF-8 in a fragment that goes on": (client_frame(TEXT, b"\xf4\x90", fin=False), 1007),
    "no UTF-8 in a frame that goes on": (client_frame(TEXT, b"\xf4\x90\x80\x80 and more")[:-8], 1007),
    "a close of one byte": (client_frame(CLOSE, b"\x03"), 1002),
    "a close whose reason is no UTF-8": (client_frame(CLOSE, b"\x03\xe8\xff"), 1007),
} | {
    f"a close of code {code}": (client_frame(CLOSE, code.to_bytes(2, "big")), 1002)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
}


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("case", HEARD)
def test_it_hears(case: str, cut: int) -> None:
    data, events = HEARD[case]
    assert ours(_cut(data, cut), LIMIT) == Heard(events)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_what_came_after_what_it_hears(case: str, cut: int) -> None:
    data, code = REFUSED[case]
    heard = ours(_cut(client_frame(TEXT, b"before") + data, cut), LIMIT)
    assert (heard.events, heard.code) == ([Text("before")], code)
    assert heard.why


def test_nothing_is_heard_after_a_fault() -> None:
    parser = Parser(LIMIT)
    with pytest.raises(FrameFault):
        parser.feed(client_frame(TEXT, b"a", mask=None))
    assert parser.feed(client_frame(TEXT, b"a")) == []


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@st.composite
def _cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes, cut anywhere."""
    marks = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[a:b] for a, b in zip([0, *marks], [*marks, len(data)], strict=True)]


DATA = [TEXT, TEXT, CONTINUATION, CONTINUATION, BINARY]
TEXTS = st.one_of(st.text(max_size=40).map(str.encode), st.binary(max_size=40))
LONG = st.builds(lambda unit, times: unit * times, TEXTS, st.sampled_from([1, 5, 200]))
CODES = st.one_of(st.sampled_from([b"", b"\x03", b"\x03\xe8", b"\x03\xed", b"\x0f\xa0"]), st.binary(max_size=2))


@st.composite
def _frame(draw: st.DrawFn, *, wild: bool, opcodes: Sequence[int]) -> bytes:
    """A whole frame; a wild one may have anything wrong."""
    opcode = draw(st.sampled_from(opcodes))
    control = opcode >= CLOSE
    payload = draw(TEXTS if control else LONG)
    if opcode == CLOSE:
        payload = draw(CODES) + payload
    if not wild or draw(st.integers(0, 5)):
        fin = control or draw(st.booleans())
        wide = 0 if control else draw(st.sampled_from([0, 0, 2, 8]))
        if control:
            payload = payload[:125]
        wide = max(wide, 0 if len(payload) < 126 else 2)
        return client_frame(opcode, payload, fin=fin, mask=draw(st.binary(min_size=4, max_size=4)), wide=wide)
    return client_frame(
        draw(st.integers(0, 15)),
        payload,
        fin=draw(st.booleans()),
        reserved=draw(st.sampled_from([0, 0, 1, 2, 4])),
        mask=draw(st.sampled_from([b"\x00\x00\x00\x00", b"abcd", None])),
    )


@given(st.lists(_frame(wild=True, opcodes=[*DATA, PING, PONG, CLOSE]), max_size=8).map(b"".join), st.data())
def test_frames_are_heard_as_the_library_hears_them(data: bytes, more: st.DataObject) -> None:
    heard = ours(more.draw(_cuts(data)), 1 << 20)
    theirs = the_librarys(data, 1 << 20)
    assert (heard.events, heard.code) == (theirs.events, theirs.code)


@given(st.lists(_frame(wild=False, opcodes=DATA), max_size=8).map(b"".join), st.integers(0, 400), st.data())
def test_the_limit_is_the_librarys(data: bytes, limit: int, more: st.DataObject) -> None:
    heard = ours(more.draw(_cuts(data)), limit)
    theirs = the_librarys(data, limit)
    if heard.code == 1002 and theirs.code == 1009:  # a frame out of its order is refused before its length is read
        assert "continue" in heard.why or "before" in heard.why
        assert heard.events == theirs.events
    else:
        assert (heard.events, heard.code) == (theirs.events, theirs.code)


def test_a_byte_at_a_time_costs_no_more_than_the_byte() -> None:
    """Nothing that is copied at each byte grows: the beginning of a header, and the end of a character."""
    parser = Parser(1 << 20)
    message = "€".encode() * 7_000
    data = client_frame(TEXT, message[:9_000], fin=False) + client_frame(PING, b"x" * 125)
    data += client_frame(CONTINUATION, message[9_000:])
    events = []
    for byte in _cut(data, 1):
        events += parser.feed(byte)
        assert len(parser._rest or b"") < 6 + 125
        if parser._message is not None:
            assert len(parser._message.data) - parser._message._checked < 4
    assert events == [Ping(b"x" * 125), Text("€" * 7_000)]


def test_what_is_announced_is_not_allocated() -> None:
    announced = b"\x81\xff" + (64 << 20).to_bytes(8, "big") + b"abcd" + b"a"
    tracemalloc.start()
    try:
        parser = Parser(64 << 20)
        assert parser.feed(announced) == []
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_an_idle_parser_holds_next_to_nothing() -> None:
    many = 1_000
    frames = client_frame(TEXT, b"x" * 300, fin=False) + client_frame(PING, b"?") + client_frame(CONTINUATION, b"y")
    parsers = [Parser(LIMIT) for _ in range(many)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for parser in parsers:
            for byte in _cut(frames, 100):
                parser.feed(byte)
        gc.collect()
        held = (tracemalloc.get_traced_memory()[0] - before) / many
    finally:
        tracemalloc.stop()
    assert sys.getsizeof(parsers[0]) + held < 100


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_text_frames_are_those_of_the_library(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (ping_frame(), Frame(Opcode.PING, b"")),
        (pong_frame(b"x" * 125), Frame(Opcode.PONG, b"x" * 125)),
        (close_frame(), Frame(Opcode.CLOSE, b"")),
        (close_frame(4401, "who?"), Frame(Opcode.CLOSE, b"\x11\x31who?")),
        (close_frame(1000, "x" * 122 + "€"), Frame(Opcode.CLOSE, b"\x03\xe8" + b"x" * 122)),
    ],
    ids=["ping", "pong", "close without code", "close", "a reason that is cut between characters"],
)
def test_control_frames_are_those_of_the_library(frame: bytes, expected: Frame) -> None:
    assert frame == expected.serialize(mask=False)


def test_a_control_frame_of_ours_is_never_too_long() -> None:
    with pytest.raises(ValueError, match="125"):
        ping_frame(b"x" * 126)
