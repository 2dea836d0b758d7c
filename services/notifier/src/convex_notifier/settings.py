"""The notifier's settings."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from convex_common.domain.mailbox import Mailbox
from convex_common.errors import SettingsError
from convex_common.secretbox import SecretBox
from convex_common.settings import CommonSettings, Port
from convex_notifier.domain.egress import Egress
from convex_notifier.domain.mail_account import PORTS, Account, Tls


def _sender(address: object) -> object:
    return Mailbox.parse(address) if isinstance(address, str) else address


class NotifierSettings(CommonSettings):
    """Common settings, and how much is sent at once and for how long."""

    encryption_keys: SecretStr = Field(
        description="give Fernet keys, comma-separated, the newest first: 32 random bytes each, in URL-safe base64"
    )
    egress_allow: str = Field(default="", description="give networks or hosts, comma-separated, e.g. 127.0.0.0/8")
    notifier_threads: int = Field(default=16, ge=1, le=256, description="give the attempts at once, 1 to 256")
    notifier_per_target: int = Field(default=8, ge=1, le=256, description="give the attempts at once for one host")
    notifier_lease_seconds: float = Field(default=30.0, ge=1, le=600, description="give seconds, 1 to 600")
    notifier_attempt_seconds: float = Field(
        default=15.0, gt=0, le=300, description="give seconds, half a lease at most"
    )
    notifier_poll_seconds: float = Field(default=1.0, gt=0, le=60, description="give seconds, 1 by default")
    notifier_backoff_seconds: float = Field(default=5.0, gt=0, le=600, description="give seconds, 5 by default")
    notifier_breaker_seconds: float = Field(default=10.0, gt=0, le=600, description="give seconds, 10 by default")

    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="give https://HOST, under which browsers reach this installation, or leave it out",
    )
    smtp_host: str | None = Field(default=None, description="give the mail server's host name, or leave it out")
    smtp_port: Port | None = Field(default=None, description="give a port from 1 to 65535, or leave it out")
    smtp_tls: Tls = Field(default=Tls.STARTTLS, description="use starttls, tls or none")
    smtp_user: str | None = Field(default=None, description="give the name to sign in with, or leave it out")
    smtp_password: SecretStr | None = Field(default=None, description="give the password of SMTP_USER")
    smtp_from: Annotated[Mailbox, BeforeValidator(_sender)] | None = Field(
        default=None, description="give the sender's address alone, e.g. alerts@example.com"
    )

    @property
    def mail_account(self) -> Account | None:
        """Where e-mail is handed over; None where the installation sends none."""
        if self.smtp_host is None:
            return None
        return Account(
            host=self.smtp_host,
            port=self.smtp_port or PORTS[self.smtp_tls],
            tls=self.smtp_tls,
            user=self.smtp_user,
            password=self.smtp_password.get_secret_value() if self.smtp_password else None,
        )

    @property
    def egress(self) -> Egress:
        """What notifications may reach beyond public addresses."""
        return Egress.parse(self.egress_allow)

    @property
    def secret_box(self) -> SecretBox:
        """What opens the channels' secrets."""
        keys = self.encryption_keys.get_secret_value().split(",")
        return SecretBox([key.strip() for key in keys if key.strip()])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.notifier_attempt_seconds > self.notifier_lease_seconds / 2:
            raise SettingsError(
                "NOTIFIER_ATTEMPT_SECONDS: is longer than half of NOTIFIER_LEASE_SECONDS",
                cure="an attempt must end well within its lease; give 15 and 30",
            )
        if self.smtp_host is not None and self.smtp_from is None:
            raise SettingsError(
                "SMTP_FROM: is missing", cure="with SMTP_HOST, give the sender's address, e.g. alerts@example.com"
            )
        if (self.smtp_user is None) != (self.smtp_password is None):
            missing = "SMTP_USER" if self.smtp_user is None else "SMTP_PASSWORD"
            raise SettingsError(f"{missing}: is missing", cure="give both SMTP_USER and SMTP_PASSWORD, or neither")
        for name, value in (("SMTP_USER", self.smtp_user), ("SMTP_PASSWORD", self.smtp_password)):
            text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
            if not text.isascii():
                raise SettingsError(f"{name}: has characters beyond ASCII", cure="give one of ASCII alone")
        _ = self.egress, self.secret_box
        return self
