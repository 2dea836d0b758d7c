"""The backbone: tenancy, configuration, events, alerts, notifications, jobs; partitioned and under FORCE RLS."""

from convex_common.postgres.migrations import run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
