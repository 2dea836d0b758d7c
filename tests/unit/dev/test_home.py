import stat
from pathlib import Path

import pytest

from convex_dev import keys, state
from convex_dev.errors import NotRunning, Refused
from convex_dev.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


def test_a_second_holder_is_refused_in_one_line(home: Home) -> None:
    with home.lock():
        with pytest.raises(Refused) as refused, home.lock():
            pass
        assert "in use by another `convex dev up`" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert refused.value.exit_code == 2
    with home.lock():
        pass


def test_keys_are_made_once_and_kept_private(home: Home) -> None:
    made = keys.load_or_make(home)
    assert keys.load_or_make(home) == made
    assert stat.S_IMODE((home.path / keys.FILE).stat().st_mode) == 0o600
    assert len(set(vars(made).values())) == 5


def test_a_key_that_is_missing_is_made_and_the_others_stay(home: Home) -> None:
    made = keys.load_or_make(home)
    home.write(keys.FILE, {"jwt_secret": made.jwt_secret})
    again = keys.load_or_make(home)
    assert again.jwt_secret == made.jwt_secret
    assert again.owner_password != made.owner_password


def test_the_state_is_read_back_as_it_was_written(home: Home) -> None:
    process = state.ProcessState("gateway", "service", 123, 1.5, 8080, 2, "http://127.0.0.1:8080/readyz")
    written = state.State(1, 2.0, True, "http://127.0.0.1:8080", "postgresql://x", {"A": "b"}, (process,))
    state.save(home, written)
    assert state.read(home) == written
    assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600
    with pytest.raises(NotRunning, match="make run"):
        state.running(home)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"processes": [{"unknown": 1}]}'])
def test_a_damaged_state_file_counts_as_none(home: Home, content: str) -> None:
    home.state_file.write_text(content)
    assert state.read(home) is None
