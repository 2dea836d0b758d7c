"""A wrong setting is named with its cure, in one line."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from convex_common.errors import SettingsError
from convex_common.settings import load
from convex_notifier.settings import NotifierSettings

GOOD = {
    "DATABASE_URL": "postgresql://u@h/db",
    "REDIS_URL": "redis://h:6379/0",
    "ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()}, {Fernet.generate_key().decode()}",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_the_defaults_stand() -> None:
    settings = load(NotifierSettings)
    assert (settings.notifier_threads, settings.notifier_lease_seconds, settings.notifier_attempt_seconds) == (
        16,
        30,
        15,
    )
    assert settings.secret_box.open(settings.secret_box.seal({"a": 1})) == {"a": 1}
    assert not settings.egress.permits("x", "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENCRYPTION_KEYS", "short"),
        ("ENCRYPTION_KEYS", ","),
        ("EGRESS_ALLOW", "10.0.0.0/99"),
        ("NOTIFIER_THREADS", "0"),
        ("NOTIFIER_ATTEMPT_SECONDS", "20"),
        ("NOTIFIER_LEASE_SECONDS", "soon"),
    ],
)
def test_a_wrong_one_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load(NotifierSettings)
    told = str(raised.value)
    assert told.startswith(f"{name}: ")
    assert "; " in told
    assert "\n" not in told
