"""Bars: false alarms raise the score that an anomaly rule needs."""

from convex_common.postgres.migrations import run_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
