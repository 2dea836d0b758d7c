"""Close codes are in the class that says whether to come back."""

from __future__ import annotations

from convex_gateway.live.closing import CloseCode


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
