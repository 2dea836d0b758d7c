"""A connection that one thread keeps: a statement is a transaction and a round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from convex_common.errors import StoreUnavailable
from convex_common.postgres.database import Connection, tell, unavailable
from convex_common.stores import UNWATCHED, Watch


class Session:
    """Connects when needed, and anew after any failure. Not thread-safe."""

    def __init__(self, connect: Callable[[], Connection], watch: Watch = UNWATCHED) -> None:
        self._watch = watch
        self._connect = connect
        self._connection: Connection | None = None

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """The connection, in autocommit.

        Raises StoreUnavailable where there is no server or it gave up; other errors of the statements pass through.
        """
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            yield self._connection
            self._watch.answered()
        except StoreUnavailable:
            self._watch.failed()
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            tell(self._watch, error)
            raise unavailable(error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
