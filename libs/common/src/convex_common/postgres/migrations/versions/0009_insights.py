"""Verdicts on alerts, and statistics of quarter hours."""

from convex_common.postgres.migrations import run_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
