"""A child's output: kept in a file of bounded size, its warnings repeated at the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

LOUD = (b"WARNING", b"ERROR", b"CRITICAL")


class Journal:
    """Appends lines to a file and moves it aside at `limit` bytes, with `keep` older files beside it."""

    def __init__(self, path: Path, limit: int = 8 * 1024 * 1024, keep: int = 2) -> None:
        self._path = path
        self._limit = limit
        self._keep = keep
        self._file = path.open("ab")
        self._size = self._file.tell()
        self.last = ""

    def write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._size += len(line) + 1
        if line.strip():
            self.last = line.decode(errors="replace").strip()
        if self._size >= self._limit:
            self._rotate()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._keep, 0, -1):
            newer = self._older(number - 1)
            if newer.exists():
                newer.replace(self._older(number))
        self._file = self._path.open("wb")
        self._size = 0

    def _older(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_name(f"{self._path.name}.{number}")


class Echo:
    """Repeats warnings as `name: message`, at most `most` of each child in `window` seconds, and counts the rest."""

    def __init__(self, say: Callable[[str], None], most: int = 5, window: float = 10.0) -> None:
        self._say = say
        self._most = most
        self._window = window
        self._since: dict[str, float] = {}
        self._count: dict[str, int] = {}

    def line(self, name: str, line: bytes, now: float) -> None:
        message = warning_in(line)
        if message is None:
            return
        if now - self._since.get(name, float("-inf")) >= self._window:
            withheld = self._count.get(name, 0) - self._most
            if withheld > 0:
                self._say(f"{name}: {withheld} more warnings in logs/{name}.log")
            self._since[name], self._count[name] = now, 0
        self._count[name] += 1
        if self._count[name] <= self._most:
            self._say(f"{name}: {message}")


def warning_in(line: bytes) -> str | None:
    """The message of a JSON log line of level WARNING or above, shortened to 200 characters; `None` for any other."""
    if not line.startswith(b"{") or not any(level in line for level in LOUD):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or str(record.get("level", "")).encode() not in LOUD:
        return None
    return " ".join(str(record.get("msg", "")).split())[:200]
