"""What has to hold of the parser of WebSocket frames whatever bytes come.

The first byte of an input chooses the limit, the second how the rest is cut.
"""

from __future__ import annotations

import tracemalloc

from tests.support.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    check_agreement,
    check_cuts,
    client_frame,
)

LIMITS = (0, 10, 125, 300, 65_536)


def one(data: bytes) -> None:
    """Fails where the parser and the library disagree, or where a cut makes a difference."""
    if len(data) < 2:
        return
    limit, seed, stream = LIMITS[data[0] % len(LIMITS)], data[1], data[2:]
    check_cuts(stream, limit, [(seed >> shift) & 7 for shift in range(6)] * 4)
    check_agreement(stream)


def seeds() -> list[bytes]:
    """Where to begin: every kind of frame, well formed."""
    euro = "€uro".encode()
    streams = [
        *(client_frame(opcode, b"\x03\xe8bye", mask=b"\x00" * 4) for opcode in (TEXT, BINARY, PING, PONG, CLOSE)),
        client_frame(TEXT, euro, mask=b"\x00" * 4, wide=2) + client_frame(TEXT, euro, mask=b"\x00" * 4, wide=8),
        client_frame(TEXT, euro[:2], fin=False) + client_frame(PING) + client_frame(CONTINUATION, euro[2:]),
        client_frame(BINARY, b"x" * 130, fin=False) + client_frame(CONTINUATION, b"y" * 7) + client_frame(CLOSE),
    ]
    return [bytes((len(LIMITS) - 1, 0b0110_1001)) + stream for stream in streams]


def growth(inputs: list[bytes]) -> int:
    """Bytes that a third pass over the inputs leaves behind."""
    tracemalloc.start()
    try:
        held = []
        for _ in range(3):
            for data in inputs:
                one(data)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return held[2] - held[1]
