"""Rules and channels per workspace, kept in process and read anew when a claim says that they changed."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict

from convex_common.postgres.configuration import Configuration, load
from convex_common.postgres.database import Connection
from convex_common.redis.cache.counts import CacheCounts

MAX_WORKSPACES = 1000


class Configurations:
    """Thread-safe; the least recently used workspaces are forgotten."""

    def __init__(self, counts: CacheCounts) -> None:
        self._counts = counts
        self._lock = threading.Lock()
        self._known: OrderedDict[uuid.UUID, Configuration] = OrderedDict()

    def of(self, workspace_id: uuid.UUID, version: int, connection: Connection) -> Configuration:
        """At least as new as `version`; loaded on `connection`, which is in a transaction of the workspace."""
        with self._lock:
            known = self._known.get(workspace_id)
            if known is not None and known.version >= version:
                self._known.move_to_end(workspace_id)
            else:
                known = None
        if known is not None:
            self._counts.hit(workspace_id)
            return known
        self._counts.miss(workspace_id)
        loaded = load(connection)
        with self._lock:
            self._known[workspace_id] = loaded
            while len(self._known) > MAX_WORKSPACES:
                self._known.popitem(last=False)
        return loaded
