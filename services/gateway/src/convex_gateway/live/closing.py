"""Why a socket is closed. 1012 and 4500–4599: come back and resume. 4400–4499: do not retry."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """The codes of the contract, and RFC 6455's where they say it."""

    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    INVALID_DATA = 1007
    TOO_BIG = 1009
    RESTART = 1012
    MALFORMED = 4400
    CREDENTIALS = 4401
    FORBIDDEN = 4403
    NO_AUTH_IN_TIME = 4408
    TOKEN_EXPIRED = 4501
    EPOCH_CHANGED = 4502
    STORE_AWAY = 4503
    INTERNAL = 4504
    SLOW_CONSUMER = 4508
    IDLE = 4509
    TOO_MANY = 4510

    @property
    def is_fault(self) -> bool:
        """Whether it counts among the errors: somebody did something wrong or was too slow."""
        return self not in (CloseCode.RESTART, CloseCode.TOKEN_EXPIRED, CloseCode.EPOCH_CHANGED, CloseCode.STORE_AWAY)
