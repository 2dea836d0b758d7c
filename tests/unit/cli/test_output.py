"""How answers are shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from convex_alerts.cli import documents, names, profile_file
from convex_alerts.cli.board import Board
from convex_alerts.cli.output import age, cell, clean, cut, table
from convex_alerts.cli.profile_file import Profile
from convex_alerts.live.items import Broadcast, Change, Gap, Position, Snapshot, State
from convex_alerts.models import Alert

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def alert(alert_id: str, **fields: Any) -> Alert:
    told = {
        "id": alert_id,
        "fingerprint": "f",
        "status": "firing",
        "severity": "warning",
        "alert_type": "threshold",
        "framework_id": "w",
        "title": f"title of {alert_id}",
        "occurrences": 1,
        "triggered_at": NOW - timedelta(minutes=5),
        "last_seen_at": NOW,
        "version": 1,
        **fields,
    }
    return Alert(**told)


def change(item: Alert) -> Change:
    return Change("updated", Position("e", 1), item, {})


@given(st.text())
def test_nothing_from_outside_steers_a_terminal(text: str) -> None:
    assert clean(text).isprintable()
    assert len(clean(text)) == len(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (1.50, "1.5"),
        ({"a": 1, "b": None}, "a=1 b="),
        (["x", 2], "x, 2"),
        ("a\x1b[31m\nb", "a [31m b"),
    ],
)
def test_cells(value: Any, shown: str) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86_400, "1d"), (9e6, "104d")]
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == shown
    assert age((NOW - timedelta(seconds=seconds)).isoformat(), NOW) == shown


def test_tables_align_and_cut_their_last_column() -> None:
    rows: list[dict[str, Any]] = [{"a": "long", "b": 1}, {"a": "x", "b": "0123456789abcdef"}]
    assert table(rows, [("a", "a"), ("b", lambda row: row["b"])]) == ["A     B", "long  1", "x     0123456789abcdef"]
    assert table(rows, [("a", "a"), ("b", "b")], width=16)[2] == "x     012345678…"
    assert cut("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400)]
)
def test_lengths_of_time(text: str | None, seconds: int | None) -> None:
    assert names.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5h", "5w", "٣"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 90, 90s"):
        names.seconds(text)


def test_a_board_follows_its_feed() -> None:
    board = Board("shop")
    board.replace(
        [alert("old", triggered_at=NOW - timedelta(hours=1)), alert("new"), alert("bad", severity="critical")]
    )
    assert [row.id for row in board.rows(NOW)] == ["bad", "new", "old"]
    board.apply(change(alert("bad", severity="critical", status="resolved", resolved_at=NOW)))
    assert [row.id for row in board.rows(NOW)] == ["new", "old", "bad"], "what is over is shown last"
    assert [row.id for row in board.rows(NOW + timedelta(seconds=21))] == ["new", "old"], "and then no more"
    board.apply(Broadcast({"text": "\x1b[2J"}))
    assert board.note.isprintable()
    board.apply(Gap(Position("e", 1), Position("f", 2)))
    board.apply(Snapshot((alert("other"),), None))
    assert [row.id for row in board.rows(NOW)] == ["other"]


def drawn(board: Board, height: int = 20) -> str:
    console = Console(width=100, height=height, record=True, file=io.StringIO(), force_terminal=True)
    console.print(board.draw(NOW, 100, height))
    return console.export_text()


def test_a_board_is_drawn_as_text_whatever_an_alert_says() -> None:
    board = Board("shop", state=State.CONNECTED)
    board.replace([alert("a", title="[red]x[/red] \x1b[2J", labels={"team": "web"}, current_value=7.5)])
    shown = drawn(board)
    assert "● connected  shop  1 warning" in shown
    assert "[red]x[/red]  [2J  team=web" in shown
    assert "7.5" in shown
    board.state, board.reason = State.RECONNECTING, "cut\x1b"
    assert "● reconnecting" in drawn(board)
    assert "cut" in drawn(board)
    board.replace(alert(str(number)) for number in range(50))
    assert "35 more below" in drawn(board)


def test_profiles_are_kept_for_their_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some" / "profiles.toml"
    monkeypatch.setenv("CONVEX_PROFILES", str(file))
    assert profile_file.load() == {}
    kept = {"prod": Profile("https://a", 't"\\x'), "a b": Profile("http://b", "ü")}
    profile_file.save(kept)
    assert profile_file.load() == kept
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(typer.Exit) as ended:
        profile_file.load()
    assert ended.value.exit_code == 2
    file.chmod(0o600)
    file.write_text("[prod]\nurl = 1")
    with pytest.raises(typer.Exit):
        profile_file.load()


@pytest.mark.parametrize(
    ("editor", "changed"),
    [
        ("true", {}),
        ("sed -i s/above/below/", {"condition": "below"}),
        ("sed -i /clear/d", {"clear": None}),
        ("sed -i 1iextra:1", None),
        ("false", None),
        ("/no/such/editor", None),
    ],
)
def test_what_an_editor_changed(monkeypatch: pytest.MonkeyPatch, editor: str, changed: dict[str, Any] | None) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    before = {"condition": "above", "clear": 5, "labels": {"a": "b"}}
    if changed is None:
        with pytest.raises(typer.Exit) as ended:
            documents.edited(before, "the rule")
        assert ended.value.exit_code == 2
    else:
        assert documents.edited(before, "the rule") == changed
