"""One piece of work for every workspace, where one that fails holds up no other."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping

from convex_common.domain.self_audit import of_people
from convex_common.errors import ConvexError, LeaseLost, StoreUnavailable
from convex_common.logging import bound
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Interrupted

log = logging.getLogger(__name__)

Work = Callable[[uuid.UUID, Mapping[str, int]], None]
"""Takes the workspace, and how many are done of how many, for the lease."""


class WorkspacesFailed(ConvexError):  # noqa: N818 - named like the tree of errors in common
    """Some workspaces could not be gone through; the others were."""


def each(database: Database, failure: str, work: Work) -> int:
    """Do it for all but the self-audit's; how many there are. `failure` is what the log says of one whose work failed.

    WorkspacesFailed at the end where some failed, so that the run is tried again; errors that say that nothing more can
    be done pass through at once.
    """
    with database.transaction() as connection:
        workspaces = [row[0] for row in connection.execute("SELECT workspace_ids()") if of_people(row[0])]
    failed: list[uuid.UUID] = []
    for place, workspace_id in enumerate(workspaces):
        with bound(workspace_id=workspace_id):
            try:
                work(workspace_id, {"workspaces": place, "of": len(workspaces)})
            except (LeaseLost, Interrupted, StoreUnavailable):
                raise
            except Exception:
                log.exception(failure)
                failed.append(workspace_id)
    if failed:
        raise WorkspacesFailed(f"{len(failed)} of {len(workspaces)} workspaces failed, the first {failed[0]}")
    return len(workspaces)
