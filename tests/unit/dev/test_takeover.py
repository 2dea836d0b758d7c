"""Where the kernel did not end the children of a dead supervisor, the next one does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from convex_dev import state, takeover
from convex_dev.home import Home
from convex_dev.state import ProcessState, State

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
MEEK = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def left_over(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", request.param], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def write_state(home: Home, process: ProcessState) -> None:
    state.save(home, State(1, 1.0, True, "http://x", "postgresql://x", {}, (process,)))


def listed(pid: int) -> ProcessState:
    return ProcessState("processor", "service", pid, state.created(pid), None, 0, None)


@pytest.mark.parametrize("left_over", [MEEK, STUBBORN], ids=["meek", "stubborn"], indirect=True)
def test_what_is_listed_is_ended(
    tmp_path: Path, left_over: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "PATIENCE", 0.5)
    home = Home(tmp_path)
    write_state(home, listed(left_over.pid))
    assert takeover.end_leftovers(home) == 1
    assert left_over.wait(5) < 0
    assert not home.state_file.exists()


@pytest.mark.parametrize("left_over", [MEEK], ids=["meek"], indirect=True)
def test_a_pid_that_was_given_to_another_process_is_spared(tmp_path: Path, left_over: subprocess.Popen[str]) -> None:
    process = listed(left_over.pid)
    assert process.created
    write_state(Home(tmp_path), replace(process, created=process.created - 60))
    assert takeover.end_leftovers(Home(tmp_path)) == 0
    assert left_over.poll() is None


def test_without_a_state_file_there_is_nothing_to_end(tmp_path: Path) -> None:
    assert takeover.end_leftovers(Home(tmp_path)) == 0
