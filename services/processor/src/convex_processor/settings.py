"""The processor's settings."""

from __future__ import annotations

from pydantic import Field

from convex_common.settings import CommonSettings


class ProcessorSettings(CommonSettings):
    """Common settings, and how much is done at once."""

    processor_threads: int = Field(default=8, ge=1, le=64, description="give the number of message threads, 1 to 64")
    processor_drainers: int = Field(default=2, ge=1, le=16, description="give the number of connections, 1 to 16")
    processor_batch: int = Field(default=500, ge=1, le=5000, description="give the events of a batch, 1 to 5000")
    processor_lease_seconds: float = Field(default=15.0, ge=1, le=600, description="give seconds, 1 to 600")
