"""The notifier's settings."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from convex_common.errors import SettingsError
from convex_common.secretbox import SecretBox
from convex_common.settings import CommonSettings
from convex_notifier.domain.egress import Egress


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
        _ = self.egress, self.secret_box
        return self
