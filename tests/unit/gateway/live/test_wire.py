"""Frames as RFC 6455 has them, at the lengths where their form changes."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from convex_gateway.live.closing import CloseCode
from convex_gateway.live.wire import text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_text_frames_are_those_of_the_library(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_codes_are_in_their_classes() -> None:
    retry = {code for code in CloseCode if code == 1012 or 4500 <= code <= 4599}
    assert retry == {
        CloseCode.RESTART,
        CloseCode.TOKEN_EXPIRED,
        CloseCode.EPOCH_CHANGED,
        CloseCode.STORE_AWAY,
        CloseCode.INTERNAL,
        CloseCode.SLOW_CONSUMER,
        CloseCode.IDLE,
        CloseCode.TOO_MANY,
    }
    assert {code for code in CloseCode if 4400 <= code <= 4499} == {
        CloseCode.MALFORMED,
        CloseCode.CREDENTIALS,
        CloseCode.FORBIDDEN,
        CloseCode.NO_AUTH_IN_TIME,
    }
