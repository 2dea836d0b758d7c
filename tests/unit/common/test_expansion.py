"""Migrations only add, so that services of the version before go on during an upgrade; and what tells when they do not.

docs/operations/upgrade.md has the rules for writers.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from convex_common.postgres import migrations
from convex_common.postgres.standing import Standing, standing_of
from tests.support.expansion import BREAKING, excused, findings
from tests.support.versions import ADDED

BEFORE_THE_RULE = ("0001", "0002")
"""Nothing was installed yet."""

NEW_TABLE = "CREATE TABLE t (workspace_id uuid NOT NULL REFERENCES workspaces, id uuid NOT NULL, PRIMARY KEY (id));\n"


@pytest.mark.parametrize(
    ("name", "sql", "wrong"),
    [
        ("a table with its index", NEW_TABLE + "CREATE INDEX t_x ON t (workspace_id);", []),
        ("a column that may be null", "ALTER TABLE alerts ADD COLUMN assignee text;", []),
        ("a column with a default", "ALTER TABLE alerts ADD COLUMN n bigint NOT NULL DEFAULT 0;", []),
        ("a function replaced", "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;", []),
        ("a check of later rows", "ALTER TABLE alerts ADD CONSTRAINT c CHECK (n > 0) NOT VALID;", []),
        ("a function for the services alone", "REVOKE ALL ON FUNCTION f() FROM PUBLIC;", []),
        ("a policy and a grant", "GRANT SELECT ON alerts TO convex_service;", []),
        ("words in a comment and a string", "-- DROP POLICY\nCOMMENT ON TABLE alerts IS 'REVOKE it; DROP POLICY';", []),
        ("rows picked", "UPDATE alerts SET n = 1 WHERE n = 2;", []),
        ("a column dropped", "ALTER TABLE alerts DROP COLUMN title;", ["ban-drop-column"]),
        ("a column renamed", "ALTER TABLE alerts RENAME COLUMN title TO t;", ["renaming-column"]),
        ("a column of another type", "ALTER TABLE alerts ALTER COLUMN title TYPE bytea;", ["changing-column-type"]),
        ("a column demanded", "ALTER TABLE alerts ADD COLUMN x text NOT NULL;", ["adding-required-field"]),
        ("a column demanded later", "ALTER TABLE alerts ALTER title SET NOT NULL;", ["adding-not-nullable-field"]),
        ("a table dropped", "DROP TABLE alerts;", ["ban-drop-table"]),
        ("a function dropped", "DROP FUNCTION expect(bigint);", ["ban-drop-function"]),
        ("a policy dropped", "DROP POLICY p ON alerts;", ["ban-drop-policy"]),
        ("a right taken", "REVOKE SELECT ON alerts FROM convex_service;", ["ban-revoke"]),
        (
            "a check of every row",
            "ALTER TABLE alerts ADD CONSTRAINT c CHECK (n > 0);",
            ["constraint-missing-not-valid"],
        ),
        ("an index that stops writers", "CREATE INDEX i ON alerts (n);", ["require-concurrent-index-creation"]),
        ("every row rewritten", "UPDATE alerts SET n = 1;", ["rewriting-every-row"]),
        ("what the test of an upgrade does", ADDED, []),
        ("excused", "-- squawk-ignore ban-drop-column\nALTER TABLE alerts DROP COLUMN title;", []),
        ("our own, excused", "-- squawk-ignore ban-revoke\nREVOKE SELECT ON alerts FROM convex_service;", []),
    ],
)
def test_a_rule(name: str, sql: str, wrong: list[str]) -> None:
    assert findings(sql) == wrong, name


def problems(name: str, sql: dict[str, str], oldest: str | None) -> list[str]:
    """Of a revision, from its files and the `oldest` code that it says it suits."""
    found = [f"{file}: {rule}" for file, text in sql.items() for rule in findings(text)]
    broken = sorted({rule for text in sql.values() for rule in excused(text) & BREAKING})
    if broken and not oldest:
        found.append(f"{name} breaks what runs ({', '.join(broken)}) and does not say `oldest`")
    if oldest and oldest >= name[:4]:
        found.append(f"{name}: its own version's code suits it anyhow")
    return found


def test_every_revision_only_adds_or_says_whom_it_leaves_behind() -> None:
    found: list[str] = []
    for path in sorted((Path(migrations.__file__).parent / "versions").glob("0*.py")):
        if path.stem[:4] not in BEFORE_THE_RULE:
            module = import_module(f"{migrations.__name__}.versions.{path.stem}")
            sql = {file.name: file.read_text() for file in sorted((migrations.SQL / path.stem[:4]).glob("*.sql"))}
            found += problems(path.stem, sql, getattr(module, "oldest", None))
    assert found == []


CONTRACT = {"1_alerts.sql": "-- squawk-ignore ban-drop-column\nALTER TABLE alerts DROP COLUMN title;"}


@pytest.mark.parametrize(
    ("name", "sql", "oldest", "count"),
    [
        ("it only adds", {"1_alerts.sql": "ALTER TABLE alerts ADD COLUMN assignee text;"}, None, 0),
        ("it breaks what runs", {"1_alerts.sql": "ALTER TABLE alerts DROP COLUMN title;"}, None, 1),
        ("it says whom it leaves behind", CONTRACT, "0008", 0),
        ("it does not say", CONTRACT, None, 1),
        ("it leaves its own version behind", CONTRACT, "0009", 1),
    ],
)
def test_a_revision(name: str, sql: dict[str, str], oldest: str | None, count: int) -> None:
    assert len(problems("0009_next", sql, oldest)) == count, name


def test_revisions_are_numbers_of_four_digits() -> None:
    """Code compares those of newer code with its own."""
    versions = (Path(migrations.__file__).parent / "versions").glob("*.py")
    assert all(path.stem[:4].isdigit() and path.stem[4] == "_" for path in versions if path.stem != "__init__")


@pytest.mark.parametrize(
    ("name", "found", "oldest", "standing"),
    [
        ("nothing there yet", None, None, Standing.BEHIND),
        ("an older one", "0001", None, Standing.BEHIND),
        ("this code's", "0003", None, Standing.CURRENT),
        ("this code's, which suits itself", "0003", "0002", Standing.CURRENT),
        ("a newer one that only added", "0004", None, Standing.AHEAD),
        ("a newer one that left older code behind", "0009", "0003", Standing.AHEAD),
        ("a newer one that left this code behind", "0009", "0004", Standing.OUTGROWN),
    ],
)
def test_standing(name: str, found: str | None, oldest: str | None, standing: Standing) -> None:
    assert standing_of(found, "0003", {"0001", "0002", "0003"}, oldest) is standing, name


def test_services_run_on_what_is_theirs_or_only_added() -> None:
    assert [standing for standing in Standing if standing.suits] == [Standing.CURRENT, Standing.AHEAD]
