"""The scheduler's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from convex_common.domain.retention import Terms
from convex_common.errors import SettingsError
from convex_common.settings import CommonSettings


class SchedulerSettings(CommonSettings):
    """Common settings, who keeps the timetable, for how long anything is kept."""

    scheduler_loop: bool = Field(
        default=True, description="give true, or false where CronJobs ask for the slots and `serve` runs what is asked"
    )

    retention_observations_days: int = Field(default=30, ge=1, le=36500, description="give days, 1 or more")
    retention_log_days: int = Field(
        default=90, ge=3, le=36500, description="give days, 3 or more; of the alert log, deliveries and attempts"
    )
    retention_alerts_days: int = Field(default=365, ge=3, le=36500, description="give days, 3 or more")
    retention_statistics_days: int = Field(default=1095, ge=3, le=36500, description="give days, 3 or more")

    @property
    def terms(self) -> Terms:
        """How long the installation keeps what was recorded."""
        return Terms(
            observations=self.retention_observations_days,
            log=self.retention_log_days,
            alerts=self.retention_alerts_days,
            statistics=self.retention_statistics_days,
        )

    scheduler_lease_seconds: float = Field(default=30.0, ge=1, le=600, description="give seconds, 1 to 600")

    self_audit_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+/?$",
        description="give http://GATEWAY:8080, which clients reach, to have the whole path proved; or leave it out",
    )
    self_audit_seconds: float = Field(default=60.0, ge=0.1, le=3600, description="give seconds, 0.1 to 3600")
    self_audit_deadline_seconds: float = Field(default=30.0, ge=0.1, le=300, description="give seconds, 0.1 to 300")
    deadman_url: SecretStr | None = Field(
        default=None, description="give https://…, to be asked after each self-audit that passed, or leave it out"
    )

    @model_validator(mode="after")
    def _who_would_tell(self) -> Self:
        if self.deadman_url is None:
            return self
        if not self.deadman_url.get_secret_value().startswith(("http://", "https://")):
            raise SettingsError("DEADMAN_URL: is no address", cure="start it with https://")
        if self.self_audit_url is None:
            raise SettingsError("SELF_AUDIT_URL: is missing", cure="DEADMAN_URL is told only what a self-audit proved")
        return self

    kubernetes_jobs: bool = Field(
        default=False, description="give true where CronJobs keep the timetable and the scheduler may ask for them"
    )
    kubernetes_namespace: str | None = Field(default=None, description="give the namespace of the CronJobs")
    kubernetes_selector: str | None = Field(
        default=None,
        description="give the CronJobs' labels, app.kubernetes.io/instance=RELEASE,app.kubernetes.io/component=job",
    )
    kubernetes_look_seconds: float = Field(default=10.0, ge=0.1, le=60, description="give seconds, 0.1 to 60")
    kubernetes_service_account: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        description="give the folder with token and ca.crt",
    )
    kubeconfig: str | None = Field(default=None, description="give the path of a kubeconfig, outside of a cluster")

    @model_validator(mode="after")
    def _where_the_jobs_are(self) -> Self:
        for name in ("kubernetes_namespace", "kubernetes_selector"):
            if self.kubernetes_jobs and not getattr(self, name):
                described = type(self).model_fields[name].description
                raise SettingsError(f"{name.upper()}: is missing", cure=f"{described}, or set KUBERNETES_JOBS=false")
        return self
