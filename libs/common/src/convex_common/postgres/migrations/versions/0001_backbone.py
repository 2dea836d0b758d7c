"""The backbone: tenancy, configuration, events, alerts, notifications, jobs; partitioned and under FORCE RLS."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / revision


def upgrade() -> None:
    """Run the revision's SQL files in the order of their names."""
    cursor = op.get_bind().connection.cursor()
    for file in sorted(SQL.glob("*.sql")):
        cursor.execute(file.read_text(encoding="utf-8"))
