"""The self-audit: how soon the next run begins, and whether it is switched off."""

from convex_common.postgres.migrations import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
