"""The settings of analytics."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from convex_common.settings import CommonSettings


class AnalyticsSettings(CommonSettings):
    """Common settings, and how much is done at once."""

    analytics_threads: int = Field(default=4, ge=1, le=32, description="give the number of message threads, 1 to 32")
    analytics_lease_seconds: float = Field(default=60.0, ge=1, le=600, description="give seconds, 1 to 600")
    anthropic_api_key: SecretStr | None = Field(
        default=None, description="give a key of Anthropic's API, or leave it out: statistics write all the words then"
    )
    anthropic_model: str = Field(default="claude-sonnet-4-6", min_length=1, description="give a model's name")
    anthropic_base_url: str | None = Field(
        default=None, pattern=r"^https?://", description="give https://HOST of a gateway of yours, or leave it out"
    )
    anthropic_thinking_tokens: int = Field(
        default=4096, ge=0, le=60_000, description="give 1024 to 60000 tokens, or 0: the model decides"
    )
    anthropic_timeout_seconds: float = Field(default=180.0, ge=1, le=900, description="give seconds, 1 to 900")
    anthropic_input_price: float = Field(default=3.0, ge=0, description="give US dollars per million tokens sent")
    anthropic_output_price: float = Field(default=15.0, ge=0, description="give US dollars per million tokens written")
    anthropic_monthly_usd: float = Field(
        default=10.0, ge=0, description="give the US dollars that a workspace may spend in a month"
    )

    @field_validator("anthropic_thinking_tokens")
    @classmethod
    def _enough_to_think(cls, tokens: int) -> int:
        if 0 < tokens < 1024:
            raise ValueError("the least that the API takes is 1024")
        return tokens
