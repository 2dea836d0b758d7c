"""The duties around the path: identity, sessions, audit, idempotency, measures, jobs."""

from convex_common.postgres.migrations import run_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
