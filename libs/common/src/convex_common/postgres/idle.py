"""Whether a connection that was left idle is still good, without asking the server."""

from __future__ import annotations

import select


def hung_up(fileno: int) -> bool:
    """Whether the server has closed an idle connection, as it does at a restart.

    A server that is not asked says nothing; so what can be read is its farewell. Costs a system call, no round trip.
    """
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))
