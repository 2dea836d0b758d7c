"""A wrong setting is named with its cure, in one line."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from convex_common.domain.mailbox import Mailbox
from convex_common.errors import SettingsError
from convex_common.settings import load
from convex_notifier.domain.mail_account import Account, Tls
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
        ("SMTP_FROM", "Alerts <alerts@example.com>"),
        ("SMTP_FROM", "alerts"),
        ("SMTP_TLS", "ssl"),
        ("SMTP_PORT", "0"),
        ("PUBLIC_URL", "alerts.example.com"),
        ("PUBLIC_URL", "https://alerts.example.com/"),
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


MAIL = {"SMTP_HOST": "mail.example.com", "SMTP_FROM": "alerts@bücher.example"}


@pytest.mark.parametrize(
    ("given", "account"),
    [
        ({}, None),
        (MAIL, Account(host="mail.example.com", port=587, tls=Tls.STARTTLS)),
        (MAIL | {"SMTP_TLS": "tls"}, Account(host="mail.example.com", port=465, tls=Tls.TLS)),
        (MAIL | {"SMTP_TLS": "none"}, Account(host="mail.example.com", port=25, tls=Tls.NONE)),
        (
            MAIL | {"SMTP_PORT": "2525", "SMTP_USER": "u", "SMTP_PASSWORD": "p"},
            Account(host="mail.example.com", port=2525, tls=Tls.STARTTLS, user="u", password="p"),
        ),
    ],
    ids=["none", "starttls", "tls", "in the clear", "signed in"],
)
def test_the_mail_server(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], account: Account | None) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load(NotifierSettings)
    assert settings.mail_account == account
    assert settings.smtp_from == (Mailbox("alerts", "xn--bcher-kva.example") if given else None)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"SMTP_HOST": "mail.example.com"}, "SMTP_FROM"),
        (MAIL | {"SMTP_USER": "u"}, "SMTP_PASSWORD"),
        (MAIL | {"SMTP_PASSWORD": "canary"}, "SMTP_USER"),
    ],
)
def test_what_is_missing_beside_others_is_told(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load(NotifierSettings)
    assert str(raised.value).startswith(f"{missing}: is missing; ")
    assert "canary" not in str(raised.value)


def test_a_password_that_cannot_be_sent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (MAIL | {"SMTP_USER": "u", "SMTP_PASSWORD": "canäry"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load(NotifierSettings)
    assert str(raised.value) == "SMTP_PASSWORD: has characters beyond ASCII; give one of ASCII alone"


def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (MAIL | {"SMTP_USER": "u", "SMTP_PASSWORD": "canary"}).items():
        monkeypatch.setenv(name, value)
    settings = load(NotifierSettings)
    assert "canary" not in f"{settings!r} {settings.mail_account!r}"
