"""What has waited longest in each queue, for those who watch over it."""

from convex_common.postgres.migrations import run_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
