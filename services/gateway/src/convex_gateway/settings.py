"""What the gateway reads beyond the common settings."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from convex_common.errors import SettingsError
from convex_common.secretbox import SecretBox
from convex_common.settings import CommonSettings, Port

ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
SECRET_BYTES = 32
_SECRET_CURE = f"give {SECRET_BYTES} random bytes or more, e.g. from `openssl rand -hex 32`"

_QUOTA = "give how many a workspace may have, 0 for no limit"
_EVENTS = "give events a second, 0 for no limit"
_REQUESTS = "give requests a second, 0 for no limit"


class GatewaySettings(CommonSettings):
    """Intervals in milliseconds, as their names in the contract have them; limits of 0 mean no limit."""

    gateway_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - requests come from outside the pod
        description="give the address to listen on",
    )
    gateway_port: Port = Field(default=8080, description="give a port from 1 to 65535")
    forwarded_allow_ips: str = Field(default="127.0.0.1", description="give the proxies' addresses, comma-separated")

    jwt_secret: SecretStr = Field(description=_SECRET_CURE)
    jwt_issuer: str = Field(default="convex", description="give the `iss` of the tokens")
    jwt_audience: str = Field(default="convex", description="give the `aud` of the tokens")
    jwt_algorithms: str = Field(default="HS256", description="give HS256, HS384 or HS512, comma-separated")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@\s]+)?$",
        description="give https://HOST, under which browsers reach this installation, or leave it out",
    )
    session_ttl: int = Field(default=43_200, ge=60, le=2_592_000, description="give seconds, from 60 to 2592000")
    encryption_keys: SecretStr = Field(
        description="give Fernet keys, comma-separated, the newest first: 32 random bytes each, in URL-safe base64"
    )

    smtp_host: str | None = Field(
        default=None, description="give what the notifier is given; without it there are no e-mail channels"
    )

    ws_heartbeat_interval: int = Field(default=30_000, ge=100, description="give milliseconds, 100 or more")
    ws_timeout: int = Field(default=60_000, ge=200, description="give milliseconds, 200 or more")
    ws_allowed_origins: str = Field(default="", description="give origins such as https://alerts.example.com")
    ws_max_per_user: int = Field(default=50, ge=0, description="give a number, 0 for no limit")
    ws_max_per_address: int = Field(default=0, ge=0, description="give a number, 0 for no limit")
    ws_connect_rate: float = Field(default=0, ge=0, description="give connections a second, 0 for no limit")

    ws_max_per_workspace: int = Field(default=10_000, ge=0, description="give a number, 0 for no limit")

    quota_frameworks: int = Field(default=1_000, ge=0, description=_QUOTA)
    quota_rules: int = Field(default=5_000, ge=0, description=_QUOTA)
    quota_channels: int = Field(default=500, ge=0, description=_QUOTA)
    quota_members: int = Field(default=5_000, ge=0, description=_QUOTA)
    quota_api_keys: int = Field(default=500, ge=0, description=_QUOTA)

    rate_limit_ingest_per_workspace: float = Field(default=20_000, ge=0, description=_EVENTS)
    rate_limit_ingest_per_user: float = Field(default=0, ge=0, description=_EVENTS)
    rate_limit_reads_per_workspace: float = Field(default=2_000, ge=0, description=_REQUESTS)
    rate_limit_reads_per_user: float = Field(default=500, ge=0, description=_REQUESTS)
    rate_limit_writes_per_workspace: float = Field(default=400, ge=0, description=_REQUESTS)
    rate_limit_writes_per_user: float = Field(default=200, ge=0, description=_REQUESTS)
    rate_limit_burst_seconds: float = Field(
        default=10, gt=0, le=3600, description="give seconds, for how long of silence a rate may be saved up"
    )
    rate_limit_sign_in_per_address: int = Field(
        default=30, ge=0, description="give sign-ins a minute and address, 0 for no limit"
    )

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signatures that a token may carry."""
        return _listed(self.jwt_algorithms)

    @property
    def encryption_key_list(self) -> tuple[str, ...]:
        """The keys, the newest first: it encrypts, all decrypt."""
        return _listed(self.encryption_keys.get_secret_value())

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins that may open a socket besides the gateway's own."""
        return _listed(self.ws_allowed_origins)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.jwt_secret.get_secret_value().encode()) < SECRET_BYTES:
            raise SettingsError("JWT_SECRET: is too short", cure=_SECRET_CURE)
        if not self.algorithms or not ALGORITHMS.issuperset(self.algorithms):
            raise SettingsError("JWT_ALGORITHMS: names none or an unknown one", cure="give HS256, HS384 or HS512")
        if self.ws_timeout <= self.ws_heartbeat_interval:
            raise SettingsError(
                "WS_TIMEOUT: must be longer than WS_HEARTBEAT_INTERVAL", cure="give twice the interval, e.g. 60000"
            )
        SecretBox(self.encryption_key_list)
        return self


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)
