"""Rules that learn: what they say, and what is known of the series they look at."""

from convex_common.postgres.migrations import run_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's SQL."""
    run_sql(revision)
