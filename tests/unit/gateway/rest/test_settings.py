"""The gateway's settings: one line that names what is wrong and the cure, and no secret."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from convex_common.errors import SettingsError
from convex_common.settings import load
from convex_gateway.settings import GatewaySettings

KEY = Fernet.generate_key().decode()
GOOD = {
    "DATABASE_URL": "postgresql://convex@127.0.0.1/convex",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "JWT_SECRET": "x" * 32,
    "ENCRYPTION_KEYS": KEY,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("JWT_ALGORITHMS", "WS_TIMEOUT", "WS_HEARTBEAT_INTERVAL", "GATEWAY_PORT", "JWT_ISSUER", "JWT_JWKS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_defaults_are_the_contracts(environment: pytest.MonkeyPatch) -> None:
    settings = load(GatewaySettings)
    assert (settings.secret_algorithms, settings.jwt_issuer, settings.jwt_audience) == (("HS256",), "convex", "convex")
    assert (settings.ws_heartbeat_interval, settings.ws_timeout, settings.ws_max_per_user) == (30_000, 60_000, 50)
    assert settings.encryption_key_list == (KEY,)
    assert settings.allowed_origins == ()


def test_lists_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    other = Fernet.generate_key().decode()
    environment.setenv("ENCRYPTION_KEYS", f" {other} , {KEY},")
    environment.setenv("WS_ALLOWED_ORIGINS", "https://a.example,https://b.example")
    environment.setenv("JWT_ALGORITHMS", "HS256, HS512")
    settings = load(GatewaySettings)
    assert settings.encryption_key_list == (other, KEY)
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.secret_algorithms == ("HS256", "HS512")


DEFAULT = ("RS256", "PS256", "ES256", "EdDSA")
TOKENS: dict[str, tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]] = {
    "a secret": ({}, ("HS256",), ()),
    "a key set": ({"JWT_SECRET": "", "JWT_JWKS_URL": "https://a.example/jwks"}, (), DEFAULT),
    "both": ({"JWT_JWKS_URL": "https://a.example/jwks"}, ("HS256",), DEFAULT),
    "both, named": (
        {"JWT_JWKS_URL": "https://a.example/jwks", "JWT_ALGORITHMS": "HS512,ES384"}, ("HS512",), ("ES384",)),
    "on this machine": (
        {"JWT_JWKS_URL": "http://127.0.0.1:8081/jwks", "JWT_ALGORITHMS": "HS256,RS256"}, ("HS256",), ("RS256",)),
}  # fmt: skip


@pytest.mark.parametrize("case", TOKENS)
def test_algorithms_are_pinned_to_what_verifies_them(environment: pytest.MonkeyPatch, case: str) -> None:
    given, secret, issuer = TOKENS[case]
    for name, value in given.items():
        environment.setenv(name, value)
    settings = load(GatewaySettings)
    assert (settings.secret_algorithms if settings.jwt_secret else ()) == secret
    assert (settings.jwks_algorithms if settings.jwt_jwks_url else ()) == issuer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", ""),
        ("JWT_SECRET", "short and secret"),
        ("JWT_SECRET_PREVIOUS", "short and secret"),
        ("JWT_ALGORITHMS", "none"),
        ("JWT_ALGORITHMS", "HS256,RS256"),
        ("JWT_ALGORITHMS", ","),
        ("JWT_ALGORITHMS", "RS256"),
        ("JWT_JWKS_URL", "http://issuer.example/jwks"),
        ("JWT_JWKS_URL", "file:///etc/passwd"),
        ("JWT_JWKS_URL", "issuer.example"),
        ("PUBLIC_URL", "alerts.example.com"),
        ("PUBLIC_URL", "https://alerts.example.com/path"),
        ("SESSION_TTL", "5"),
        ("ENCRYPTION_KEYS", ""),
        ("ENCRYPTION_KEYS", "short and secret"),
        pytest.param("ENCRYPTION_KEYS", f"{KEY},short and secret", id="ENCRYPTION_KEYS-a second that is short"),
        ("WS_TIMEOUT", "30000"),
        ("GATEWAY_PORT", "70000"),
        ("WS_MAX_PER_USER", "-1"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        load(GatewaySettings)
    line = str(refusal.value)
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
    assert "short and secret" not in line
