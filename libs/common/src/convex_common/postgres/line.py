"""The line to the server below libpq: whether it is still there, and how to cut it."""

from __future__ import annotations

import contextlib
import os
import select
import socket


def hung_up(fileno: int) -> bool:
    """Whether the server has closed an idle connection, as it does at a restart.

    A server that is not asked says nothing; so what can be read is its farewell. Costs a system call, no round trip.
    """
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))


def cut(fileno: int) -> None:
    """End a connection under whoever waits on it: a server that is frozen neither answers nor hears a cancel."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fileno)) as line:
        line.shutdown(socket.SHUT_RDWR)
