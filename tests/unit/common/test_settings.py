"""Settings come from the environment alone, and what is wrong is said in one line."""

from __future__ import annotations

import os

import pytest

from convex_common.errors import SettingsError
from convex_common.settings import CommonSettings, load

ENOUGH = {"REDIS_URL": "redis://cache:6379/0", "DATABASE_URL": "postgresql://u:pw@db/convex"}


def loaded(monkeypatch: pytest.MonkeyPatch, **environment: str) -> CommonSettings:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load(CommonSettings)


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, **ENOUGH)
    assert settings.cache_redis_url == settings.redis_url == "redis://cache:6379/0"
    assert settings.database_owner_url is None
    assert settings.queue_prefix == "alert"
    assert settings.queue_cleanup is True
    assert settings.prometheus_enabled is True
    assert settings.prometheus_port == 9090
    assert settings.log_level == "INFO"
    assert settings.otel_exporter_otlp_endpoint is None


@pytest.mark.parametrize(
    ("environment", "name", "value"),
    [
        pytest.param({"REDIS_HOST": "r"}, "redis_url", "redis://r:6379/0", id="host"),
        pytest.param({"REDIS_HOST": "r", "REDIS_PORT": "7"}, "redis_url", "redis://r:7/0", id="port"),
        pytest.param({"REDIS_HOST": "::1"}, "redis_url", "redis://[::1]:6379/0", id="IPv6"),
        pytest.param(
            {"REDIS_HOST": "r", "REDIS_PASSWORD": "a/b@c"}, "redis_url", "redis://:a%2Fb%40c@r:6379/0", id="pw"
        ),
        pytest.param({"REDIS_URL": "redis://u:1/0", "REDIS_HOST": "r"}, "redis_url", "redis://u:1/0", id="URL first"),
        pytest.param({"REDIS_HOST": "r", "CACHE_REDIS_URL": ""}, "cache_redis_url", "redis://r:6379/0", id="empty"),
        pytest.param(
            {**ENOUGH, "CACHE_REDIS_URL": "rediss://c/1"}, "cache_redis_url", "rediss://c/1", id="cache of its own"
        ),
        pytest.param(
            {**ENOUGH, "DATABASE_URL": "postgresql+psycopg://h/d"},
            "database_url",
            "postgresql://h/d",
            id="driver named",
        ),
        pytest.param(
            {**ENOUGH, "DATABASE_URL": "postgres://h/d"}, "database_url", "postgresql://h/d", id="short scheme"
        ),
        pytest.param({**ENOUGH, "BULL_QUEUE_PREFIX": "old"}, "queue_prefix", "old", id="prefix by its old name"),
        pytest.param(
            {**ENOUGH, "QUEUE_PREFIX": "new", "BULL_QUEUE_PREFIX": "old"}, "queue_prefix", "new", id="new name first"
        ),
        pytest.param({**ENOUGH, "BULL_QUEUE_CLEANUP": "false"}, "queue_cleanup", False, id="cleanup by its old name"),
        pytest.param({**ENOUGH, "LOG_LEVEL": "debug"}, "log_level", "DEBUG", id="level in small letters"),
    ],
)
def test_what_is_given_counts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str, value: object
) -> None:
    database = {"DATABASE_URL": ENOUGH["DATABASE_URL"]}
    assert getattr(loaded(monkeypatch, **{**database, **environment}), name) == value


@pytest.mark.parametrize(
    ("environment", "name", "told"),
    [
        pytest.param({"REDIS_URL": ""}, "REDIS_URL", "REDIS_HOST", id="no Redis"),
        pytest.param(
            {"DATABASE_URL": ""}, "DATABASE_URL", "is missing; set DATABASE_URL=postgresql://", id="no database"
        ),
        pytest.param({"REDIS_URL": "http://x"}, "REDIS_URL", "redis://", id="other scheme"),
        pytest.param({"REDIS_URL": "redis://h:port/0"}, "REDIS_URL", "redis://", id="port no number"),
        pytest.param({"DATABASE_URL": "mysql://pw@h/d"}, "DATABASE_URL", "postgresql://", id="other database"),
        pytest.param({"DATABASE_OWNER_URL": "owner"}, "DATABASE_OWNER_URL", "postgresql://", id="owner no address"),
        pytest.param({"REDIS_PORT": "six"}, "REDIS_PORT", "'six'", id="number malformed"),
        pytest.param({"PROMETHEUS_PORT": "70000"}, "PROMETHEUS_PORT", "65535", id="number too large"),
        pytest.param({"PROMETHEUS_ENABLED": "perhaps"}, "PROMETHEUS_ENABLED", "true or false", id="no switch"),
        pytest.param({"BULL_QUEUE_PREFIX": "a b"}, "QUEUE_PREFIX", "letters", id="prefix with a space"),
        pytest.param({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL", "DEBUG", id="no level"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "4318", id="no URL"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(monkeypatch, **{**ENOUGH, **environment})
    line = str(refused.value)
    assert line.startswith(f"{name}: ")
    assert told in line
    assert "\n" not in line
    assert refused.value.cure


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(monkeypatch, REDIS_URL="http://:hunter2@h", DATABASE_URL="mysql://u:hunter2@h/d")
    assert "hunter2" not in str(refused.value)
    assert "also wrong: DATABASE_URL" in str(refused.value)
    settings = loaded(
        monkeypatch, **{**ENOUGH, "REDIS_PASSWORD": "hunter2", "DATABASE_URL": "postgresql://u:hunter2@h/d"}
    )
    assert "hunter2" not in repr(settings)
