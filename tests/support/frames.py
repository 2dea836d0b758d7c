"""A client's frames, well formed or not, and what the `websockets` library makes of them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from websockets.frames import CloseCode as LibraryCode
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from convex_gateway.live.frames import Binary, Close, Event, FrameFault, Parser, Ping, Pong, Text

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x11\x92\xa3\x04",
    wide: int = 0,
) -> bytes:
    """A frame as a client sends it; `wide` bytes of length where that is not the least, no mask for None."""
    least = 0 if len(payload) < 126 else 2 if len(payload) < 65_536 else 8
    wide = max(wide, least)
    short = {0: len(payload), 2: 126, 8: 127}[wide]
    head = bytes((fin << 7 | reserved << 4 | opcode, (mask is not None) << 7 | short))
    length = len(payload).to_bytes(wide, "big") if wide else b""
    if mask is None:
        return head + length + payload
    return head + length + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))


@dataclass(frozen=True)
class Heard:
    """What a parser made of a client's bytes: whole messages, and the code that it closes with by itself."""

    events: list[Event]
    code: int | None = None
    why: str = ""


def ours(parts: Iterable[bytes], max_message: int) -> Heard:
    """What the gateway's parser hears."""
    parser = Parser(max_message)
    events: list[Event] = []
    for part in parts:
        try:
            events += parser.feed(part)
        except FrameFault as fault:
            return Heard([*events, *fault.events], fault.code, fault.reason)
    return Heard(events)


def the_librarys(data: bytes, max_message: int) -> Heard:
    """What `websockets` hears; it leaves text to its user, who reads it fragment by fragment here."""
    library = Protocol(Side.SERVER, state=State.OPEN, max_size=max_message)
    library.receive_data(data)
    events: list[Event] = []
    decoder, text, binary = None, "", b""
    for frame in library.events_received():
        assert isinstance(frame, Frame)
        payload = bytes(frame.data)
        match frame.opcode:
            case Opcode.PING:
                events.append(Ping(payload))
            case Opcode.PONG:
                events.append(Pong(payload))
            case Opcode.CLOSE:
                assert library.close_rcvd is not None
                events.append(Close(library.close_rcvd.code, library.close_rcvd.reason))
            case _:
                if frame.opcode is Opcode.TEXT:
                    decoder, text = codecs.getincrementaldecoder("utf-8")(), ""
                elif frame.opcode is Opcode.BINARY:
                    decoder, binary = None, b""
                if decoder is None:
                    binary += payload
                else:
                    try:
                        text += decoder.decode(payload, frame.fin)
                    except UnicodeDecodeError:
                        return Heard(events, LibraryCode.INVALID_DATA)
                if frame.fin:
                    events.append(Binary(binary) if decoder is None else Text(text))
    if library.parser_exc is None:
        return Heard(events)
    if str(library.parser_exc) == "incomplete fragmented message":  # Autobahn's 7.1.5 wants it answered like any close
        assert library.close_rcvd is not None
        return Heard([*events, Close(library.close_rcvd.code, library.close_rcvd.reason)])
    assert library.close_sent is not None
    return Heard(events, library.close_sent.code)


_NO_LIMIT = (1 << 63) - 1
_FILLER = b"\x00" * 70_000


def check_agreement(data: bytes) -> None:
    """That whatever bytes these are, the library hears the same and ends by the same code.

    What cannot be right by its header is refused at once here, and there when its payload has come: so that comes.
    """
    heard, theirs = ours([data], _NO_LIMIT), the_librarys(data, _NO_LIMIT)
    if "at most 125" in heard.why:  # also where only the length of a control frame is written in too many bytes
        assert heard.events == theirs.events[: len(heard.events)], data
        return
    if heard.code is not None and theirs.code is None:
        theirs = the_librarys(data + _FILLER, _NO_LIMIT)
    if theirs.code is None:  # ours may have heard enough of a frame that has not come to its end
        assert heard.events == theirs.events, data
    else:
        of_64_bits = theirs.code == LibraryCode.MESSAGE_TOO_BIG  # a length that no frame has
        expected = LibraryCode.PROTOCOL_ERROR if of_64_bits else theirs.code
        assert (heard.events, heard.code) == (theirs.events, expected), data


def check_cuts(data: bytes, max_message: int, sizes: Iterable[int]) -> None:
    """That cuts change nothing: not between any two bytes, nor after `sizes` bytes in turn."""
    whole = ours([data], max_message)
    assert ours((data[at : at + 1] for at in range(len(data))), max_message) == whole, data
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    assert ours([*parts, data[at:]], max_message) == whole, data
