"""Verdicts on alerts, statistics of quarter hours, and what a run of a job was asked for besides its time."""

from convex_common.postgres.migrations import run_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
