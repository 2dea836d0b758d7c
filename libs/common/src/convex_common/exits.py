"""What the exit code of a command says; docs/command-line.md has it for people."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """With TRY_AGAIN the same command may succeed later."""

    DONE = 0
    FAILED = 1
    WRONG = 2
    TRY_AGAIN = 75
