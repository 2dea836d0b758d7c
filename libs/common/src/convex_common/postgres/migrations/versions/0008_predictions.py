"""Predictions: what was foretold, what became of it, and what asking a language model cost."""

from convex_common.postgres.migrations import run_sql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
