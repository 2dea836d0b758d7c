"""The cluster: orders about jobs, and what the scheduler sees of their CronJobs."""

from convex_common.postgres.migrations import run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
