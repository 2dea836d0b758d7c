"""What the gateway reads beyond the common settings."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from convex_common.errors import SettingsError
from convex_common.secretbox import SecretBox
from convex_common.settings import CommonSettings, Port
from convex_gateway import jwk
from convex_gateway.origins import place_of, protected

SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
JWKS_DEFAULT = ("RS256", "PS256", "ES256", "EdDSA")
SECRET_BYTES = 32
_SECRET_CURE = f"give {SECRET_BYTES} random bytes or more, e.g. from `openssl rand -hex 32`"

_QUOTA = "give how many a workspace may have, 0 for no limit"
_EVENTS = "give events a second, 0 for no limit"
_REQUESTS = "give requests a second, 0 for no limit"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _issuer_url(url: str) -> str:
    """Who can change what is read there can sign in as anybody, so it takes HTTPS, but for this very machine."""
    if url and not protected(url):
        raise PydanticCustomError("url", "is no address that starts with https://")
    return url


IssuerUrl = Annotated[str, AfterValidator(_issuer_url)]


class GatewaySettings(CommonSettings):
    """Intervals in milliseconds, as their names in the contract have them; limits of 0 mean no limit."""

    gateway_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - requests come from outside the pod
        description="give the address to listen on",
    )
    gateway_port: Port = Field(default=8080, description="give a port from 1 to 65535")
    forwarded_allow_ips: str = Field(default="127.0.0.1", description="give the proxies' addresses, comma-separated")

    jwt_secret: SecretStr | None = Field(default=None, description=_SECRET_CURE)
    jwt_secret_previous: SecretStr | None = Field(
        default=None, description="give the JWT_SECRET of before until its last token has expired, then leave it out"
    )
    jwt_jwks_url: IssuerUrl = Field(default="", description="give https://ISSUER/…/jwks.json, or leave it out")
    jwt_issuer: str = Field(default="convex", min_length=1, description="give the `iss` of the tokens")
    jwt_secret_issuer: str = Field(
        default="", description="give the `iss` of tokens signed with JWT_SECRET where JWT_ISSUER is another's"
    )
    jwt_audience: str = Field(default="convex", min_length=1, description="give the `aud` of the tokens")
    jwt_algorithms: str = Field(
        default="", description="give algorithms such as HS256 (JWT_SECRET) or RS256 (JWT_JWKS_URL), comma-separated"
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@\s]+)?$",
        description="give https://HOST, under which browsers reach this installation, or leave it out",
    )
    cors_allowed_origins: str = Field(
        default="", description="give origins such as https://app.example.com, whose pages may call the API"
    )
    session_ttl: int = Field(default=43_200, ge=60, le=2_592_000, description="give seconds, from 60 to 2592000")
    oidc_issuer: IssuerUrl = Field(default="", description="give the provider's https:// issuer, or leave it out")
    oidc_client_id: str = Field(default="", description="give the id that this installation has at OIDC_ISSUER")
    oidc_client_secret: SecretStr | None = Field(default=None, description="give the secret that belongs to the id")
    oidc_scopes: str = Field(
        default="openid email profile",
        pattern=r"^openid( [!#-\[\]-~]+)*$",
        description="give openid and what else is needed to learn of an address, separated by spaces",
    )
    encryption_keys: SecretStr = Field(
        description="give Fernet keys, comma-separated, the newest first: 32 random bytes each, in URL-safe base64"
    )

    smtp_host: str | None = Field(
        default=None, description="give what the notifier is given; without it there are no e-mail channels"
    )

    ws_server: Literal["lean", "uvicorn"] = Field(
        default="lean",
        description="give lean, or uvicorn whose own protocol takes ten times as much",
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
    def jwt_secrets(self) -> tuple[str, ...]:
        """Those that a token may be signed with: the one in force, and while it changes the one before."""
        given = (self.jwt_secret, self.jwt_secret_previous)
        return tuple(secret.get_secret_value() for secret in given if secret is not None)

    @property
    def secret_algorithms(self) -> tuple[str, ...]:
        """The signatures that a token of JWT_SECRET may carry: none that a public key verifies."""
        return tuple(name for name in _listed(self.jwt_algorithms) or ("HS256",) if name in SECRET_ALGORITHMS)

    @property
    def jwks_algorithms(self) -> tuple[str, ...]:
        """The signatures that a token of JWT_JWKS_URL's keys may carry: none that a secret makes."""
        return tuple(name for name in _listed(self.jwt_algorithms) or JWKS_DEFAULT if name in jwk.ALGORITHMS)

    @property
    def encryption_key_list(self) -> tuple[str, ...]:
        """The keys, the newest first: it encrypts, all decrypt."""
        return _listed(self.encryption_keys.get_secret_value())

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call the API with a token."""
        return _listed(self.cors_allowed_origins)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins that may open a socket besides the gateway's own."""
        return _listed(self.ws_allowed_origins)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_tokens()
        if any(origin != "*" and not _is_origin(origin) for origin in self.cors_origins):
            raise SettingsError(
                "CORS_ALLOWED_ORIGINS: holds something else than an origin",
                cure="give https://HOST or https://HOST:PORT, without a path, comma-separated",
            )
        if self.oidc_issuer and not self.oidc_client_id:
            raise SettingsError("OIDC_CLIENT_ID: is missing", cure="give the id that OIDC_ISSUER knows us by")
        if self.oidc_issuer and not self.public_url:
            raise SettingsError("PUBLIC_URL: is missing", cure="give https://HOST: OIDC_ISSUER sends people back to it")
        if self.ws_timeout <= self.ws_heartbeat_interval:
            raise SettingsError(
                "WS_TIMEOUT: must be longer than WS_HEARTBEAT_INTERVAL", cure="give twice the interval, e.g. 60000"
            )
        SecretBox(self.encryption_key_list)
        return self

    def _check_tokens(self) -> None:
        if self.jwt_secret is None and not self.jwt_jwks_url:
            raise SettingsError("JWT_SECRET: is missing", cure=f"{_SECRET_CURE}, or give JWT_JWKS_URL")
        if self.jwt_secret is None and self.jwt_secret_previous is not None:
            raise SettingsError("JWT_SECRET_PREVIOUS: is given without JWT_SECRET", cure=_SECRET_CURE)
        for name, secret in zip(("JWT_SECRET", "JWT_SECRET_PREVIOUS"), self.jwt_secrets, strict=False):
            if len(secret.encode()) < SECRET_BYTES:
                raise SettingsError(f"{name}: is too short", cure=_SECRET_CURE)
        named = _listed(self.jwt_algorithms)
        usable = (SECRET_ALGORITHMS if self.jwt_secret is not None else frozenset()) | (
            jwk.ALGORITHMS if self.jwt_jwks_url else frozenset()
        )
        if (self.jwt_algorithms and not named) or not usable.issuperset(named):
            raise SettingsError(
                "JWT_ALGORITHMS: names none, an unknown one, or one that nothing given here verifies",
                cure="give HS256, HS384 or HS512 for JWT_SECRET, RS256, PS256, ES256 or EdDSA for JWT_JWKS_URL",
            )
        for name, given, its in (
            ("JWT_SECRET", self.jwt_secret is not None, self.secret_algorithms),
            ("JWT_JWKS_URL", bool(self.jwt_jwks_url), self.jwks_algorithms),
        ):
            if given and not its:
                raise SettingsError(f"JWT_ALGORITHMS: names none for {name}", cure=f"add one, or leave {name} out")


def _is_origin(text: str) -> bool:
    """As browsers write it, since it is compared to the letter."""
    return re.fullmatch(r"https?://[a-z0-9.\[\]:-]+", text) is not None and place_of(text) is not None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)
