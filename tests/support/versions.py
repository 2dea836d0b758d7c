"""A next version of the product, as far as an upgrade is concerned: code that knows a newer schema, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import convex_common
from convex_common.postgres.migrate import newest

REVISION = "9999"
VERSION = "9.9.9"

ADDED = """
ALTER TABLE alerts ADD COLUMN assignee text;
ALTER TABLE alerts ADD COLUMN escalations bigint NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN origin text;
ALTER TABLE alert_log ADD COLUMN correlation uuid;
CREATE TABLE assignments (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    user_id      text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
ALTER TABLE assignments ENABLE ROW LEVEL SECURITY;
ALTER TABLE assignments FORCE ROW LEVEL SECURITY;
CREATE POLICY of_workspace ON assignments USING (workspace_id = current_workspace());
GRANT SELECT, INSERT, UPDATE, DELETE ON assignments TO convex_service;
"""
"""What an expand step does: columns of the busiest tables, and a table."""

_REVISION = '''"""The next version's."""

from convex_common.postgres.migrations import run_sql

revision = "{revision}"
down_revision = "{down}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
'''


@dataclass(frozen=True)
class NextVersion:
    """A folder that goes before this version's code on the path of every process that starts while it is there."""

    folder: Path

    def install(self) -> None:
        """Processes that start from now on are of the next version."""
        package = self.folder / "convex_common"
        source = Path(convex_common.__path__[0])
        shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
        migrations = package / "postgres" / "migrations"
        (migrations / "versions" / f"{REVISION}_next.py").write_text(_REVISION.format(revision=REVISION, down=newest()))
        (migrations / "sql" / REVISION).mkdir()
        (migrations / "sql" / REVISION / "1_next.sql").write_text(ADDED)
        info = self.folder / f"convex_common-{VERSION}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: convex-common\nVersion: {VERSION}\n")

    def roll_back(self) -> None:
        """Processes that start from now on are of this version again."""
        for path in self.folder.iterdir():
            shutil.rmtree(path)

    def migrate(self, environment: Mapping[str, str], owner_url: str) -> None:
        """What the migration's container does."""
        subprocess.run(
            [sys.executable, "-m", "convex_common.postgres.migrate", "upgrade"],
            env={**os.environ, **environment, "DATABASE_OWNER_URL": owner_url, "PYTHONPATH": str(self.folder)},
            timeout=60,
            check=True,
        )
