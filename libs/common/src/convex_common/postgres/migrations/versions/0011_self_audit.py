"""The self-audit: whether an alert came through the whole path when it was last tried."""

from convex_common.postgres.migrations import run_sql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
