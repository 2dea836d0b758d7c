"""`convex admin` on a real database: made once, by however many; refused as the API refuses; told without secrets."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from convex_admin.cli import app
from convex_common.domain.api_key import digest_of
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(120)

CONVEX = str(Path(sys.executable).with_name("convex"))


@pytest.fixture(autouse=True)
def _environment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", store.owner_url)


def run(*words: str, status: int = 0) -> str:
    """What it prints, on both outputs."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == status, result.output
    return result.output


def rows(store: Store, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(store.owner_url) as connection:
        return connection.execute(query, parameters).fetchall()


def test_bootstrap_makes_a_workspace_an_owner_and_a_key_once(store: Store) -> None:
    made = json.loads(run("bootstrap", "--name", "Main", "--owner", "ada", "--email", "ada@example.com", "--json"))
    assert (made["made"], made["workspace"], made["owner"]) == (True, "main", "ada")
    workspace_id = made["workspace_id"]
    assert rows(store, "SELECT slug, name FROM workspaces WHERE id = %s", workspace_id) == [("main", "Main")]
    members = rows(store, "SELECT user_id, role, email FROM members WHERE workspace_id = %s", workspace_id)
    assert members == [("ada", "owner", "ada@example.com")]
    keys = rows(store, "SELECT role, digest, created_by FROM api_keys WHERE workspace_id = %s", workspace_id)
    assert keys == [("owner", digest_of(made["key"]), "convex admin")]
    acts = rows(store, "SELECT action FROM audit_log WHERE workspace_id = %s ORDER BY sequence", workspace_id)
    assert acts == [("workspace.created",), ("member.added",), ("api_key.created",)]
    assert rows(store, "SELECT count(*) FROM workspace_feed WHERE workspace_id = %s", workspace_id) == [(1,)]

    again = json.loads(run("bootstrap", "--owner", "eve", "--json"))
    assert (again["made"], again["key"]) == (False, None)
    assert "nothing was made" in run("bootstrap")
    assert rows(store, "SELECT count(*) FROM workspaces") == [(2,)]
    assert rows(store, "SELECT count(*) FROM api_keys") == [(1,)]


def test_bootstrap_by_many_at_once_works_once(store: Store) -> None:
    def process(_: int) -> dict[str, Any]:
        command = [CONVEX, "admin", "bootstrap", "--json"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(process, range(3)))
    assert sorted(answer["made"] for answer in answers) == [False, False, True]
    assert rows(store, "SELECT count(*) FROM workspaces WHERE slug = 'main'") == [(1,)]
    assert rows(store, "SELECT count(*) FROM api_keys") == [(1,)]


def test_a_key_goes_into_a_file_for_its_owners_eyes(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "key"
    told = run("bootstrap", "--key-file", str(file))
    text = file.read_text().strip()
    assert text not in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert rows(store, "SELECT digest FROM api_keys") == [(digest_of(text),)]
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_of_ones_own_choice_is_taken_and_not_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "cvx_chosen00_" + "k" * 43
    monkeypatch.setenv("BOOTSTRAP_API_KEY", text[:-1])
    told = run("bootstrap", status=2)
    assert "BOOTSTRAP_API_KEY" in told
    assert "openssl" in told
    assert text[:-1] not in told
    monkeypatch.setenv("BOOTSTRAP_API_KEY", text)
    made = run("bootstrap", "--json")
    assert text not in made
    assert json.loads(made)["made"]
    assert rows(store, "SELECT prefix, digest FROM api_keys") == [("cvx_chosen00", digest_of(text))]


def test_where_no_key_is_to_be_made_only_a_chosen_one_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run("bootstrap", "--no-new-key", "--json"))["key"] is None
    assert rows(store, "SELECT count(*) FROM api_keys") == [(0,)]
    monkeypatch.setenv("BOOTSTRAP_API_KEY", "cvx_chosen00_" + "k" * 43)
    run("bootstrap", "--no-new-key", "--workspace", "second")
    assert rows(store, "SELECT prefix FROM api_keys") == [("cvx_chosen00",)]


def test_a_key_that_nobody_could_keep_is_not_made(store: Store, tmp_path: Path) -> None:
    assert "--key-file" in run("bootstrap", "--key-file", str(tmp_path / "absent" / "key"), status=2)
    assert rows(store, "SELECT count(*) FROM workspaces") == [(1,)], "that of the test alone"


WRONG: dict[str, tuple[list[str], str]] = {
    "a slug with a space": (["bootstrap", "--workspace", "a b"], "--workspace"),
    "an owner like a key": (["bootstrap", "--owner", "key:1"], "--owner"),
    "no such workspace": (["member", "list", "--workspace", "nowhere"], "convex admin workspace list"),
    "a role that is none": (["member", "add", "ada", "--role", "root", "--workspace", "test"], "viewer"),
    "nobody": (["member", "remove", "nobody", "--workspace", "test"], "no member"),
    "the last owner": (["member", "remove", "owner", "--workspace", "test"], "make somebody else an owner"),
    "the last owner lowered": (["member", "add", "owner", "--role", "viewer", "--workspace", "test"], "owner"),
    "a scope that is none": (["key", "create", "k", "--role", "viewer", "--scope", "all", "--workspace", "test"],
                             "ingest"),
    "a scope of no use": (["key", "create", "k", "--role", "viewer", "--scope", "ingest", "--workspace", "test"],
                             "of no use"),
    "no such key": (["key", "revoke", "cvx_nothing", "--workspace", "test"], "convex admin key list"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line_with_its_cure(case: str) -> None:
    words, part = WRONG[case]
    told = run(*words, status=2)
    assert part in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize("url", ["", "mysql://x/y"])
def test_without_the_owners_url_it_says_so(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", url)
    for words in (["bootstrap"], ["member", "list"]):
        assert run(*words, status=2).startswith("DATABASE_OWNER_URL: ")


def test_without_the_database_it_says_so_and_not_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://convex:hunter2@127.0.0.1:1/none")
    for words in (["bootstrap"], ["member", "list"]):
        told = run(*words, status=75)
        assert "Postgre" in told
        assert "hunter2" not in told


def test_without_the_schema_it_says_how_to_make_it(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", empty)
    for words in (["bootstrap"], ["member", "list"], ["audit", "verify"], ["retention", "show", "test"]):
        assert "migrate upgrade" in run(*words, status=2)


def test_members_and_keys_by_the_command_line(store: Store) -> None:
    run("workspace", "create", "shop", "--owner", "ada")
    assert "already" in run("workspace", "create", "shop", "--owner", "eve")
    assert {row["slug"] for row in json.loads(run("workspace", "list", "--json"))} == {"shop", "test"}
    run("member", "add", "bob", "--role", "admin", "--workspace", "shop", "--name", "Bob")
    run("member", "add", "bob", "--role", "owner", "--workspace", "shop")
    run("member", "remove", "ada", "--workspace", "shop")
    (bob,) = json.loads(run("member", "list", "--workspace", "shop", "--json"))
    assert bob == {"user_id": "bob", "role": "owner", "name": "Bob", "email": ""}
    words = ["--role", "responder", "--scope", "ingest", "--days", "30", "--workspace", "shop"]
    text = run("key", "create", "prometheus", *words).strip()
    (key,) = json.loads(run("key", "list", "--workspace", "shop", "--json"))
    assert text.startswith(key["prefix"] + "_")
    assert (key["name"], key["role"], key["scopes"], key["revoked"]) == ("prometheus", "responder", "ingest", "")
    assert text not in run("key", "list", "--workspace", "shop")
    for _ in range(2):
        run("key", "revoke", key["prefix"], "--workspace", "shop")
    (key,) = json.loads(run("key", "list", "--workspace", "shop", "--json"))
    assert key["revoked"]
    acts = rows(
        store,
        "SELECT action, actor FROM audit_log WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'shop') "
        "ORDER BY sequence",
    )
    assert [action for action, _ in acts] == [
        "workspace.created",
        "member.added",
        "member.added",
        "member.role_changed",
        "member.removed",
        "api_key.created",
        "api_key.revoked",
    ]
    assert {actor for _, actor in acts} == {"convex admin"}
