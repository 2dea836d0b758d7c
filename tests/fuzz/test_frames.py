"""The parser of WebSocket frames under fuzz: it never crashes, never grows, and hears what the library hears."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.frames import growth, one, seeds

SECONDS = int(os.environ.get("FUZZ_SECONDS", "600"))
ROOT = Path(__file__).parents[2]


@given(st.sampled_from(seeds()), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_frames_with_some_bytes_changed(seed: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for at, byte in changes:
        data[at % len(data)] = byte
    one(bytes(data))


@pytest.mark.long
def test_ten_minutes_of_whatever(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is built for Linux on x86-64")
    kept = tmp_path / "corpus"
    kept.mkdir()
    options = [f"-max_total_time={SECONDS}", "-rss_limit_mb=1024", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", str(kept), *options],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None
    corpus = [path.read_bytes() for path in sorted(kept.iterdir())]
    assert int(runs[1]) > len(corpus) > len(seeds())
    grown = growth(corpus)
    print(f"{runs[1]} runs in {SECONDS} s, {len(corpus)} inputs kept; they leave {grown} bytes behind")
    assert grown < 10_000
