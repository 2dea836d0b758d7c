"""The supervisor with real embedded stores and small fake services."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from convex_dev.errors import NotRunning, StartFailed
from convex_dev.stack import Stack
from convex_dev.stores.binaries import installed, reachable_copy
from tests.support.eventually import eventually
from tests.support.homes import Homes
from tests.support.scratch import scratch

NAMES = ("postgres", "valkey", "gateway", "processor")
FAKE_UP = str(Path(__file__).with_name("fake_up.py"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's own user can pass through, which pytest's are not."""
    path = scratch("convex-dev-test-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def stack(folder: Path) -> Iterator[Stack]:
    made = fake_stack(folder)
    yield made
    made.stop()


@pytest.fixture
def prepared(stack: Stack, folder: Path, homes: Homes) -> Stack:
    """The same, with what the first start makes made already."""
    homes.new(folder)
    return stack


def fake_stack(folder: Path, port: int = 0, **env: str) -> Stack:
    return Stack(folder, env=env, command=[sys.executable, FAKE_UP, str(folder), str(port)])


def using(folder: Path) -> list[psutil.Process]:
    """Every process that mentions the folder on its command line or works in it."""

    def belongs(process: psutil.Process) -> bool:
        try:
            mentions = any(str(folder) in word for word in process.cmdline())
            return process.pid != os.getpid() and (mentions or process.cwd().startswith(str(folder)))
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if belongs(process)]


def children(stack: Stack) -> list[psutil.Process]:
    return psutil.Process(stack.state.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def changed(stack: Stack, name: str, pid: int) -> bool:
    return stack.pid(name) != pid


def test_up_kill_stop_and_up_again_keeps_the_data(stack: Stack, folder: Path) -> None:
    stack.start()
    assert [line.split()[0] for line in stack.output] == ["dashboard", "token", "ready"]
    assert stack.output[-1] == f"ready {stack.url}"
    assert stat.S_IMODE(stack.home.state_file.stat().st_mode) == 0o600
    assert {row["name"]: row["health"] for row in stack.status()} == dict.fromkeys(NAMES, "healthy")
    with psycopg.connect(stack.owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE kept (value int)")
        owner.execute("INSERT INTO kept VALUES (42)")
    redis.Redis.from_url(stack.redis_url).set("kept", "yes")

    for name in ("processor", "postgres", "valkey"):
        before = stack.kill(name)
        eventually(partial(changed, stack, name, before), what=f"{name}: a new process")
        stack.wait_healthy(timeout=30)
    assert {row["name"]: row["restarts"] for row in stack.status()} == {
        "postgres": 1,
        "valkey": 1,
        "gateway": 0,
        "processor": 1,
    }
    assert "processor: ended by SIGKILL; started again in 0.2 s" in stack.progress()
    assert "processor: processor warns" in stack.progress()

    processes = children(stack)
    url = stack.url
    assert len(processes) > 4
    assert stack.stop() == 0
    assert gone(processes)
    assert using(folder) == []
    assert not stack.home.state_file.exists()

    stack.start()
    assert stack.url == url
    with psycopg.connect(stack.owner_url) as owner:
        assert owner.execute("SELECT value FROM kept").fetchone() == (42,)
    assert redis.Redis.from_url(stack.redis_url).get("kept") == b"yes"
    assert stack.progress().count("migrating") == 1


def test_kill_9_of_the_supervisor_leaves_no_process_and_the_next_start_takes_over(
    prepared: Stack, folder: Path
) -> None:
    prepared.start()
    processes = children(prepared)
    prepared.kill("supervisor")
    eventually(lambda: gone(processes), within=10, what="the end of all children")
    assert using(folder) == []
    with pytest.raises(NotRunning):
        prepared.status()
    prepared.start()
    prepared.wait_healthy(timeout=5)
    assert all(row["restarts"] == 0 for row in prepared.status())


def test_a_copy_of_a_stopped_home_is_an_installation_of_its_own(prepared: Stack) -> None:
    prepared.start()
    assert "migrating" not in prepared.progress()


def test_a_second_up_on_the_same_folder_says_so_and_exits_with_2(prepared: Stack) -> None:
    prepared.start()
    second = subprocess.run(
        [sys.executable, FAKE_UP, str(prepared.home.path), "0"], capture_output=True, text=True, check=False, timeout=30
    )
    assert second.returncode == 2
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1
    assert "in use by another `convex dev up`" in second.stderr
    prepared.wait_healthy(timeout=5)


def test_a_port_in_use_is_said_in_one_line(folder: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        done = subprocess.run(
            [sys.executable, FAKE_UP, str(folder), str(port)], capture_output=True, text=True, check=False, timeout=30
        )
    assert done.returncode == 2
    assert done.stderr == f"port {port} is in use; stop what listens there or choose another by --port or CONVEX_PORT\n"
    assert using(folder) == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong", "FAKE_SETTING: is wrong; leave it out"),
        ("broken", "exit code 1 again and again; see logs/(gateway|processor).log: ImportError: a module is missing"),
    ],
)
def test_a_service_that_cannot_start_ends_the_start_with_its_line(folder: Path, fault: str, message: str) -> None:
    stack = fake_stack(folder, FAKE_SETTING=fault)
    with pytest.raises(StartFailed, match=message):
        stack.start(timeout=60)
    assert using(folder) == []


def test_a_stop_while_starting_leaves_nothing(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, FAKE_UP, str(folder), "0"], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert "starting postgres" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert using(folder) == []


def test_the_service_role_owns_nothing_and_cannot_bypass_row_security(stack: Stack) -> None:
    stack.start()
    with psycopg.connect(stack.database_url) as service:
        assert service.execute(
            "SELECT current_user::text, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles "
            "WHERE rolname = current_user"
        ).fetchone() == ("convex", False, False, False, False)
        assert service.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        ).fetchone() == (0,)
    for setting, value in (("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "127.0.0.1")):
        with psycopg.connect(stack.owner_url) as owner:
            assert owner.execute("SELECT current_setting(%s)", (setting,)).fetchone() == (value,)
    wrong = stack.database_url.replace("postgresql://convex:", "postgresql://convex:wrong")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)


def test_stores_that_are_given_are_used_and_not_started(prepared: Stack, folder: Path) -> None:
    prepared.start()
    second = scratch("convex-dev-test-")
    try:
        given = fake_stack(second, DATABASE_URL=prepared.owner_url, REDIS_URL=prepared.redis_url)
        given.start()
        assert {row["name"]: row["pid"] is None for row in given.status()} == {
            "redis": True,
            "postgres": True,
            "gateway": False,
            "processor": False,
        }
        given.wait_healthy(timeout=5)
        with psycopg.connect(given.database_url) as service:
            user = service.execute("SELECT current_user::text").fetchone()
        assert user
        assert user[0].startswith("convex_dev_")
        assert given.token() != ""
        assert given.stop() == 0
        prepared.wait_healthy("postgres", "valkey", timeout=5)
    finally:
        shutil.rmtree(second, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs the database to run as another user")
def test_a_closed_home_keeps_its_database_elsewhere_with_a_copy_of_its_programs(folder: Path) -> None:
    folder.chmod(0o700)
    binaries = reachable_copy(installed(), folder)
    version = subprocess.run([binaries.program("initdb"), "--version"], capture_output=True, text=True, check=True)
    assert binaries.version.rsplit(".", 1)[0] in version.stdout
    home = folder / "home"
    stack = fake_stack(home)
    stack.start()
    side = Path(stack.home.read("postgres.location.json")["folder"])
    try:
        assert f"its data is kept in {side}" in stack.progress()
        assert (side / "postgres" / "PG_VERSION").exists()
        assert not (home / "postgres").exists()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        stack.stop()
        shutil.rmtree(side)


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(prepared: Stack, folder: Path) -> None:
    prepared.start()
    prepared.stop()
    stale = folder / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{folder}/postgres\n0\n1\n\n127.0.0.1\n")
    prepared.start(timeout=30)
    prepared.wait_healthy(timeout=5)


def test_tokens_status_and_environment_serve_tests(prepared: Stack) -> None:
    prepared.start()
    assert len(set(prepared.tokens(3, role="viewer"))) == 3
    assert prepared.token(workspace="other") != prepared.token()
    with psycopg.connect(prepared.owner_url) as owner:
        slugs = owner.execute("SELECT slug FROM workspaces ORDER BY slug").fetchall()
        viewers = owner.execute("SELECT count(*) FROM members WHERE role = 'viewer'").fetchone()
    assert slugs == [("demo",), ("other",)]
    assert viewers == (3,)
    assert prepared.environment["JWT_ISSUER"] == "convex"
    assert "listening" in prepared.log("postgres") or prepared.log("postgres")
