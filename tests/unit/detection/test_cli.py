"""`convex detect` over files."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convex_detection.cli import app
from tests.unit.detection.series import made


def write(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(["timestamp", "value"])
        for at, value in made(lambda day, source: source.gauss(100, 1) + (60 if 8 < day < 8.02 else 0), days=10):
            writer.writerow([dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S"), value])


def test_every_row_gets_a_score_in_a_file_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path / "in" / "data" / "group" / "one.csv")
    done = CliRunner().invoke(app, ["score", "--data", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    with (tmp_path / "out" / "group" / "one.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    assert len(rows) == 10 * 288
    assert max(float(row["anomaly_score"]) for row in rows[8 * 288 :]) >= 0.5


def test_a_picture_is_drawn_and_what_is_unusual_is_said(tmp_path: Path) -> None:
    path = tmp_path / "series" / "one.csv"
    write(path)
    done = CliRunner().invoke(app, ["plot", str(path)])
    assert done.exit_code == 0, done.output
    assert "162" in done.output
    assert "unusual at this time" in done.output
    assert path.with_suffix(".svg").read_text().startswith("<?xml")


def test_a_forecast_is_said_and_drawn(tmp_path: Path) -> None:
    path, picture = tmp_path / "series" / "one.csv", tmp_path / "ahead.svg"
    write(path)
    done = CliRunner().invoke(app, ["forecast", str(path), "--hours", "6", "--threshold", "200", "--out", str(picture)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("by: ")
    assert lines[1].startswith("2023-12-19 00:25Z  ")
    assert len([line for line in lines if "Z  " in line]) == 12
    assert "200: no breach is expected (less than 1 % chance)" in lines
    assert picture.read_text().startswith("<?xml")
    done = CliRunner().invoke(app, ["forecast", str(path), "--hours", "6000"])
    assert done.exit_code == 2
    assert "can be looked" in done.output


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("timestamp,value\n2026-01-01 00:00:00,1\nyesterday,2\n")
    monkeypatch.chdir(tmp_path)  # a short path: the message is not broken within it
    done = CliRunner().invoke(app, ["plot", path.name])
    assert done.exit_code == 2
    assert "bad.csv:3" in done.output
    done = CliRunner().invoke(app, ["score", "--data", str(tmp_path), "--out", str(tmp_path)])
    assert done.exit_code == 2
