"""Patterns of the alert history, and the timezone of a workspace."""

from convex_common.postgres.migrations import run_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
