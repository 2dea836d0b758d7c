"""A bounded pool for threads. A transaction works for one workspace, or for none and then sees no tenant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from convex_common.errors import StoreUnavailable
from convex_common.postgres.line import hung_up
from convex_common.postgres.urls import plain
from convex_common.stores import UNWATCHED, Watch

RETRY_AFTER = 2.0

_AWAY: Final = ("08", "28", "3D", "53", "57P", "58")
"""Classes of errors of a server that is there and of no use: connections, roles, databases, room, shutdown, disks."""

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]


@dataclass(frozen=True)
class Limits:
    """How long anything may take, in seconds. Work must end before its lease does."""

    connect: float = 3.0
    statement: float = 5.0
    idle_in_transaction: float = 10.0
    checkout: float = 3.0

    def parameters(self, application: str) -> dict[str, Any]:
        """libpq's connection parameters for these limits."""
        return {
            "application_name": application,
            "connect_timeout": max(2, int(self.connect)),
            "tcp_user_timeout": int(self.statement * 1000) + 3000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": f"-c statement_timeout={int(self.statement * 1000)} "
            f"-c idle_in_transaction_session_timeout={int(self.idle_in_transaction * 1000)}",
        }


def connect(url: str, application: str, limits: Limits | None = None, *, repeats: bool = False) -> Connection:
    """One connection of its own, for a thread that keeps it; in autocommit.

    `repeats` is for few statements run many times: they keep one plan each, instead of being planned for their values.
    """
    parameters = (limits or Limits()).parameters(application)
    if repeats:
        parameters["options"] += " -c plan_cache_mode=force_generic_plan"
    try:
        return psycopg.connect(plain(url), autocommit=True, **parameters)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


def unavailable(error: BaseException) -> StoreUnavailable:
    """PostgreSQL's failure as ours: retry later, by the same call."""
    first_line = str(error).strip().splitlines()
    return StoreUnavailable(f"PostgreSQL is unavailable: {first_line[0] if first_line else error!r}", RETRY_AFTER)


def tell(watch: Watch, error: psycopg.Error) -> None:
    """What an error says of the server: that a statement took too long or met another's lock is an answer, too."""
    state = error.sqlstate
    if state is None or state.startswith(_AWAY):
        watch.failed()
    else:
        watch.answered()


class Database:
    """A bounded pool for threads. Opens in the background and heals by itself; a call without a server says so."""

    def __init__(
        self, url: str, application: str, *, size: int = 8, limits: Limits | None = None, watch: Watch = UNWATCHED
    ) -> None:
        self._watch = watch
        self._limits = limits or Limits()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            plain(url),
            min_size=1,
            max_size=size,
            timeout=self._limits.checkout,
            kwargs=self._limits.parameters(application),
            max_lifetime=1800,
            reconnect_timeout=30,
            open=False,
        )

    def open(self) -> None:
        """Start connecting; does not wait and does not fail."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close the pool and its threads."""
        self._pool.close(timeout=5.0)

    @contextmanager
    def transaction(self, workspace_id: uuid.UUID | None = None) -> Iterator[Connection]:
        """A transaction for one workspace; without one, tenant tables are empty and only functions look further.

        Raises StoreUnavailable where there is no server; other errors of the statements pass through.
        """
        try:
            with self._lent() as connection:
                if workspace_id is not None:
                    connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
                yield connection
            self._watch.answered()
        except PoolTimeout as error:
            self._watch.failed()
            raise unavailable(error) from error
        except psycopg.OperationalError as error:
            self._pool.check()
            tell(self._watch, error)
            raise unavailable(error) from error

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        """A connection that the server has not hung up on meanwhile, so that its restart is nobody's failure later.

        The pool's own `check` would do, if it did not wait a second after each connection that it throws away.
        """
        connection = self._pool.getconn()
        while connection.closed or hung_up(connection.fileno()):
            connection.close()
            self._pool.putconn(connection)
            connection = self._pool.getconn()
        try:
            with connection:
                yield connection
        finally:
            self._pool.putconn(connection)

    def reachable(self) -> bool:
        """Whether a statement can be run now."""
        try:
            with self.transaction() as connection:
                connection.execute("SELECT 1")
        except StoreUnavailable:
            return False
        return True
