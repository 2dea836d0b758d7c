"""`convex admin audit`: verdicts, anchors, export."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from convex_common.domain.audit import Act
from convex_common.postgres import audit
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from tests.support.admin import admin, admin_of
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def recorded(store: Store, database: Database) -> None:
    """Twelve records in each of two workspaces."""
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    for workspace_id in (store.workspace_id, other):
        with database.transaction(workspace_id) as connection:
            known = audit.head(connection, workspace_id)
            acts = [Act("ada", "rule.changed", f"rule:{n}", {"größe": n, "a": 0.1}) for n in range(12)]
            audit.record_now(connection, workspace_id, *acts[known.sequence if known else 0 :])


def tamper(store: Store, statement: str) -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("ALTER TABLE audit_log DISABLE TRIGGER stays")
        owner.execute(statement, (store.workspace_id,))
        owner.execute("ALTER TABLE audit_log ENABLE TRIGGER stays")


def test_sound_chains(store: Store) -> None:
    ran = admin_of(store, "audit", "verify")
    assert (ran.code, ran.out) == (0, "other: 12 records, all in order\ntest: 12 records, all in order\n")
    ran = admin_of(store, "audit", "verify", "--workspace", "test", "--json")
    assert (ran.code, [result["broken"] for result in ran.json]) == (0, [None])


def test_the_first_broken_place_is_told(store: Store) -> None:
    tamper(store, "UPDATE audit_log SET actor = 'eve' WHERE workspace_id = %s AND sequence IN (7, 9)")
    ran = admin_of(store, "audit", "verify")
    assert ran.code == 1
    assert ran.out == "other: 12 records, all in order\n"
    assert ran.err.startswith("test: broken at 7: a field of this record was changed")
    (result,) = admin_of(store, "audit", "verify", "--workspace", "test", "--json").json
    assert (result["records"], result["broken"]["sequence"], result["broken"]["fault"]) == (6, 7, "altered")
    assert admin_of(store, "audit", "verify", "--workspace", "other").code == 0


def test_an_anchor_finds_a_chain_that_was_written_anew(store: Store, database: Database, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.json"
    anchor.write_text(admin_of(store, "audit", "head", "--json").out)
    assert admin_of(store, "audit", "verify", "--anchor", str(anchor)).code == 0
    tamper(store, "DELETE FROM audit_log WHERE workspace_id = %s")
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("DELETE FROM audit_head WHERE workspace_id = %s", (store.workspace_id,))
    with database.transaction(store.workspace_id) as connection:
        acts = [Act("eve", "rule.changed", f"rule:{n}", {}) for n in range(12)]
        audit.record_now(connection, store.workspace_id, *acts)
    assert admin_of(store, "audit", "verify").code == 0, "it holds together by itself"
    ran = admin_of(store, "audit", "verify", "--anchor", str(anchor))
    assert (ran.code, ran.err.partition(":")[0]) == (1, "test")
    assert "broken at 12" in ran.err


def test_an_anchor_knows_a_workspace_that_is_gone(store: Store, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.json"
    lost = {"workspace_id": "01890000-0000-7000-8000-000000000001", "workspace": "lost", "sequence": 3, "hash": "ab"}
    anchor.write_text(json.dumps({"audit": [lost], "of": "a manifest"}))
    ran = admin_of(store, "audit", "verify", "--anchor", str(anchor))
    assert ran.code == 1
    assert ran.err.startswith("lost: broken at 1: the records from here on to the head are missing")


def test_heads_and_export(store: Store) -> None:
    assert [line.split()[1] for line in admin_of(store, "audit", "head").out.splitlines()] == ["12", "12"]
    lines = [json.loads(line) for line in admin_of(store, "audit", "export", "--workspace", "test").out.splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, 13))
    assert lines[3]["detail"] == {"größe": 3, "a": 0.1}
    assert [line["previous_hash"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert len(admin_of(store, "audit", "export").out.splitlines()) == 24


def test_what_is_wrong_is_told_in_a_line(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[{}]")
    for words, code, told in (
        (("verify", "--workspace", "none"), 2, "none: there is no such workspace"),
        (("verify", "--anchor", str(tmp_path / "x.json")), 2, "is no anchor"),
        (("verify", "--anchor", str(tmp_path / "y.json")), 2, "is no anchor"),
    ):
        ran = admin_of(store, "audit", *words)
        assert (ran.code, len(ran.err.splitlines())) == (code, 1), ran
        assert told in ran.err
    assert "DATABASE_OWNER_URL: is missing" in admin(None, "audit", "verify").err
    assert admin("postgresql://nobody@127.0.0.1:1/x", "audit", "head").code == 75
