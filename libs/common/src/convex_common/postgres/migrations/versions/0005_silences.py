"""Silences: their end, and what an alert shows of them."""

from convex_common.postgres.migrations import run_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
